from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.provenance import clipped, model_device_uid, result_uid
from tests.pipelines.outputs import synthetic


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def test_the_same_findings_give_the_same_uids_and_others_give_others(findings: Findings) -> None:
    method = findings.method
    others = [
        replace(findings, case=replace(findings.case, inputs_digest="11" * 32)),
        replace(findings, method=replace(method, pipeline="other")),
        replace(findings, method=replace(method, pipeline_version="2.0")),
        replace(findings, method=replace(method, settings_digest="ee" * 32)),
        replace(findings, score=None),
        replace(findings, score=Rejected("MODEL-005", "No features.", "Send another segmentation.")),
        replace(findings, score=Rejected("MODEL-001", "The package is damaged.", "Install it again.")),
    ]
    uids = [result_uid(f, "sr-case", "instance") for f in (findings, *others)]
    assert len(set(uids)) == len(uids)
    assert result_uid(findings, "sr-case", "instance") == uids[0]
    assert result_uid(findings, "sr-case", "series") != uids[0]


def test_every_object_names_the_node_the_software_and_the_model_that_contributed(
    objects: dict[str, ResultObject],
) -> None:
    for made in objects.values():
        node, *software, model = read(made).ContributingEquipmentSequence
        assert (node.Manufacturer, node.StationName) == ("pulmonode", "PULMONODE")
        assert "cd" * 32 in node.ContributionDescription
        assert [(s.ManufacturerModelName, s.SoftwareVersions) for s in software] == [
            ("PyRadiomics", "3.1.0"),
            ("SimpleITK", "2.5.7"),
        ]
        assert (model.ManufacturerModelName, model.SoftwareVersions) == ("Rad-signature NSCLC", "1.0.0")
        assert synthetic.MODEL.sha256 in model.ContributionDescription


def test_the_node_and_the_model_are_devices_with_uids_and_another_package_is_another_device(
    findings: Findings, objects: dict[str, ResultObject]
) -> None:
    for made in objects.values():
        node, *_, model = read(made).ContributingEquipmentSequence
        assert (node.DeviceUID, model.DeviceUID) == (synthetic.PRODUCER.device_uid, model_device_uid(synthetic.MODEL))
    assert model_device_uid(replace(synthetic.MODEL, sha256="ac" * 32)) != model_device_uid(synthetic.MODEL)
    # what people call the model changes nothing about what it is
    assert model_device_uid(replace(synthetic.MODEL, name="Other")) == model_device_uid(synthetic.MODEL)


def test_every_group_of_every_report_names_its_algorithm_and_version(objects: dict[str, ResultObject]) -> None:
    for kind in ("sr-features", "sr-case", "sr-diameters"):
        for group in read(objects[kind]).ContentSequence[-1].ContentSequence:
            named = {item.ConceptNameCodeSequence[0].CodeValue: item for item in group.ContentSequence}
            assert {"111001", "111003", "111002"} <= named.keys(), kind
            assert all(named[code].RelationshipType == "HAS CONCEPT MOD" for code in ("111001", "111003", "111002"))
            of_model = named["111001"].TextValue.startswith(synthetic.MODEL.name)
            assert ("111000" in named) == of_model


def test_no_model_contributes_where_there_is_no_score(findings: Findings) -> None:
    (made,) = feature_report(replace(findings, score=None), synthetic.PRODUCER)
    assert len(read(made).ContributingEquipmentSequence) == 3


def test_series_numbers_stay_clear_of_those_of_scanners_and_differ(objects: dict[str, ResultObject]) -> None:
    numbers = [int(read(made).SeriesNumber) for made in objects.values()]
    assert min(numbers) >= 9000
    assert len(set(numbers)) == len(numbers)


def test_times_are_those_of_production_in_the_zone_of_the_study() -> None:
    ct = synthetic.ct_series((4, 16, 16), TimezoneOffsetFromUTC="+0800")
    case = synthetic.case_of(ct, synthetic.balls((4, 16, 16), 1))
    producer = replace(synthetic.PRODUCER, produced_at=datetime(2026, 3, 1, 20, 30, tzinfo=UTC))
    (made,) = feature_report(synthetic.findings_of(case, synthetic.feature_names()[:3]), producer)
    dataset = read(made)
    assert (dataset.TimezoneOffsetFromUTC, dataset.ContentDate, dataset.ContentTime) == ("+0800", "20260302", "043000")
    assert dataset.ContributingEquipmentSequence[0].ContributionDateTime == "20260302043000+0800"


def test_without_a_zone_in_the_study_the_times_are_those_of_the_producer(objects: dict[str, ResultObject]) -> None:
    dataset = read(objects["sr-features"])
    assert "TimezoneOffsetFromUTC" not in dataset
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260301", "102030")


def test_text_is_clipped_to_its_vr_and_never_divided_by_a_backslash() -> None:
    assert clipped("a\\b") == "a/b"
    assert clipped("x" * 70) == "x" * 64
