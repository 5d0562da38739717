"""Readers of files that an administrator or a researcher was given: models, settings, tables, tasks."""

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.hostile.guided.catalogue import Read


def _as_text(data: bytes) -> str | None:
    with suppress(UnicodeDecodeError):
        return data.decode()
    return None


def model(own: Path, shared: Path) -> Read:
    """What model packages consist of: facts, and keys."""
    from pipelines.domain.reasons import Rejected
    from pipelines.scoring.keys import SigningKey, TrustedKey, read_private_key, read_public_key
    from pipelines.scoring.model import Model, read_model

    def read(data: bytes) -> None:
        if data.startswith(b"-----"):
            assert isinstance(read_private_key(data), SigningKey | Rejected)
            assert isinstance(read_public_key(data, name="fuzz"), TrustedKey | Rejected)
        else:
            assert isinstance(read_model(data), Model | Rejected)

    return read


def settings(own: Path, shared: Path) -> Read:
    """The node's own settings."""
    from node.errors import ConfigError
    from node.settings import load_settings

    file = own / "node.toml"

    def read(data: bytes) -> None:
        file.write_bytes(data)
        with suppress(ConfigError):
            load_settings(file, {})

    return read


def parameters(own: Path, shared: Path) -> Read:
    """A parameter file of PyRadiomics."""
    from pipelines.extraction.parameters import read_parameters

    def read(data: bytes) -> None:
        text = _as_text(data)
        if text is not None:
            read_parameters(text, name="fuzz")

    return read


def printed(own: Path, shared: Path) -> Read:
    """Numbers of a paper, in a table or as TOML."""
    from pipelines.audit.formats import read_entries

    def read(data: bytes) -> None:
        suffix = ".xlsx" if data.startswith(b"PK") else (".toml", ".csv")[data[:1] == b"p"]
        read_entries(data, suffix)

    return read


def cohort(own: Path, shared: Path) -> Read:
    """A cohort to train on: clinical table and features, divided by a byte that is in neither."""
    from pipelines.cohort.folder import OutcomeChoice, read_cohort
    from pipelines.domain.reasons import Rejected
    from pipelines.domain.training_table import TrainingTable

    choice = OutcomeChoice()

    def read(data: bytes) -> None:
        clinical, _, features = data.partition(b"\0")
        texts = _as_text(clinical), _as_text(features)
        if texts[0] is not None and texts[1] is not None:
            assert isinstance(read_cohort(texts[0], texts[1], choice), TrainingTable | Rejected)

    return read


def deidentified(own: Path, shared: Path) -> Read:
    """Whatever image or segmentation is received is de-identified, or refused with a reason."""
    from pydicom import dcmread

    from pipelines.cohort import deidentify
    from pipelines.cohort.pseudonyms import Pseudonyms
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.header import parse_ref

    subject = deidentify.Subject("0" * 64, Pseudonyms(b"secret" * 8))

    def read(data: bytes) -> None:
        if isinstance(parse_ref(data), Rejected):
            return
        made = deidentify.deidentified(dcmread(BytesIO(data)), subject)
        if isinstance(made, Rejected):
            return
        made.save_as(BytesIO(), enforce_file_format=True)
        assert made.PatientID == subject.pseudonym
        assert not any(element.tag.is_private for element in made.iterall())

    return read


def task(own: Path, shared: Path) -> Read:
    """A message of the embedded broker: it is delivered as Celery can read it, or parked."""
    from node.adapters.message_file import TakenMessage
    from node.adapters.sqlite_broker import Channel

    parked: list[str] = []

    class File:
        def park(self, tag: str, fault: str) -> None:
            parked.append(fault)

    class Bare(Channel):  # type: ignore[misc]
        """A channel that is connected to nothing."""

        def __init__(self) -> None:
            self._file: Any = File()
            self._max_deliveries = 3

    channel = Bare()

    def read(data: bytes) -> None:
        text = _as_text(data)
        if text is None:
            return
        parked.clear()
        message = channel._read(TakenMessage("1", text, 1))
        assert (message is None) == bool(parked)
        if message is not None:
            assert isinstance(message["headers"], dict)
            assert isinstance(message["properties"]["delivery_info"], dict)

    return read
