"""The order that a study was made for, as a worklist tells it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.domain.coding import Code
from pipelines.domain.identifiers import StudyUID


@dataclass(frozen=True, slots=True)
class Order:
    """A requested procedure (PS3.4 K.6.1.2); its numbers belong to a patient and are never shown.

    Attributes
    ----------
    codes
        Requested Procedure Code Sequence.
    referenced_studies
        (SOP class, SOP instance) of the Referenced Study Sequence.
    modality, scheduled_date
        Of the first scheduled procedure step; YYYYMMDD.
    """

    study: StudyUID
    accession_number: str = field(repr=False)
    requested_procedure_id: str = field(repr=False)
    description: str = field(default="", repr=False)
    codes: tuple[Code, ...] = ()
    referenced_studies: tuple[tuple[str, str], ...] = ()
    modality: str = ""
    scheduled_date: str = ""


def choose_order(
    orders: Sequence[Order], *, study: StudyUID, accession_number: str, study_date: str
) -> tuple[Order | None, str]:
    """Find the one order behind a study among those of its patient; the first rule that finds any decides.

    1. The order that names the study.
    2. The order with the accession number of the study.
    3. For a study without an accession number: the order for a CT on the day of the study.

    An order with another accession number than the study has is none of it, whatever else fits.

    Returns
    -------
    tuple
        The order, or None when there is not exactly one; and in words how it was found or why not.
    """
    if not orders:
        return None, "The worklist has no order of the patient."
    agreeing = [one for one in orders if accession_number in ("", one.accession_number)]
    rules = [
        ([one for one in agreeing if one.study == study], "names the study"),
        ([one for one in agreeing if accession_number], "has the accession number of the study"),
        (
            [
                one
                for one in agreeing
                if not accession_number and study_date and one.modality == "CT" and one.scheduled_date == study_date
            ],
            "is for a CT on the day of the study",
        ),
    ]
    for fitting, how in rules:
        distinct = {(one.accession_number, one.requested_procedure_id): one for one in fitting}
        if len(distinct) == 1:
            return fitting[0], f"One order of the worklist {how}."
        if distinct:
            return None, f"{len(distinct)} orders of the worklist fit: each {how}."
    return None, f"None of {len(orders)} orders of the patient fits the study."
