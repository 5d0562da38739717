"""The self-check of the page: what a viewer would show is what was found."""

from collections.abc import Iterator

import numpy as np
from pydicom import Dataset

from pipelines.domain.case import Findings
from pipelines.domain.score import Score
from pipelines.domain.sop_classes import ENCAPSULATED_PDF
from pipelines.outputs.case_report import KIND as CASE_REPORT
from pipelines.outputs.page.carriers import pixels_digest
from pipelines.outputs.page.facts import percentile_line, probability_text, warnings
from pipelines.outputs.page.objects import shown_slices
from pipelines.outputs.page.words import WORDS
from pipelines.outputs.provenance import result_uid


def page_faults(dataset: Dataset, pixels: memoryview, findings: Findings) -> Iterator[str]:
    """Where the page differs from `findings`.

    Parameters
    ----------
    dataset
        The page as it was read back.
    pixels
        Value of its pixel data; empty for a PDF.
    """
    yield from _source_faults(dataset, findings)
    if dataset.SOPClassUID == ENCAPSULATED_PDF:
        yield from _document_faults(dataset, findings)
    else:
        yield from image_faults(dataset, pixels)
    demonstration = isinstance(findings.score, Score) and findings.score.model.demonstration
    if demonstration and "DEMONSTRATION" not in dataset.SeriesDescription:
        yield "Series Description does not say that the model is a demonstration"


def _source_faults(dataset: Dataset, findings: Findings) -> Iterator[str]:
    named = [*dataset.SourceInstanceSequence, *dataset.get("SourceImageSequence", ())]
    shown = dict.fromkeys(image.sop_instance for image in shown_slices(findings))
    expected = [result_uid(findings, CASE_REPORT, "instance"), *shown]
    if [item.ReferencedSOPInstanceUID for item in named] != expected:
        yield "its sources are not the report of the case and the slices that it shows"


def _document_faults(dataset: Dataset, findings: Findings) -> Iterator[str]:
    # the libraries that draw and read pages take their time to load
    from pipelines.outputs.page.pdf import pictures_of, text_of
    from pipelines.outputs.page.render import page_views

    pdf = bytes(dataset.EncapsulatedDocument)[: dataset.EncapsulatedDocumentLength]
    pages = text_of(pdf)
    if len(pages) != 1:
        yield f"it has {len(pages)} pages"
        return
    text = solid(pages[0])
    yield from (f"its text lacks {what}" for what, wanted in _said(text, findings) if solid(wanted) not in text)
    pictures = pictures_of(pdf)
    views = page_views(findings)
    if len(pictures) != len(views):
        yield f"it shows {len(pictures)} pictures for {len(views)} lesions"
        return
    for number, (picture, view) in enumerate(zip(pictures, views, strict=True), start=1):
        if not np.array_equal(picture.reshape(picture.shape[:2]), view.pixels):
            yield f"picture {number} differs from the CT"


def _said(text: str, findings: Findings) -> Iterator[tuple[str, str]]:
    """What must stand in the text of the page; free text is left out, which may be shortened or in any script."""
    words = next((w for w in WORDS.values() if solid(w.purpose) in text), None)
    if words is None:
        yield "the line on its use", WORDS["en"].purpose
        return
    for warning in warnings(findings):
        yield f"the warning {warning.code}", warning.code
    if isinstance(findings.score, Score):
        probability, cut_off = probability_text(findings.score)
        yield words.probability, f"{words.probability}{probability}"
        yield words.cut_off, f"{words.cut_off}{cut_off}"
        yield "the class", words.positive if findings.score.outcome == "positive" else words.negative
        if findings.score.place is not None:
            yield "where the score lies", percentile_line(findings.score.place, words)
        yield "the digest of the model", findings.score.model.sha256
        if findings.score.model.demonstration:
            yield "the notice of the demonstration", words.demonstration
    else:
        yield words.no_prediction, words.no_prediction


def image_faults(dataset: Dataset, pixels: memoryview) -> Iterator[str]:
    """What is wrong with the page as a Secondary Capture image."""
    from pipelines.outputs.page.pdf import rendered_shape
    from pipelines.outputs.page.sheet import HEIGHT, WIDTH

    if (dataset.Rows, dataset.Columns) != rendered_shape(WIDTH, HEIGHT):
        yield "its size is not that of the page"
        return
    size = 3 * dataset.Rows * dataset.Columns
    if len(pixels) != size + size % 2 or pixels_digest(pixels[:size]) not in dataset.DerivationDescription:
        yield "its pixels are not those that were drawn"


def solid(text: str) -> str:
    """`text` without the spaces and line ends that depend on where its parts stand."""
    return "".join(text.split())
