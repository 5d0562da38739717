"""The life of models at a site: which is active, which are retired, as it follows from what was recorded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipelines.domain.reasons import Rejected
from pipelines.scoring.package import Package


class ModelEvent(StrEnum):
    """What a person did with a model."""

    ACTIVATED = "activated"
    RETIRED = "retired"


class ModelState(StrEnum):
    """What the site thinks of a model."""

    ACTIVE = "active"
    REPLACED = "replaced"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of the record, which is only ever added to.

    Attributes
    ----------
    model_sha256, package_sha256, key_id
        Digests of `model.json` and of the manifest, and the key that signed it; empty in the retirement of a model that
        was never activated.
    reason
        Why a model was retired, in the words of who did it; else empty.
    """

    at: datetime
    event: ModelEvent
    name: str
    version: str
    model_sha256: str
    package_sha256: str
    key_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A model that the site has had, with its last event."""

    state: ModelState
    last: Recorded


@dataclass(frozen=True, slots=True)
class Register:
    """All models of the site.

    Attributes
    ----------
    models
        In the order in which they were first activated.
    """

    models: tuple[Known, ...] = ()

    @property
    def active(self) -> Recorded | None:
        """The model activated last, unless it was retired since: nothing takes its place by itself."""
        return next((known.last for known in self.models if known.state is ModelState.ACTIVE), None)

    def find(self, name: str, version: str) -> Known | None:
        """What is known of the model of that name and version."""
        return next((known for known in self.models if (known.last.name, known.last.version) == (name, version)), None)


def register(events: Iterable[Recorded]) -> Register:
    """What the site thinks of its models after `events`, the oldest first."""
    known: dict[tuple[str, str], Known] = {}
    for event in events:
        if event.event is ModelEvent.RETIRED:
            known[event.name, event.version] = Known(ModelState.RETIRED, event)
            continue
        for key, one in known.items():
            if one.state is ModelState.ACTIVE:
                known[key] = Known(ModelState.REPLACED, one.last)
        known[event.name, event.version] = Known(ModelState.ACTIVE, event)
    return Register(tuple(known.values()))


def usable(package: Package, at: Register, *, reinstate: bool = False) -> Package | Rejected:
    """Look whether the site still wants `package`.

    Parameters
    ----------
    reinstate
        True to take a retirement back.

    Returns
    -------
    Rejected
        `MODEL-008` when a model of this name and version was retired, `MODEL-018` when one with another content is
        known, so that results could not be told apart by name.
    """
    model = package.model
    known = at.find(model.name, model.version)
    if known is None:
        return package
    if known.state is ModelState.RETIRED and not reinstate:
        why = f": {known.last.reason}" if known.last.reason else ""
        return Rejected(
            "MODEL-008",
            f"Model {model.name} {model.version} was retired on {known.last.at:%Y-%m-%d}{why}.",
            "Activate another model with pulmonode model activate, or take the retirement back with --reinstate.",
        )
    # a model may be retired that was never activated: of that one the name is all that is known
    if known.last.model_sha256 not in ("", model.sha256):
        return Rejected(
            "MODEL-018",
            f"Model {model.name} {model.version} has SHA-256 {model.sha256}, the one of this name and version that is "
            f"known here has {known.last.model_sha256}.",
            "Ask the maker of the model for a version number of its own.",
        )
    return package
