"""From CTs that the node received to a folder that trains a model, with a second reader on the way."""

import csv
import json
import stat
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from node.bootstrap.computing import make_processor
from node.bootstrap.machine import utc_now
from node.bootstrap.stores import Stores, open_stores
from node.cli import cli
from node.logs import Log
from node.services.receive import Announced, Receiver
from node.settings import load_settings
from pipelines.domain.case import Case, SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from tests.dicom import as_bytes, ct_series, errors_of_dciodvfy, seg_of
from tests.node.refs import SENDER

START = date(2024, 3, 1)
SHAPE = (8, 24, 24)
PATIENTS = 24
LATE, THICK, UNTREATED, EARLY_STAGE, UNKNOWN = 24, 25, 26, 27, 28


def centred(fraction: float, shift: int = 0) -> NDArray[np.bool_]:
    axes = np.meshgrid(*(np.linspace(-1.0, 1.0, size) for size in SHAPE), indexing="ij")
    return np.asarray(np.roll(sum(axis**2 for axis in axes) <= fraction**2, shift, axis=2))


def patient_ct(number: int) -> list[Dataset]:
    """Responders have coarser lesions; patient THICK has thick slices and LATE a CT after the first dose."""
    rng = np.random.default_rng(number)
    noise = 20.0 + 40.0 * (number % 2) * rng.random()
    hu = np.where(centred(0.7), 30.0, -850.0) + rng.normal(0.0, noise, SHAPE)
    made = ct_series(
        slices=SHAPE[0],
        rows=SHAPE[1],
        columns=SHAPE[2],
        spacing_mm=(1.0, 1.0, 8.0 if number == THICK else 1.5),
        hu=np.rint(hu).astype(np.int16),
        seed=number,
        patient_id=f"ZZSENTINEL-{number}",
        patient_name=f"ZZ^SENTINEL{number}",
        study_date=START + timedelta(days=5 if number == LATE else -(number % 28)),
    )
    for image in made:
        image.InstitutionName = "ZZSENTINEL HOSPITAL"
        image.AccessionNumber = "ZZSENTINEL"
        image.ConvolutionKernel = "B60f" if number % 3 else "Br40"
    return made


@dataclass(frozen=True)
class Site:
    """A node with measured cases."""

    config: Path
    stores: Stores
    folder: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--config", str(self.config), *arguments], catch_exceptions=False)

    def receive(self, *instances: Dataset) -> None:
        receiver = Receiver(self.stores.spool, self.stores.ledger, utc_now, Log("receive"))
        for instance in instances:
            announced = Announced(SopClassUID(instance.SOPClassUID), SopInstanceUID(instance.SOPInstanceUID))
            assert receiver.receive(as_bytes(instance), announced, SENDER) == 0x0000

    def measure(self, ct: list[Dataset]) -> None:
        processor = make_processor(load_settings(self.config), self.stores, None)
        key = SeriesKey(StudyUID(ct[0].StudyInstanceUID), SeriesUID(ct[0].SeriesInstanceUID))
        for waiting in self.stores.ledger.collecting():
            assert self.stores.ledger.complete(waiting.case, key, "all", at=utc_now())
            processor.process(waiting.case)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    config = folder / "node.toml"
    config.write_text(
        f'[node]\ndata_dir = "{folder / "data"}"\n[maps]\nfeatures = []\n[scoring]\nmodel = ""\n'
        '[outputs]\nkinds = ["seg", "sr-features"]\n'
    )
    found = Site(config, open_stores(load_settings(config)), folder)
    rows = ["patient_id,agent,therapy_start,response,age,sex,stage,ecog,site,doses"]
    for number in range(UNKNOWN + 1):
        if number != UNKNOWN:
            ct = patient_ct(number)
            found.receive(*ct, drawn_by("", seg_of(ct, {1: centred(0.7)})))
            found.measure(ct)
        start = "" if number == UNTREATED else START.isoformat()
        stage = "II" if number == EARLY_STAGE else "IV"
        response = "PR" if number % 2 else "SD"
        rows.append(
            f"ZZSENTINEL-{number},sintilimab,{start},{response},{50 + 2 * number},m,{stage},{number % 3},ZZSENTINEL,4"
        )
    table = folder / "patients.csv"
    table.write_text("\n".join(rows))
    assert found.call("cohort", "import", "nsclc", str(table)).exit_code == 0
    assert found.call("cohort", "keygen").exit_code == 0
    return found


@pytest.fixture(scope="module")
def exported(site: Site) -> Path:
    done = site.call("cohort", "export", "nsclc", "-o", str(site.folder / "cohort"), "--dicom")
    assert done.exit_code == 0, done.output
    return site.folder / "cohort"


