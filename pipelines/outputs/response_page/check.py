"""The self-check of the page of response: what a viewer would show is what was assessed."""

from collections.abc import Iterator, Sequence

import numpy as np
from pydicom import Dataset

from pipelines.domain.case import Findings
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import ENCAPSULATED_PDF
from pipelines.outputs.check import Read, check_with
from pipelines.outputs.page.check import image_faults, solid
from pipelines.outputs.page.pdf import pictures_of, text_of
from pipelines.outputs.provenance import result_uid
from pipelines.outputs.response_page.pictures import PictureRow
from pipelines.outputs.response_page.render import conclusions, table_rows
from pipelines.outputs.response_page.words import ResponseWords
from pipelines.outputs.response_report import KIND as REPORT
from pipelines.outputs.response_report import ResponseFindings


def check_page(
    made: ResultObject, findings: ResponseFindings, pictures: Sequence[PictureRow], words: ResponseWords
) -> Rejected | None:
    """`OUT-001` with the first difference between `made` and `findings`; None when there is none."""

    def compare(read: Read, _: ResultObject, shared: Findings) -> Iterator[str]:
        named = [one.ReferencedSOPInstanceUID for one in read.dataset.SourceInstanceSequence]
        if named[0] != result_uid(shared, REPORT, "instance"):
            yield "its source is not the report of response"
        if read.dataset.SOPClassUID == ENCAPSULATED_PDF:
            yield from _document_faults(read.dataset, findings, pictures, words)
        else:
            yield from image_faults(read.dataset, read.pixels)

    return check_with(made, findings.as_findings, compare)


def _document_faults(
    dataset: Dataset, findings: ResponseFindings, pictures: Sequence[PictureRow], words: ResponseWords
) -> Iterator[str]:
    pdf = bytes(dataset.EncapsulatedDocument)[: dataset.EncapsulatedDocumentLength]
    pages = text_of(pdf)
    if len(pages) != 1:
        yield f"it has {len(pages)} pages"
        return
    text = solid(pages[0])
    wanted = [answer for _, answer, _ in conclusions(findings, words)]
    rows = table_rows(findings, words)
    # the last visit stands in the table whatever there is room for
    wanted += [cell for row in (rows[0], rows[-1]) for cell in row]
    yield from (f"its text lacks {one}" for one in wanted if solid(one) not in text)
    shown = [cell.view for row in pictures for cell in row.cells if cell.view is not None]
    drawn = pictures_of(pdf)
    if len(drawn) != len(shown):
        yield f"it shows {len(drawn)} pictures for {len(shown)}"
        return
    for number, (picture, view) in enumerate(zip(drawn, shown, strict=True), start=1):
        if not np.array_equal(picture.reshape(picture.shape[:2]), view.pixels):
            yield f"picture {number} differs from the CT"
