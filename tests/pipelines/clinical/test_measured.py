"""Measurements in Structured Reports: the node's own ones, those of another writer, and damaged ones."""

from io import BytesIO

import highdicom.sr as hsr
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from pipelines.clinical.measured import measured_scan
from pipelines.domain.history import packed, unpacked
from pipelines.domain.identity import NOWHERE
from pipelines.domain.organs import Organ
from tests.dicom import as_bytes, ct_series, seg_of
from tests.pipelines.test_nsclc_progression import Followed, followed

__all__ = ["followed"]


def test_a_report_of_response_gives_back_the_lesions_that_it_tells_of(followed: Followed) -> None:
    scan = measured_scan(dcmread(BytesIO(followed.written(followed.told()).report.data)))
    assert scan is not None
    assert str(scan.scanned_on) == followed.told().label
    assert scan.measured_only
    told = {seen.tracking_uid: (seen.long_axis, seen.short_axis, seen.organ) for seen in scan.sightings}
    assert told == {seen.own_uid: (seen.long_axis, seen.short_axis, seen.organ) for seen in followed.scans[1].sightings}
    for seen in scan.sightings:
        assert not len(seen.points_mm)


def foreign(*, tracking: bool = True, unit: object = codes.UCUM.Millimeter, value: float = 23.4) -> Dataset:
    """A report as highdicom writes it, of one lesion with a diameter and a finding site."""
    ct = ct_series(slices=3)
    image = hsr.SourceImageForMeasurement.from_source_image(ct[1])
    group = hsr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hsr.TrackingIdentifier(uid=generate_uid(), identifier="Target 1"),
        measurements=[hsr.Measurement(codes.SCT.LongAxis, value, unit, referenced_images=[image])],
        finding_sites=[hsr.FindingSite(codes.SCT.Liver)],
    )
    observer = hsr.ObservationContext(
        observer_device_context=hsr.ObserverContext(
            codes.DCM.Device, hsr.DeviceObserverIdentifyingAttributes(uid=generate_uid())
        )
    )
    report = hsr.MeasurementReport(
        observation_context=observer, procedure_reported=codes.LN.CTUnspecifiedBodyRegion, imaging_measurements=[group]
    )
    document = hsr.Comprehensive3DSR(
        evidence=ct,
        content=report,
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="another",
    )
    made = dcmread(BytesIO(as_bytes(document)))
    if not tracking:
        for top in made.ContentSequence:
            for group_item in top.get("ContentSequence") or ():
                group_item.ContentSequence = [
                    item
                    for item in group_item.get("ContentSequence") or ()
                    if item.ConceptNameCodeSequence[0].CodeValue not in ("112039", "112040")
                ]
    return made


def test_the_report_of_another_writer_is_read() -> None:
    scan = measured_scan(foreign())
    assert scan is not None
    (seen,) = scan.sightings
    assert (seen.long_axis, seen.short_axis) == (234, 234)
    assert seen.organ is Organ.LIVER
    assert seen.tracking_id == "Target 1"
    assert seen.volume_ml is None


def test_centimetres_are_millimetres_after_all_and_other_units_are_none() -> None:
    scan = measured_scan(foreign(unit=codes.UCUM.Centimeter, value=2.3))
    assert scan is not None
    assert scan.sightings[0].long_axis == 230
    assert measured_scan(foreign(unit=codes.UCUM.SquareMillimeter)) is None


def test_a_lesion_without_a_name_gets_one_that_nobody_else_has() -> None:
    first, second = measured_scan(foreign(tracking=False)), measured_scan(foreign(tracking=False))
    assert first is not None
    assert second is not None
    assert first.sightings[0].tracking_uid == ""
    assert first.sightings[0].own_uid != second.sightings[0].own_uid


@pytest.mark.parametrize("missing", ["ContentSequence", "StudyDate"])
def test_a_report_without_lesions_or_without_a_date_is_no_visit(missing: str) -> None:
    report = foreign()
    for keyword in {missing} | ({"SeriesDate", "ContentDate"} if missing == "StudyDate" else set()):
        if keyword in report:
            delattr(report, keyword)
    assert measured_scan(report) is None


def test_a_segmentation_is_no_report() -> None:
    assert measured_scan(seg_of(ct_series(slices=3))) is None


def test_lesions_without_places_are_kept_without_them(followed: Followed) -> None:
    grid = followed.scans[0].extent
    assert np.array_equal(unpacked(packed(followed.scans[0].sightings[0].points_mm, grid), grid).shape[1:], (3,))
    assert NOWHERE.shape == (0, 3)
