"""What a result has in common with its CT: the patient, the study and what holds for everything made from it."""

from typing import Final

from pydicom import Dataset

from pipelines.domain.inherited import INHERITED
from pipelines.imaging.charsets import decoded

_TYPE_2: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)


def inherited(header: Dataset) -> Dataset:
    """Patient, study and common attributes of `header`, text decoded, ready to be written in UTF-8.

    Attributes of type 2 are there even when the CT has none; one whose value cannot be decoded counts as absent. A case
    whose text cannot be decoded does not come here: reading it ends with `TXT-001`.
    """
    made, _ = decoded(header, INHERITED)
    for keyword in _TYPE_2:
        if keyword not in made:
            setattr(made, keyword, None)
    return made


def request_attributes(header: Dataset) -> list[Dataset]:
    """Items of the Request Attributes Sequence of `header`, text decoded; none when it has none."""
    made, _ = decoded(header, ("RequestAttributesSequence",))
    return list(made.get("RequestAttributesSequence") or ())
