"""The page of response as DICOM objects: an Encapsulated PDF, a Secondary Capture image, or both."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from pydicom import Dataset

from pipelines.domain.case import Case, Findings
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, ENCAPSULATED_PDF, SECONDARY_CAPTURE
from pipelines.domain.volume import SliceRef
from pipelines.outputs.page.carriers import capture, document
from pipelines.outputs.page.objects import images_of
from pipelines.outputs.page.settings import PageSettings
from pipelines.outputs.page.words import WORDS
from pipelines.outputs.provenance import Identity, moment_of, result_uid
from pipelines.outputs.response_page.check import check_page
from pipelines.outputs.response_page.pictures import PictureRow, picture_rows
from pipelines.outputs.response_page.render import PIXELS, response_pdf
from pipelines.outputs.response_page.words import RESPONSE_WORDS
from pipelines.outputs.response_report import KIND as REPORT
from pipelines.outputs.response_report import ResponseFindings
from pipelines.response.history import Visit

KIND: Final = "page-response"
DESCRIPTION: Final = "AI: response page"
_SERIES_NUMBERS: Final = {"pdf": 9010, "image": 9011}


def response_pages(
    findings: ResponseFindings,
    visits: Sequence[Visit],
    cases: Mapping[SopInstanceUID, Case],
    producer: Producer,
    *,
    settings: PageSettings,
) -> Iterator[ResultObject | Rejected]:
    """The page in the form and the language of `settings` (PS3.3 A.45.1, A.8.1), each object checked.

    Parameters
    ----------
    visits
        Up to the visit of the report.
    cases
        By segmentation, of the visits of which there shall be pictures.
    """
    columns, rows = PIXELS
    pictures = picture_rows(findings, visits, cases, columns=columns, rows=rows)
    shared = findings.as_findings
    words = RESPONSE_WORDS[settings.language]
    moment = moment_of(findings.case.header, producer)
    pdf = response_pdf(findings, pictures, producer, words, WORDS[settings.language], moment)
    made = []
    if settings.format != "image":
        shown = images_of(sources_of(pictures), frames=False)
        identity = _identity(shared, pictures, settings, "pdf")
        made.append(document(shared, producer, identity, pdf, report=_report(shared), shown=shown))
    if settings.format != "pdf":
        shown = images_of(sources_of(pictures), frames=True)
        identity = _identity(shared, pictures, settings, "image")
        made.append(
            capture(shared, producer, identity, pdf, title="Response page", report=_report(shared), shown=shown)
        )
    for one in made:
        fault = check_page(one, findings, pictures, words)
        yield one if fault is None else fault


def sources_of(pictures: Sequence[PictureRow]) -> list[SliceRef]:
    """The slices that the page shows, each once."""
    return list(dict.fromkeys(cell.source for row in pictures for cell in row.cells if cell.source is not None))


def _identity(
    shared: Findings, pictures: Sequence[PictureRow], settings: PageSettings, form: Literal["pdf", "image"]
) -> Identity:
    # a page without the pictures of a visit that is no longer here is another page
    shown = ",".join(f"{one.sop_instance} {one.frame}" for one in sources_of(pictures))
    what = KIND, form, settings.language, shown
    return Identity(
        kind=f"{KIND}-{form}",
        lesion_number=None,
        sop_class=ENCAPSULATED_PDF if form == "pdf" else SECONDARY_CAPTURE,
        sop_instance=SopInstanceUID(result_uid(shared, *what, "instance")),
        series=SeriesUID(result_uid(shared, *what, "series")),
        series_number=_SERIES_NUMBERS[form],
        modality="DOC" if form == "pdf" else "OT",
        description=DESCRIPTION if form == "pdf" else f"{DESCRIPTION} (image)",
    )


def _report(shared: Findings) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = COMPREHENSIVE_3D_SR
    item.ReferencedSOPInstanceUID = result_uid(shared, REPORT, "instance")
    return item
