"""OHIF, in a browser, shows what the node made of a case: served by the node itself, and by Orthanc."""

import math
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pydicom import Dataset, dcmread

from tests.e2e.conftest import DRAWN, Circle, Processed
from tests.tools import orthanc, running
from tests.viewer.browser import Shown, Viewer, chromium, viewer_at
from tests.viewer.ohif import ohif_before

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


BY_NODE = pytest.mark.parametrize("page", ["node"], indirect=True)
BY_BOTH = pytest.mark.parametrize("page", ["node", "orthanc"], indirect=True)


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest, processed: Processed, browser: Browser) -> Iterator[Viewer]:
    """OHIF before one of the two that hold the case."""
    if request.param == "orthanc":
        with orthanc(processed.archive, dicomweb=True) as archive, ohif_before(archive.http_port) as url:
            yield viewer_at(browser, url)
    else:
        serve = [sys.executable, "-m", "node", "--config", str(processed.config), "role", "web"]
        log = processed.config.parent / "web.log"
        with running(serve, log, port=processed.web_port), ohif_before(processed.web_port) as url:
            yield viewer_at(browser, url)


@pytest.fixture
def study(
    request: pytest.FixtureRequest, page: Viewer, processed: Processed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Viewer]:
    """The case, freshly opened; at the end a photograph is kept and nothing may have gone wrong."""
    page.open_study(processed.study)
    yield page
    page.photograph(tmp_path_factory.getbasetemp() / f"{request.node.name}.png")
    assert page.faults == []


def series_number(path: Path) -> int:
    return int(dcmread(path, stop_before_pixels=True, specific_tags=["SeriesNumber"]).SeriesNumber)


def place_on(ct: Sequence[Dataset], circle: Circle) -> tuple[float, float]:
    """Where the centre of `circle` lies: column and row."""
    (left, top, _), (dy, dx) = ct[0].ImagePositionPatient, ct[0].PixelSpacing
    return (circle.centre_mm[0] - left) / dx, (circle.centre_mm[1] - top) / dy


def lies_over(shown: Shown, circle: Circle, ct: Sequence[Dataset]) -> bool:
    """What is coloured is `circle`, to a pixel of the CT, with an edge that is drawn up to a pixel wider."""
    radius = circle.radius_mm / ct[0].PixelSpacing[0]
    return bool(
        shown.centre == pytest.approx(place_on(ct, circle), abs=1)
        and math.pi * (radius - 0.5) ** 2 < shown.coloured < math.pi * (radius + 1) ** 2
    )


def numbers_below(item: Dataset) -> Iterator[tuple[str, float | None, str]]:
    """Name, value and unit of each number in a report, but for those that qualify another number."""
    for one in item.get("ContentSequence", []):
        if one.ValueType == "CONTAINER":
            yield from numbers_below(one)
        elif one.ValueType == "NUM":
            measured = one.MeasuredValueSequence
            name = one.ConceptNameCodeSequence[0].CodeMeaning
            if measured:
                unit = measured[0].MeasurementUnitsCodeSequence[0].CodeValue
                yield name, float(measured[0].NumericValue), unit
            else:
                yield name, None, ""


@BY_NODE
def test_the_study_list_names_the_study(page: Viewer) -> None:
    page.open_list()
    page.wait_until(lambda: "DEMO, LUNG" in page.text())
    (line,) = [line for line in page.text().splitlines() if "\\SEG\\" in line]
    assert sorted(line.split("\\")) == ["CT", "DOC", "KO", "OT", "RTSTRUCT", "SEG", "SR"]


@BY_NODE
def test_the_ct_is_shown_and_all_results_are_listed_beside_it(study: Viewer, processed: Processed) -> None:
    shown = study.look()
    assert shown.greys > 100
    assert shown.coloured == 0
    for path in processed.spooled.values():
        header = dcmread(path, stop_before_pixels=True)
        number, name = int(header.SeriesNumber), str(header.SeriesDescription)
        study.wait_until(lambda number=number, name=name: name in dict(study.series()).get(number, ""))


