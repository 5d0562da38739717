"""Readers of texts and tables: character sets, clinical tables, FHIR bundles."""

from pathlib import Path

from tests.hostile.guided.catalogue import Read

_DECLARED = (
    "", "ISO_IR 100", "ISO_IR 192", "GB18030", "GBK", "ISO 2022 IR 6\\ISO 2022 IR 58", "\\ISO 2022 IR 149",
    "\\ISO 2022 IR 87", "ISO_IR 13", "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO_IR 144", "ISO_IR 166", "nonsense",
    "\\ISO 2022 IR 87\\ISO 2022 IR 159", "ISO 2022 IR 100\\ISO 2022 IR 126",
)  # fmt: skip


def charset(own: Path, shared: Path) -> Read:
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    from pipelines.domain.charsets import ASSUMABLE, decode
    from pipelines.imaging.charsets import decoded

    assumable = ("", *ASSUMABLE)

    def read(data: bytes) -> None:
        if len(data) < 3:
            return
        declared = _DECLARED[data[0] % len(_DECLARED)].split("\\")
        assume, text = assumable[data[1] % len(assumable)], data[3:]
        found = decode(text, declared, assume=assume, person_name=bool(data[2] & 1), divided=bool(data[2] & 2))
        assert found is None or not any("\ud800" <= character < "\ue000" for character in found), "half a character"
        # and the way of a whole data set
        held = Dataset()
        for tag, vr, value in (
            (Tag("SpecificCharacterSet"), "CS", "\\".join(declared).encode()),
            (Tag("PatientName"), "PN", text),
            (Tag("StudyDescription"), "LO", text),
            (Tag("PatientComments"), "LT", text),
        ):
            held[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
        decoded(held, assume=assume)

    return read


def table(own: Path, shared: Path) -> Read:
    from pipelines.clinical.tables import read_table

    def read(data: bytes) -> None:
        read_table(data, ".xlsx" if data.startswith(b"PK") else ".csv")

    return read


def cohort_table(own: Path, shared: Path) -> Read:
    from pipelines.cohort.table_file import read_csv, read_workbook, sheets

    def read(data: bytes) -> None:
        if data.startswith(b"PK"):
            sheets(data)
            read_workbook(data)
        else:
            read_csv(data)

    return read


def bundle(own: Path, shared: Path) -> Read:
    from pipelines.clinical.fhir import read_bundle

    def read(data: bytes) -> None:
        read_bundle(data, issuer="H", identifier_system=None)

    return read
