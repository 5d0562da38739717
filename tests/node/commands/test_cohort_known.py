"""A cohort takes from the node what its table does not say: treatment as entered, response as assessed."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset, dcmread

from node.bootstrap.computing import make_processor
from node.bootstrap.machine import utc_now
from node.bootstrap.responding import make_responder
from node.bootstrap.stores import Stores, open_stores
from node.cli import cli
from node.logs import Log
from node.services.receive import Announced, Receiver
from node.settings import load_settings
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from tests.dicom import as_bytes
from tests.node.refs import SENDER

PATIENT = "SYN-D04"
"""Two scans, the second with progression; first dose on 2023-04-30, ten days after the first scan."""


def call(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), *arguments], catch_exceptions=False)


def followed(config: Path, stores: Stores, root: Path) -> str:
    """Receive, measure and assess all scans of the patient; their ID."""
    settings = load_settings(config)
    receiver = Receiver(stores.spool, stores.ledger, utc_now, Log("receive"))
    processor, responder = make_processor(settings, stores, None), make_responder(settings, stores)
    named = ""
    for visit in sorted((root / PATIENT).glob("tp*")):
        files = [dcmread(path) for path in sorted(visit.rglob("*.dcm"))]
        (ct, *_) = (one for one in files if one.Modality == "CT")
        for one in files:
            announced = Announced(SopClassUID(one.SOPClassUID), SopInstanceUID(one.SOPInstanceUID))
            assert receiver.receive(as_bytes(one), announced, SENDER) == 0x0000
        for waiting in stores.ledger.collecting():
            assert stores.ledger.complete(waiting.case, series_of(ct), "all", at=utc_now())
            processor.process(waiting.case)
            responder.respond(waiting.case)
        named = str(ct.PatientID)
    return named


def series_of(ct: Dataset) -> SeriesKey:
    return SeriesKey(StudyUID(ct.StudyInstanceUID), SeriesUID(ct.SeriesInstanceUID))


def table(folder: Path, text: str) -> str:
    (folder / "patients.csv").write_text(text)
    return str(folder / "patients.csv")


@pytest.mark.slow
def test_treatment_and_response_are_entered_once(shared_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        f'[node]\ndata_dir = "{tmp_path / "data"}"\n[maps]\nfeatures = []\n[scoring]\nmodel = ""\n'
        '[outputs]\nkinds = ["seg", "sr-features", "sr-response"]\n'
    )
    patient = followed(config, open_stores(load_settings(config)), shared_data / "longitudinal")
    assert (
        call(config, "cohort", "import", "nsclc", table(tmp_path, f"patient_id,stage\n{patient},IV\n")).exit_code == 0
    )
    assert "Fewer than 1 dose" in call(config, "cohort", "screen", "nsclc").stdout

    entered = call(config, "patient", "set", patient, "--line", "1", "--line-agents", "sintilimab", "--line-start", "2023-04-30")  # noqa: E501  # fmt: skip
    assert entered.exit_code == 0, entered.output
    assert call(config, "cohort", "keygen").exit_code == 0
    done = call(config, "cohort", "export", "nsclc", "-o", str(tmp_path / "cohort"))
    assert done.exit_code == 0, done.output
    for column in ("agent", "therapy_start", "response"):
        assert f"{column} of 1 patients comes from the node's own records." in done.stderr
    (row,) = csv.DictReader((tmp_path / "cohort" / "clinical.csv").open())
    assert (row["response"], row["agent"]) == ("PD", "sintilimab")

    # a table that says something else holds, and is told row by row
    other = table(tmp_path, f"patient_id,stage,therapy_start,response\n{patient},IV,2023-05-01,SD\n")
    told = call(config, "cohort", "import", "nsclc", other)
    assert told.exit_code == 0
    lines = told.stderr.splitlines()
    assert [line.split(",")[:2] for line in lines if line.startswith("COH-010")] == [
        ["COH-010 Row 2", " column `therapy_start`"],
        ["COH-010 Row 2", " column `response`"],
    ]
    screened = call(config, "cohort", "screen", "nsclc").stdout
    assert screened.count("COH-010 Patient ") == 2 and patient not in screened
    assert "     1  CT measured as it was acquired" in screened or "1  Features extracted" in screened