@BY_NODE
def test_the_case_report_reads_as_text(study: Viewer, processed: Processed) -> None:
    report = dcmread(processed.spooled["sr-case"])
    study.show(series_number(processed.spooled["sr-case"]))
    study.wait_until(lambda: "Imaging Measurements" in study.text())
    text = study.text()
    found = {name: value for name, value, _ in numbers_below(report)}
    probability = found["Predicted probability of the positive class"]
    assert probability is not None
    assert 0 < probability < 1
    assert f"Predicted probability of the positive class: {probability:g} {{0:1}}" in text
    assert "not for clinical use" in text
    assert "Label in the segmentation: Lesion 2" in text


@BY_BOTH
def test_the_feature_report_reads_as_text_with_every_feature_of_every_lesion(
    request: pytest.FixtureRequest, study: Viewer, processed: Processed
) -> None:
    by_orthanc = request.node.callspec.params["page"] == "orthanc"
    study.show(series_number(processed.spooled["sr-features"]))
    study.wait_until(lambda: "Imaging Measurements" in study.text())
    expected = list(numbers_below(dcmread(processed.spooled["sr-features"])))
    assert len(expected) == 2 * 1218
    lines = study.text().splitlines()
    names = {name for name, _, _ in expected}
    shown = [line.rsplit(": ", 1) for line in lines if ": " in line and line.rsplit(": ", 1)[0] in names]
    assert [name for name, _ in shown] == [name for name, _, _ in expected]
    for (name, text), (_, value, unit) in zip(shown, expected, strict=True):
        if value is None:
            assert text == "[empty]", name
        elif not (by_orthanc and value.is_integer() and abs(value) >= 2**31):
            # Orthanc 1.10 cuts whole numbers, of doubles too, to 32 bits in its answers
            number, _, shown_unit = text.partition(" ")
            assert (float(number), shown_unit) == (pytest.approx(value, rel=1e-14), unit), name


@BY_BOTH
def test_the_diameters_are_drawn_on_the_lesions_with_their_lengths(study: Viewer, processed: Processed) -> None:
    report = dcmread(processed.spooled["sr-diameters"])
    lengths = [value for _, value, unit in numbers_below(report) if unit == "mm"]
    assert len(lengths) == 4
    study.show(series_number(processed.spooled["sr-diameters"]))
    study.wait_until(lambda: study.control("ModalityLoadBadge-default").count() == 1)
    # OHIF draws the marks when the viewport is drawn the next time, here because the panel makes it narrower
    study.panel("trackedMeasurements")
    for circle, (long, short) in zip(DRAWN, (lengths[:2], lengths[2:]), strict=True):
        expected = f"Long axis: {long:g} mm Short axis: {short:g} mm"
        study.wait_until(lambda expected=expected: expected in re.sub(r"mm(?=\S)", "mm ", study.drawn()))
        # the corners of a circle of 72 corners lie on it, its pixels within one of it
        assert long == pytest.approx(2 * circle.radius_mm, abs=2 * processed.ct[0].PixelSpacing[0])
        study.wait_until(lambda c=circle: c.slices[0] <= study.instance_number() - 1 < c.slices[1])
        study.control("viewport-action-arrows-right").click()


@BY_NODE
def test_the_segmentation_lies_over_the_lesions_under_their_labels(study: Viewer, processed: Processed) -> None:
    study.show(series_number(processed.spooled["seg"]))
    study.panel("panelSegmentation")
    for number, circle in enumerate(DRAWN, start=1):
        label = study.page.get_by_text(f"Lesion {number}", exact=True)
        study.wait_until(lambda label=label: label.count() == 1)
        # OHIF turns to the middle of a segment that is chosen
        label.click()
        study.wait_until(lambda c=circle: c.slices[0] <= study.instance_number() - 1 < c.slices[1])
        study.wait_until(lambda c=circle: lies_over(study.look(), c, processed.ct))


@pytest.mark.parametrize(("page", "kind"), [("node", "map"), ("orthanc", "map-2")], indirect=["page"])
def test_the_feature_maps_lie_over_the_lesions(study: Viewer, processed: Processed, kind: str) -> None:
    study.show(series_number(processed.spooled[kind]))
    # OHIF opens a map at the middle of the CT, where the first lesion is
    study.wait_until(lambda: study.instance_number() == len(processed.ct) // 2)
    study.wait_until(lambda: lies_over(study.look(), DRAWN[0], processed.ct))
    assert "RangeError" not in study.text()
