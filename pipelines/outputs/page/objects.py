"""The page as DICOM objects: an Encapsulated PDF, a Secondary Capture image, or both."""

from collections.abc import Iterator
from typing import Final, Literal

from pydicom import Dataset

from pipelines.domain.case import Findings
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.score import Score
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, ENCAPSULATED_PDF, SECONDARY_CAPTURE
from pipelines.domain.volume import SliceRef
from pipelines.outputs.case_report import KIND as CASE_REPORT
from pipelines.outputs.page.carriers import capture, document
from pipelines.outputs.page.facts import shown_lesions
from pipelines.outputs.page.settings import PageSettings
from pipelines.outputs.page.view import key_slice
from pipelines.outputs.page.words import WORDS
from pipelines.outputs.provenance import Identity, moment_of, result_uid

KIND: Final = "page"
DESCRIPTION: Final = "AI: result page"
_SERIES_NUMBERS: Final = {"pdf": 9006, "image": 9007}


def page_objects(findings: Findings, producer: Producer, *, settings: PageSettings) -> Iterator[ResultObject]:
    """The page in the form and the language of `settings` (PS3.3 A.45.1, A.8.1)."""
    # the libraries that draw take their time to load, and a worker may never be asked for a page
    from pipelines.outputs.page.render import page_pdf

    words = WORDS[settings.language]
    pdf = page_pdf(findings, producer, words, moment_of(findings.case.header, producer))
    if settings.format != "image":
        yield document(
            findings,
            producer,
            _identity(findings, settings, "pdf"),
            pdf,
            report=_report(findings),
            shown=images_of(shown_slices(findings), frames=False),
        )
    if settings.format != "pdf":
        yield capture(
            findings,
            producer,
            _identity(findings, settings, "image"),
            pdf,
            title="Result page",
            report=_report(findings),
            shown=images_of(shown_slices(findings), frames=True),
        )


def shown_slices(findings: Findings) -> list[SliceRef]:
    """The CT slices that the page shows, each once."""
    slices = findings.case.ct.slices
    return list(dict.fromkeys(slices[key_slice(measured)] for measured in shown_lesions(findings)))


def _identity(findings: Findings, settings: PageSettings, form: Literal["pdf", "image"]) -> Identity:
    demonstration = isinstance(findings.score, Score) and findings.score.model.demonstration
    description = DESCRIPTION if form == "pdf" else f"{DESCRIPTION} (image)"
    what = KIND, form, settings.language
    return Identity(
        kind=f"{KIND}-{form}",
        lesion_number=None,
        sop_class=ENCAPSULATED_PDF if form == "pdf" else SECONDARY_CAPTURE,
        sop_instance=SopInstanceUID(result_uid(findings, *what, "instance")),
        series=SeriesUID(result_uid(findings, *what, "series")),
        series_number=_SERIES_NUMBERS[form],
        modality="DOC" if form == "pdf" else "OT",
        description=f"{description} - DEMONSTRATION, not for clinical use" if demonstration else description,
    )


def _report(findings: Findings) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = COMPREHENSIVE_3D_SR
    item.ReferencedSOPInstanceUID = result_uid(findings, CASE_REPORT, "instance")
    return item


def images_of(slices: list[SliceRef], *, frames: bool) -> list[Dataset]:
    """The instances that `slices` lie in, each once; with `frames` the numbers of those, where an instance has more."""
    items = []
    for sop_class, sop_instance in dict.fromkeys((s.sop_class, s.sop_instance) for s in slices):
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        numbers = [s.frame for s in slices if s.sop_instance == sop_instance and s.frame is not None]
        if frames and numbers:
            item.ReferencedFrameNumber = numbers
        items.append(item)
    return items
