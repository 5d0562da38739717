import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.domain.sop_classes import ENHANCED_CT_IMAGE
from pipelines.domain.volume import Mask, SliceRef
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from pipelines.outputs.page.facts import warnings
from pipelines.outputs.page.objects import page_objects
from pipelines.outputs.page.pdf import text_of
from pipelines.outputs.page.settings import PageLanguage, PageSettings
from pipelines.outputs.page.words import WORDS
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dcentvfy_errors, dciodvfy_errors, run
from tests.tools import orthanc, tool


def pages(findings: Findings, language: PageLanguage = "en") -> tuple[ResultObject, ResultObject]:
    document, image = page_objects(findings, synthetic.PRODUCER, settings=PageSettings("both", language))
    return document, image


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def pdf_of(made: ResultObject) -> bytes:
    dataset = read(made)
    return bytes(dataset.EncapsulatedDocument)[: dataset.EncapsulatedDocumentLength]


def solid(text: str) -> str:
    return "".join(text.split())


def many(findings: Findings) -> Findings:
    """Twelve lesions with long labels, one refused, and more notes than there is room for."""
    first = findings.case.lesions[0]
    lesions = tuple(
        replace(
            first, number=n, label=f"右肺上叶 {n} " + "very long label " * 4, tracking_uid=f"{first.tracking_uid}{n}"
        )
        for n in range(1, 13)
    )
    codes = ("ROI-004", "ROI-004", "SEG-008", "ROI-002", "MAP-001") * 6
    notes = tuple(Rejected(code, f"Note {n} " + "says much " * 30, "Look.") for n, code in enumerate(codes))
    header = deepcopy(findings.case.header)
    header.PatientName = "Featherstonehaugh^Wilhelmina Alexandrina=王^小东"
    case = replace(findings.case, lesions=lesions, notes=notes, header=header)
    made = synthetic.findings_of(case, ("original_shape_Sphericity", "original_glcm_Id"), with_nan=False)
    measured = list(made.lesions)
    measured[3] = replace(measured[3], features=Rejected("ROI-001", "Lesion 4 is small.", "Draw it."), diameters=None)
    assert isinstance(made.score, Score)
    long = replace(made.score, outcome_label="class " * 40, cut_off_rule="rule " * 80, signature=-90.0)
    return replace(made, lesions=tuple(measured), score=replace(long, probability=8e-40))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_of_the_page_says_what_was_found(findings: Findings, tmp_path: Path, language: PageLanguage) -> None:
    notes = (
        Rejected("ROI-004", "PyRadiomics measured segment 1: a reason.", "Nothing."),
        Rejected("SEG-008", "The mask was resampled.", "Look at it."),
    )
    findings = replace(findings, case=replace(findings.case, notes=notes))
    document, _ = pages(findings, language)
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf_of(document))
    text = solid(run(tool("pdftotext", "poppler-utils"), "-layout", path, "-").stdout)
    words = WORDS[language]
    assert isinstance(findings.score, Score)
    for wanted in (
        "Doe, Jane",
        "P-1",
        "A-1",
        "2026-02-01",
        "0.7311",
        "0.41",
        findings.score.outcome_label,
        words.positive,
        words.demonstration,
        words.purpose,
        findings.score.model.sha256,
        *(note.detail for note in notes),
        *(f"{measured.lesion.mask.volume_ml(findings.case.ct.grid):.4g}" for measured in findings.lesions),
        *(f"{m.diameters.long.length_mm:.1f}" for m in findings.lesions if m.diameters),
    ):
        assert solid(wanted) in text, wanted


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_crowded_page_stays_one_page_names_every_warning_and_passes_its_check(
    findings: Findings, language: PageLanguage
) -> None:
    crowded = many(findings)
    for made in pages(crowded, language):
        assert check(made, crowded) is None
    (text,) = text_of(pdf_of(pages(crowded, language)[0]))
    assert {warning.code for warning in warnings(crowded)} <= set(text.replace("(", " ").split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_case_without_score_says_so(findings: Findings, language: PageLanguage) -> None:
    words = WORDS[language]
    refused = Rejected("MODEL-005", "Lesion 1 has no value for original_glcm_Id.", "Check the contour.")
    for score, said in ((None, words.no_model), (refused, refused.detail)):
        unscored = replace(findings, score=score)
        made = pages(unscored, language)
        assert [check(one, unscored) for one in made] == [None, None]
        assert solid(said) in solid(text_of(pdf_of(made[0]))[0])


def test_nothing_is_drawn_beyond_the_margins(findings: Findings) -> None:
    for of in (findings, many(findings)):
        image = read(pages(of)[1]).pixel_array
        inked = np.argwhere(image.min(axis=2) < 200)
        rows, columns = image.shape[:2]
        margin = 30 * 150 / 72
        assert inked.min() >= margin
        assert (inked.max(axis=0) <= (rows - margin, columns - margin)).all()


def test_the_same_findings_give_the_same_bytes_in_another_process_too(findings: Findings, tmp_path: Path) -> None:
    assert [one.data for one in pages(findings)] == [one.data for one in pages(findings)]
    code = (
        "import sys, hashlib; from tests.pipelines.outputs import synthetic as s;"
        "from pipelines.outputs.page.render import page_pdf; from pipelines.outputs.page.words import WORDS;"
        "f = s.findings_of(s.case_of(s.ct_series((8, 32, 32)), s.balls((8, 32, 32), 1)));"
        "print(hashlib.sha256(page_pdf(f, s.PRODUCER, WORDS['zh'], s.PRODUCER.produced_at)).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[4]
    digests = {subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout for _ in range(2)}
    assert len(digests) == 1


def test_the_two_languages_and_the_two_forms_are_different_objects(findings: Findings) -> None:
    made = [*pages(findings, "en"), *pages(findings, "zh")]
    assert len({one.sop_instance for one in made}) == 4
    assert [one.kind for one in made[:2]] == ["page-pdf", "page-image"]
    (only,) = page_objects(findings, synthetic.PRODUCER, settings=PageSettings("image"))
    assert only.data == made[1].data


def test_the_image_is_the_page_of_the_pdf_drawn_at_150_dpi(findings: Findings) -> None:
    languages: tuple[PageLanguage, ...] = ("en", "zh")
    for language in languages:
        document, image = pages(findings, language)
        page = pypdfium2.PdfDocument(pdf_of(document))[0]
        drawn = page.render(scale=150 / 72, rev_byteorder=True).to_numpy()
        pixels = read(image).pixel_array
        np.testing.assert_array_equal(pixels, drawn[:, :, :3])
        assert len(np.unique(pixels)) > 100


def test_it_names_the_report_and_the_slices_that_it_shows_as_its_sources(findings: Findings) -> None:
    (report,) = case_report(findings, synthetic.PRODUCER)
    document, image = (read(one) for one in pages(findings))
    shown = {findings.case.ct.slices[m.diameters.slice_index].sop_instance for m in findings.lesions if m.diameters}
    first, *others = [item.ReferencedSOPInstanceUID for item in document.SourceInstanceSequence]
    assert first == report.sop_instance
    assert set(others) == shown
    assert {item.ReferencedSOPInstanceUID for item in image.SourceImageSequence} == shown


def test_the_frames_of_a_multi_frame_ct_are_named(findings: Findings) -> None:
    frames = tuple(
        SliceRef(SopClassUID(ENHANCED_CT_IMAGE), findings.case.ct.slices[0].sop_instance, frame=index + 1)
        for index in range(len(findings.case.ct.slices))
    )
    enhanced = replace(findings, case=replace(findings.case, ct=replace(findings.case.ct, slices=frames)))
    made = pages(enhanced)
    assert [check(one, enhanced) for one in made] == [None, None]
    (source,) = read(made[1]).SourceImageSequence
    shown = {m.diameters.slice_index + 1 for m in enhanced.lesions if m.diameters}
    assert set(np.atleast_1d(source.ReferencedFrameNumber).tolist()) == shown


def test_a_lesion_of_one_voxel_at_the_edge_has_its_picture(findings: Findings) -> None:
    volume = np.zeros(findings.case.ct.grid.shape, dtype=np.bool_)
    volume[0, 0, -1] = True
    mask = Mask.of(volume)
    assert mask is not None
    first = replace(findings.lesions[0], lesion=replace(findings.lesions[0].lesion, mask=mask), diameters=None)
    tiny = replace(findings, lesions=(first, *findings.lesions[1:]))
    assert [check(one, tiny) for one in pages(tiny)] == [None, None]


def test_the_self_check_finds_another_number_another_warning_and_another_picture(findings: Findings) -> None:
    document, _ = pages(findings)
    assert isinstance(findings.score, Score)
    hu = findings.case.ct.hu.copy()
    hu[:, :, ::2] += np.int16(300)
    for other, said in (
        (replace(findings, score=replace(findings.score, probability=0.5)), "Probability"),
        (
            replace(findings, case=replace(findings.case, notes=(Rejected("SEG-008", "a", "b"),))),
            "the warning SEG-008",
        ),
        (replace(findings, case=replace(findings.case, ct=replace(findings.case.ct, hu=hu))), "picture 1"),
    ):
        fault = check(document, other)
        assert fault is not None
        assert said in fault.detail


def test_the_self_check_finds_damaged_bytes(findings: Findings) -> None:
    document, image = pages(findings)
    damaged = bytearray(image.data)
    damaged[-5000] ^= 0xFF
    fault = check(replace(image, data=bytes(damaged)), findings)
    assert fault is not None and "pixels" in fault.detail
    assert check(replace(image, data=image.data[:-2]), findings) is not None
    start = document.data.index(b"%PDF")
    assert check(replace(document, data=document.data[: start + 9000]), findings) is not None
    blank = bytearray(document.data)
    blank[start : start + 4000] = bytes(4000)
    assert check(replace(document, data=bytes(blank)), findings) is not None


def test_foreign_validators_find_no_error(folder: Path) -> None:
    objects = [folder / "page-pdf.dcm", folder / "page-image.dcm"]
    for path in objects:
        assert dciodvfy_errors(path) == []
    others = [*sorted(folder.glob("ct-*.dcm")), folder / "received-seg.dcm", folder / "sr-case.dcm"]
    assert dcentvfy_errors([*others, *objects]) == []


def test_dcmtk_takes_out_the_pdf_and_the_picture(
    folder: Path, objects: dict[str, ResultObject], tmp_path: Path
) -> None:
    out = tmp_path / "page.pdf"
    done = subprocess.run([tool("dcm2pdf", "dcmtk"), folder / "page-pdf.dcm", out], check=False)
    assert done.returncode == 0
    assert out.read_bytes()[: len(pdf_of(objects["page-pdf"]))] == pdf_of(objects["page-pdf"])
    assert run(tool("pdfinfo", "poppler-utils"), out).stdout.count("595") == 1
    picture = tmp_path / "page.ppm"
    done = subprocess.run([tool("dcm2pnm", "dcmtk"), "+op", folder / "page-image.dcm", picture], check=False)
    assert done.returncode == 0
    pixels = read(objects["page-image"]).pixel_array
    assert picture.read_bytes().endswith(pixels.tobytes())


def test_orthanc_stores_both_and_gives_the_pdf_out(
    folder: Path, objects: dict[str, ResultObject], tmp_path: Path
) -> None:
    with orthanc(tmp_path / "orthanc") as peer:
        paths = [folder / "page-pdf.dcm", folder / "page-image.dcm"]
        command = [tool("storescu", "dcmtk"), "-aec", peer.ae_title, "127.0.0.1", str(peer.dicom_port), *paths]
        assert subprocess.run(command, check=False).returncode == 0
        stored = {instance: dcmread(BytesIO(peer.get(f"/instances/{instance}/file"))) for instance in peer.instances()}
        assert {d.SOPInstanceUID for d in stored.values()} == {
            objects[k].sop_instance for k in ("page-pdf", "page-image")
        }
        document = next(i for i, d in stored.items() if d.Modality == "DOC")
        assert peer.get(f"/instances/{document}/pdf").startswith(b"%PDF")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_where_the_score_lies_and_in_what_the_case_is_unlike(
    findings: Findings, language: PageLanguage
) -> None:
    notes = tuple(Rejected(f"MODEL-{number:03}", "Unlike.", "Take care.") for number in range(11, 17))
    findings = replace(findings, case=replace(findings.case, notes=notes))
    document, _ = pages(findings, language)
    (text,) = text_of(pdf_of(document))
    assert solid("Rad-score: 5.8") in solid(text)
    expected = {
        "en": "above 62 % of 30 positive, 97 % of 28 negative",
        "zh": "高于 30 例阳性的 62 %，高于 28 例阴性的 97 %",
    }
    assert solid(expected[language]) in solid(text)
    for note in notes:
        assert note.code in text
        assert language == "en" or solid(WORDS["zh"].meanings[note.code]) in solid(text)
    assert check(document, findings) is None