def drawn_by(name: str, segmentation: Dataset) -> Dataset:
    """Drawn by `name`, or by the reader of all first drawings."""
    segmentation.ContentCreatorName = name or "ZZ^FIRST"
    segmentation.SeriesInstanceUID = f"{segmentation.SeriesInstanceUID[:50]}.{len(name)}"
    return segmentation


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def test_patients_are_counted_out_at_the_first_rule_that_fails(exported: Path) -> None:
    flow = {row["reason"]: (row["excluded"], row["left"]) for row in rows_of(exported / "flow.csv")}
    assert flow[""] == ("0", "29")
    assert flow["Fewer than 1 dose, or no day of the first one"] == ("1", "28")
    assert flow["Another stage, or not known"] == ("1", "27")
    assert flow["No CT with a segmentation"] == ("1", "26")
    assert flow["No CT on day -28 to 0"] == ("1", "25")
    assert flow["Slice thickness not 0.4 to 5 mm, or not known"] == ("1", "24")
    assert flow["Extraction failed"] == ("0", "24")
    assert "Excluded" in (exported / "flow.svg").read_text() or "Another stage" in (exported / "flow.svg").read_text()


def test_nothing_of_the_export_names_a_patient_and_the_order_tells_nothing(site: Site, exported: Path) -> None:
    files = [path for path in exported.rglob("*") if path.is_file()]
    assert len(files) > PATIENTS * SHAPE[0]
    assert [path for path in files if b"SENTINEL" in path.read_bytes() or "SENTINEL" in str(path)] == []
    keys = {member.key for member in site.stores.cohorts.members("nsclc")}
    assert [path for path in files if any(key.encode() in path.read_bytes() for key in keys)] == []
    people = rows_of(exported / "clinical.csv")
    assert len(people) == PATIENTS
    assert [row["patient"] for row in people] == sorted(row["patient"] for row in people)
    assert all(row["age"] == "90" for row in people if float(row["age"]) >= 90)
    assert "doses" not in people[0]
    # days between stay, days themselves do not
    for row in people:
        before = (date.fromisoformat(row["treatment_start_date"]) - date.fromisoformat(row["study_date"])).days
        assert 0 <= before <= 27
        assert row["treatment_start_date"] < START.isoformat()
    assert len({row["treatment_start_date"] for row in people}) > PATIENTS / 2


def test_features_are_those_of_the_ledger_digit_by_digit(site: Site, exported: Path) -> None:
    measured = rows_of(exported / "features.csv")
    names = [name for name in measured[0] if name.startswith(("original", "wavelet", "log-sigma"))]
    assert len(names) == 1218
    keys = [member.key for member in site.stores.cohorts.members("nsclc")]
    kept = {case.lesions[0].features for case in site.stores.cohorts.cases(keys)}
    ours = {tuple((name, float(row[name])) for name in names) for row in measured}
    assert ours <= kept
    settings = {row["diagnostics_Configuration_Settings"] for row in measured}
    assert settings == {repr(dict(load_profile("recommended").described()))}


def test_kernels_that_are_mixed_are_told_and_the_scanner_has_its_row(exported: Path) -> None:
    (row,) = rows_of(exported / "scanners.csv")
    assert (row["cts"], row["kernels"], row["kvp_[kv]"]) == ("24", "B60f (16); Br40 (8)", "120")
    assert row["pitch"] == "not stated"
    assert "2 reconstruction kernels are mixed" in (exported / "notices.txt").read_text()


def test_exported_images_are_valid_and_can_be_read_as_a_case(exported: Path, tmp_path: Path) -> None:
    place = sorted((exported / "dicom").iterdir())[0]
    images = [dcmread(path) for path in sorted(place.glob("ct-*.dcm"))]
    segmentation = dcmread(place / "segmentation.dcm")
    assert isinstance(read_case(images, segmentation, inputs_digest=""), Case)
    assert errors_of_dciodvfy(images[0], tmp_path) == errors_of_dciodvfy(segmentation, tmp_path) == []
    assert images[0].PatientID == place.name


def test_a_second_export_has_the_same_pseudonyms_and_another_secret_has_others(site: Site, exported: Path) -> None:
    secret = site.folder / "data" / "cohort-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    again = site.folder / "again"
    assert site.call("cohort", "export", "nsclc", "-o", str(again)).exit_code == 0
    assert (again / "clinical.csv").read_bytes() == (exported / "clinical.csv").read_bytes()
    other = site.folder / "other-secret"
    assert site.call("cohort", "keygen", "--secret", str(other)).exit_code == 0
    assert site.call("cohort", "keygen", "--secret", str(other)).exit_code == 1
    different = site.folder / "different"
    done = site.call("cohort", "export", "nsclc", "-o", str(different), "--secret", str(other))
    assert done.exit_code == 0
    names = [{row["patient"] for row in rows_of(place / "clinical.csv")} for place in (again, different)]
    assert names[0].isdisjoint(names[1])
    other.chmod(0o644)
    refused = site.call("cohort", "export", "nsclc", "-o", str(site.folder / "no"), "--secret", str(other))
    assert refused.exit_code == 1 and "chmod 600" in refused.output
    assert not (site.folder / "no").exists()


