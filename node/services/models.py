"""Which model scores: verify packages, activate and retire models, and find the one that is configured."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Protocol

from node.ports import Clock
from pipelines.domain.reasons import Rejected
from pipelines.scoring.keys import TrustedKey
from pipelines.scoring.lifecycle import ModelEvent, ModelState, Recorded, Register, register, usable
from pipelines.scoring.model import fitting
from pipelines.scoring.package import Package, open_package

ACTIVE: Final = "active"
"""Stands in the configuration for the model that was activated last."""


class FolderReader(Protocol):
    """Reads every file of a folder."""

    def __call__(self, folder: Path, /) -> dict[str, bytes] | Rejected: ...


class Record(Protocol):
    """What was done with models, and the packages that it was done with."""

    def events(self) -> tuple[Recorded, ...] | Rejected: ...

    def add(self, event: Recorded) -> Rejected | None: ...

    def keep(self, package: Package, files: dict[str, bytes]) -> Rejected | None: ...

    def files(self, event: Recorded) -> dict[str, bytes] | Rejected: ...


class Models:
    """The models of a site.

    Parameters
    ----------
    trusted
        Keys whose signatures the site believes.
    """

    def __init__(self, record: Record, read_folder: FolderReader, trusted: Sequence[TrustedKey], clock: Clock) -> None:
        self._record = record
        self._read = read_folder
        self._trusted = tuple(trusted)
        self._clock = clock

    def register(self) -> Register | Rejected:
        """All models that the site has had."""
        events = self._record.events()
        return events if isinstance(events, Rejected) else register(events)

    def verify(self, folder: Path) -> Package | Rejected:
        """Look whether the package in `folder` is intact, signed by a trusted key, and not retired."""
        files = self._read(folder)
        return files if isinstance(files, Rejected) else self._verified(files)

    def active(self) -> Package | Rejected:
        """The model that was activated last; `MODEL-009` when there is none."""
        known = self.register()
        if isinstance(known, Rejected):
            return known
        if known.active is None:
            return Rejected(
                "MODEL-009",
                "No model was activated, or the last one was retired.",
                "Activate one with pulmonode model activate, or set scoring.model to another one or to nothing.",
            )
        files = self._record.files(known.active)
        return files if isinstance(files, Rejected) else self._verified(files)

    def activate(
        self, folder: Path, *, settings_sha256: str, available: Collection[str], reinstate: bool = False
    ) -> Package | Rejected:
        """Keep a copy of the package in `folder`, and make it the active model.

        Parameters
        ----------
        settings_sha256, available
            Digest of the extraction settings of the node, and the features that it computes.
        reinstate
            True to take back that this model was retired.
        """
        files = self._read(folder)
        if isinstance(files, Rejected):
            return files
        package = self._verified(files, reinstate=reinstate)
        if isinstance(package, Rejected):
            return package
        fit = fitting(package.model, settings_sha256=settings_sha256, available=available)
        if isinstance(fit, Rejected):
            return fit
        return self._record.keep(package, files) or self._record.add(self._activation(package)) or package

    def retire(self, name: str, version: str, *, reason: str) -> Recorded | Rejected:
        """Never score with this model again, activated here or not; results that it made stay as they are."""
        known = self.register()
        if isinstance(known, Rejected):
            return known
        found = known.find(name, version)
        if found is not None and found.state is ModelState.RETIRED:
            return found.last
        digests = ("", "", "")
        if found is not None:
            digests = (found.last.model_sha256, found.last.package_sha256, found.last.key_id)
        event = Recorded(self._clock(), ModelEvent.RETIRED, name, version, *digests, reason)
        return self._record.add(event) or event

    def _verified(self, files: dict[str, bytes], *, reinstate: bool = False) -> Package | Rejected:
        package = open_package(files, self._trusted)
        if isinstance(package, Rejected):
            return package
        known = self.register()
        return known if isinstance(known, Rejected) else usable(package, known, reinstate=reinstate)

    def _activation(self, package: Package) -> Recorded:
        model = package.model
        return Recorded(
            self._clock(),
            ModelEvent.ACTIVATED,
            model.name,
            model.version,
            model.sha256,
            package.package_sha256,
            package.signed_by.key_id,
        )
