"""Putting the node together: folders, secrets, identity."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.bootstrap.computing import process_with_current_model
from node.bootstrap.extraction import extraction_settings
from node.bootstrap.machine import device_uid
from node.bootstrap.pipeline import load_pipeline
from node.bootstrap.queue import broker_url, make_app
from node.bootstrap.site import storage_classes, tolerances
from node.bootstrap.stores import open_stores
from node.errors import ConfigError
from node.settings import Settings, load_settings
from pipelines.domain.identifiers import CaseId
from pipelines.extraction.names import feature_names
from pipelines.imaging.geometry import TOLERANCES, Tolerances
from pipelines.scoring.keys import new_key


def settings_with(tmp_path: Path, **environment: str) -> Settings:
    return load_settings(None, {"PULMONODE_NODE__DATA_DIR": str(tmp_path / "data"), **environment})


def test_the_data_folder_is_made_and_closed_to_others(tmp_path: Path) -> None:
    open_stores(settings_with(tmp_path))
    assert (tmp_path / "data" / "ledger.sqlite3").is_file()
    assert (tmp_path / "data").stat().st_mode & 0o007 == 0


def test_a_data_folder_that_cannot_be_made_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigError, match=r"node\.data_dir"):
        open_stores(settings_with(tmp_path))


def test_an_installation_keeps_its_uid(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    open_stores(settings)
    first = device_uid(settings)
    assert first.startswith("2.25.")
    assert len(first) <= 64
    assert device_uid(settings) == first


def test_of_processes_that_start_together_all_have_the_same_uid(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def read(settings: Settings) -> str:
        start.wait()
        return device_uid(settings)

    for attempt in range(50):
        settings = settings_with(tmp_path / str(attempt))
        settings.data_dir.mkdir(parents=True)
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(read, [settings] * 8))) == 1


def test_the_password_of_the_broker_comes_from_its_file_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p@ss/w:rd%\n", encoding="utf-8")
    settings = settings_with(
        tmp_path,
        PULMONODE_QUEUE__BROKER="rediss://node@queue:6380/2",
        PULMONODE_QUEUE__BROKER_PASSWORD_FILE=str(tmp_path / "secret"),
    )
    assert broker_url(settings) == "rediss://node:p%40ss%2Fw%3Ard%25@queue:6380/2"


def test_a_broker_of_an_unknown_kind_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"queue\.broker"):
        make_app(settings_with(tmp_path, PULMONODE_QUEUE__BROKER="amqp://queue"))


def test_classes_that_are_configured_are_accepted_beside_ct_and_segmentations(tmp_path: Path) -> None:
    pet = "1.2.840.10008.5.1.4.1.1.128"
    extra = storage_classes(settings_with(tmp_path, PULMONODE_RECEIVE__EXTRA_STORAGE_CLASSES=f'["{pet}"]'))
    assert extra - storage_classes(settings_with(tmp_path)) == {pet}


def test_a_parameter_file_takes_the_place_of_the_profile(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("featureClass: {ngtdm: [Busyness]}\n")
    settings = settings_with(tmp_path, PULMONODE_EXTRACTION__PARAMETERS=str(tmp_path / "params.yaml"))
    assert feature_names(extraction_settings(settings)) == ("original_ngtdm_Busyness",)


@pytest.mark.parametrize(
    ("content", "environment", "says"),
    [
        (None, {}, "extraction.parameters: ENG-002 .* cannot be read"),
        ("setting: {binWitdh: 1}", {}, "extraction.parameters: ENG-002 Parameter file params.yaml: .*binWitdh"),
        ("{}", {"PULMONODE_EXTRACTION__GAUSSIAN_SIGMA_MM": "1"}, "extraction.gaussian_sigma_mm"),
        ("featureClass: {ngtdm: }", {}, "scoring.model: MODEL-003"),
        ("setting: {binCount: 8}", {"PULMONODE_SCORING__MODEL": ""}, "maps.features: .*binCount"),
    ],
)
def test_a_parameter_file_that_does_not_fit_is_told_at_the_start(
    tmp_path: Path, content: str | None, environment: dict[str, str], says: str
) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_text(content)
    settings = settings_with(tmp_path, PULMONODE_EXTRACTION__PARAMETERS=str(path), **environment)
    with pytest.raises(ConfigError, match=says):
        load_pipeline(settings)


def test_a_node_with_a_parameter_file_maps_what_the_profiles_map(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("featureClass: {ngtdm: }")
    settings = settings_with(
        tmp_path,
        PULMONODE_EXTRACTION__PARAMETERS=str(tmp_path / "params.yaml"),
        PULMONODE_SCORING__MODEL="",
        PULMONODE_MAPS__FEATURES='["original_firstorder_Entropy"]',
    )
    # PyRadiomics computes all of it: there is nothing to compare
    assert load_pipeline(settings).verifiable is None


def test_the_ibsi_profile_measures_without_a_model_and_maps_as_the_others_do(tmp_path: Path) -> None:
    chosen = {"PULMONODE_EXTRACTION__PROFILE": "ibsi"}
    pipeline = load_pipeline(settings_with(tmp_path, **chosen, PULMONODE_SCORING__MODEL=""))
    assert pipeline.name == "nsclc-immunotherapy"
    # there is no second engine to compare with
    assert pipeline.verifiable is None
    with pytest.raises(ConfigError, match="MODEL-00"):
        load_pipeline(settings_with(tmp_path, **chosen))


def test_the_ibsi_profile_knows_no_smoothing(tmp_path: Path) -> None:
    chosen = {"PULMONODE_EXTRACTION__PROFILE": "ibsi", "PULMONODE_EXTRACTION__GAUSSIAN_SIGMA_MM": "1"}
    with pytest.raises(ConfigError, match=r"extraction\.gaussian_sigma_mm"):
        load_pipeline(settings_with(tmp_path, **chosen, PULMONODE_SCORING__MODEL=""))


def test_filters_of_ibsi_belong_to_its_profile(tmp_path: Path) -> None:
    filters = {"PULMONODE_EXTRACTION__IBSI_FILTERS": '["log"]'}
    chosen = settings_with(tmp_path, **filters, PULMONODE_EXTRACTION__PROFILE="ibsi")
    assert "ibsi_log_stat_mean" in feature_names(extraction_settings(chosen))
    (tmp_path / "params.yaml").write_text("featureClass: {ngtdm: }")
    parameters = {"PULMONODE_EXTRACTION__PARAMETERS": str(tmp_path / "params.yaml")}
    for others in ({}, parameters, {"PULMONODE_EXTRACTION__GAUSSIAN_SIGMA_MM": "1"}):
        with pytest.raises(ConfigError, match=r"extraction\.ibsi_filters"):
            extraction_settings(settings_with(tmp_path, **filters, **others))
    with pytest.raises(ConfigError, match="ibsi_filters"):
        settings_with(tmp_path, PULMONODE_EXTRACTION__IBSI_FILTERS='["sharpen"]')


def test_the_tolerances_of_the_ct_geometry_come_from_the_settings(tmp_path: Path) -> None:
    assert tolerances(settings_with(tmp_path)) == TOLERANCES
    coarse = settings_with(
        tmp_path,
        PULMONODE_IMAGING__POSITION_TOLERANCE_MM="0.2",
        PULMONODE_IMAGING__SPACING_TOLERANCE="0.3",
        PULMONODE_IMAGING__ANGLE_TOLERANCE_DEGREES="1.5",
    )
    assert tolerances(coarse) == Tolerances(0.2, 0.3, 1.5)


def test_a_model_that_does_not_fit_is_told_with_everything_else_that_is_wrong(tmp_path: Path) -> None:
    settings = settings_with(
        tmp_path,
        PULMONODE_SCORING__MODEL=str(tmp_path / "none"),
        PULMONODE_MAPS__FEATURES='["original_shape_Sphericity"]',
    )
    with pytest.raises(ConfigError) as fault:
        load_pipeline(settings)
    said = "; ".join(fault.value.problems)
    assert "scoring.model: MODEL-004" in said
    assert "maps.features: original_shape_Sphericity" in said


def test_a_trusted_key_that_is_removed_while_the_node_runs_stops_no_case(tmp_path: Path) -> None:
    key = tmp_path / "site.pub"
    key.write_bytes(new_key().public_pem())
    settings = settings_with(tmp_path, PULMONODE_SCORING__TRUSTED_KEYS=f'["{key}"]', PULMONODE_MAPS__FEATURES="[]")
    process = process_with_current_model(settings, open_stores(settings))
    key.unlink()
    # there is no such case, which is all that happens
    process(CaseId(1))
    with pytest.raises(ConfigError, match="MODEL-010"):
        load_pipeline(settings)