def test_the_rules_are_settings(site: Site) -> None:
    assert "28  Any stage" in site.call("cohort", "screen", "nsclc", "--any-stage").stdout
    strict = site.call("cohort", "screen", "nsclc", "--days", "-1", "0")
    assert strict.exit_code == 0 and "No CT on day -1 to 0" in strict.stdout
    nobody = site.call("cohort", "screen", "nsclc", "--slice-mm", "0.1", "0.2")
    assert nobody.exit_code == 1
    assert site.call("cohort", "screen", "nsclc", "--days", "0", "-1").exit_code == 2


def test_second_readers_are_compared_and_their_list_of_features_trains_a_model(site: Site, exported: Path) -> None:
    drawn = site.call("cohort", "sample", "nsclc", "-n", "5", "--seed", "3")
    assert drawn.stdout == site.call("cohort", "sample", "nsclc", "-n", "5", "--seed", "3").stdout
    series = [row["ct_series"] for row in csv.DictReader(drawn.stdout.splitlines())]
    assert len(set(series)) == 5
    lone = site.call("cohort", "agreement", "nsclc")
    assert lone.exit_code == 1 and "COH-009 0 lesions" in lone.output
    chosen = [ct for number in range(UNKNOWN) if (ct := patient_ct(number))[0].SeriesInstanceUID in series]
    for ct in chosen:
        site.receive(drawn_by("ZZ^SENTINEL", seg_of(ct, {1: centred(0.7, shift=1)})))
        site.measure(ct)
    # the first reader once more: no second reader
    alone = next(ct for number in range(UNKNOWN) if (ct := patient_ct(number))[0].SeriesInstanceUID not in series)
    site.receive(drawn_by("", seg_of(alone, {1: centred(0.7, shift=1)})))
    site.measure(alone)
    output = site.folder / "agreement"
    done = site.call("cohort", "agreement", "nsclc", "-o", str(output))
    assert done.exit_code == 0, done.output
    assert " ".join(done.output.split()).count("drawings of one CT by the same reader, and are left out") == 1
    assert "do not tell who drew them" not in done.output and "SENTINEL" not in done.output
    overlaps = rows_of(output / "overlap.csv")
    one, other = centred(0.7), centred(0.7, shift=1)
    expected = 2 * (one & other).sum() / (one.sum() + other.sum())
    assert [float(row["dice"]) for row in overlaps] == pytest.approx([expected] * 5)
    table = rows_of(output / "agreement.csv")
    kept = (output / "reliable.txt").read_text().split()
    assert len(table) == 1218
    assert kept == [row["feature"] for row in table if row["kept"] == "yes"]
    assert all(float(row["icc"]) > 0.8 for row in table if row["kept"] == "yes")
    assert 0 < len(kept) < 1218
    fewer = site.call("cohort", "agreement", "nsclc", "--rule", "lower", "-o", str(site.folder / "lower"))
    assert fewer.exit_code == 0
    assert len((site.folder / "lower" / "reliable.txt").read_text().split()) < len(kept)
    # the first reader's numbers stay those of the export
    again = site.folder / "after"
    assert site.call("cohort", "export", "nsclc", "-o", str(again)).exit_code == 0
    assert (again / "features.csv").read_bytes() == (exported / "features.csv").read_bytes()
    trained = site.call(
        "train", str(exported), "-o", str(site.folder / "model"), "--demonstration", "--reliable",
        str(output / "reliable.txt"), "--repeats", "1", "--bootstraps", "0", "--permutations", "0", "--jobs", "1",
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    model = json.loads((site.folder / "model" / "package" / "model.json").read_text())
    assert (model["training"]["n"], model["training"]["events"]) == (24, 12)
    assert model["extraction"]["settings_sha256"] == load_profile("recommended").digest
    assert {feature["name"] for feature in model["features"]} <= set(kept)


def test_a_patient_who_is_deleted_leaves_every_cohort(site: Site) -> None:
    before = {member.key for member in site.stores.cohorts.members("nsclc")}
    case = site.stores.cohorts.cases(sorted(before))[-1]
    assert site.call("delete", str(case.case), "--patient", "--yes").exit_code == 0
    assert {member.key for member in site.stores.cohorts.members("nsclc")} == before - {case.patient_key}
