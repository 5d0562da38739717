"""`pulmonode train` writes a package that can be signed, the same bytes each time, and tells how weak it is."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node.adapters.model_folder import read_folder
from node.cli import cli
from pipelines.domain.reasons import Rejected
from pipelines.extraction.settings import load_profile
from pipelines.phantom.immunotherapy_cohort import PLANTED, cohort_files, synthetic_cohort
from pipelines.scoring.model import Model
from pipelines.scoring.package import intact

QUICK = ("--repeats", "1", "--bootstraps", "2", "--permutations", "2", "--jobs", "1")


def written(folder: Path, seed: int = 0, *, others: int = 6) -> Path:
    """A cohort with the planted features and a few others."""
    names = sorted({*PLANTED, *(f"original_glcm_{name}" for name in ("Contrast", "Id", "Idm", "Idn")[:others])})
    drawn = synthetic_cohort(seed, features=names)
    folder.mkdir(parents=True)
    for name, text in cohort_files(drawn, load_profile("recommended")).items():
        (folder / name).write_text(text)
    return folder


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["train", *arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(written(place / "cohort").parent)
        result = call("cohort", "-o", "model", "--demonstration", *QUICK)
    assert result.exit_code == 0, result.output
    return place / "model"


def test_the_package_is_whole_and_its_model_scores_as_the_report_says(trained: Path) -> None:
    files = read_folder(trained / "package")
    assert not isinstance(files, Rejected)
    model = intact(files)
    assert isinstance(model, Model)
    assert {feature.name for feature in model.features} >= set(list(PLANTED)[:1])
    assert model.extraction.settings_sha256 == load_profile("recommended").digest
    assert (model.training.n, model.training.events) == (141, 67)
    # what goes to others holds nobody's scores
    assert not [name for name, data in files.items() if b"P001" in data]
    assert model.reference is not None
    assert model.reference.acquisition.kernels == ("B60f", "Br59d", "STANDARD")
    # a patient's probability, computed from the files alone
    measured = {row["patient"]: row for row in csv.DictReader((trained.parent / "cohort/features.csv").open())}
    for row in list(csv.DictReader((trained / "tables/scores.csv").open()))[:5]:
        values = measured[row["patient"]]
        predictor = model.intercept + sum(
            f.coefficient * (float(values[f.name]) - f.mean) / f.sd for f in model.features
        )
        assert predictor == pytest.approx(float(row["linear predictor"]), rel=1e-6, abs=1e-6)
        positive = float(row["probability"]) >= model.cut_off.value
        assert row["predicted"] == ("responder (CR/PR)" if positive else "non-responder (SD/PD)")


def test_the_folder_has_report_tables_and_every_figure(trained: Path) -> None:
    figures = {path.stem for path in (trained / "figures").glob("*.svg")}
    assert figures == {path.stem for path in (trained / "figures").glob("*.png")}
    assert figures >= {"flow", "lasso_paths", "lasso_cv", "importance", "correlation", "roc", "calibration"}
    assert figures >= {"decision", "forest", "nomogram", "waterfall"}
    measures = {(row["patients"], row["measure"], row["interval"]) for row in _rows(trained / "tables/performance.csv")}
    for interval in ("95 % delong", "95 % exact-binomial", "95 % bootstrap"):
        assert ("nested cross-validation", "AUC", interval) in measures
    assert ("bootstrap", "AUC corrected for optimism", "") in measures
    told = (trained / "report.html").read_text()
    assert "events per candidate feature" in told
    assert "http" not in told.replace("http://www.w3.org", "")


def test_the_account_of_the_run_names_inputs_and_seed_and_no_place(trained: Path) -> None:
    account = json.loads((trained / "command.json").read_text())
    assert account["command"][:3] == ["pulmonode", "train", "cohort"]
    assert account["seed"] == 0
    assert set(account["inputs"]) == {"clinical.csv", "features.csv"}
    assert str(trained.parent) not in (trained / "command.json").read_text()


def test_the_same_call_gives_the_same_bytes_whoever_computes(trained: Path, tmp_path: Path) -> None:
    written(tmp_path / "cohort")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = call("cohort", "-o", "model", "--demonstration", *QUICK[:-1], "2")
    assert result.exit_code == 0, result.output
    assert read_folder(tmp_path / "model") == read_folder(trained)


def test_the_profile_of_the_paper_sets_43_patients_apart(tmp_path: Path) -> None:
    cohort = written(tmp_path / "cohort")
    result = call(str(cohort), "-o", str(tmp_path / "model"), "--profile", "seed-a", "--jobs", "1")
    assert result.exit_code == 0, result.output
    sets = [row["set"] for row in _rows(tmp_path / "model/tables/scores.csv")]
    assert (sets.count("training"), sets.count("hold-out")) == (98, 43)
    patients = {row["patients"] for row in _rows(tmp_path / "model/tables/performance.csv")}
    assert patients == {"training (apparent)", "hold-out"}


def test_nothing_is_written_over_another_model(trained: Path) -> None:
    before = read_folder(trained)
    result = call(str(trained.parent / "cohort"), "-o", str(trained), *QUICK)
    assert result.exit_code == 1
    assert "TRAIN-004" in result.output
    assert read_folder(trained) == before


def test_an_unreadable_cohort_is_refused_with_the_reasons(tmp_path: Path) -> None:
    result = call(str(tmp_path), "-o", str(tmp_path / "model"))
    assert result.exit_code == 1
    assert "TRAIN-001" in result.output
    assert not (tmp_path / "model").exists()


def test_too_few_patients_of_a_class_are_refused(tmp_path: Path) -> None:
    cohort = written(tmp_path / "cohort")
    lines = (cohort / "clinical.csv").read_text().splitlines()
    few = [line for line in lines[1:] if line.endswith((",PD", ",SD"))] + [
        line for line in lines if line.endswith(",CR")
    ][:3]
    (cohort / "clinical.csv").write_text("\n".join([lines[0], *few]) + "\n")
    result = call(str(cohort), "-o", str(tmp_path / "model"))
    assert result.exit_code == 1
    assert "TRAIN-002" in result.output
    assert "3 are of the positive class" in " ".join(result.output.split())


def test_sixteen_real_patients_are_told_to_be_too_few_to_believe(shared_data: Path, tmp_path: Path) -> None:
    rows = _rows(shared_data / "cohort_sts/features_exampleCT.csv")
    features = [name for name in rows[0] if name not in ("case", "lung_metastases")]
    _write(tmp_path / "cohort/features.csv", ["case", *features], rows)
    for row in rows:
        row["patient"] = row["case"]
    _write(tmp_path / "cohort/clinical.csv", ["patient", "lung_metastases"], rows)
    result = call(
        *(str(tmp_path / "cohort"), "-o", str(tmp_path / "model"), "--outcome", "lung_metastases", "--positive", "1"),
        *("--extraction", "recommended", "--data-from", "2004-01-01", "--data-to", "2011-12-31", *QUICK),
    )
    told = " ".join(result.output.split())
    assert "This is no evidence that the signature works" in told
    assert "16 training patients, 6 of the smaller class, 1218 features looked at: 0.00493 events" in told
    assert "includes 0.5: chance alone may explain it" in told
    assert "Riley's criteria ask for" in told


@pytest.mark.slow
def test_death_within_a_year_of_real_lung_cancer_is_trained_and_judged(shared_data: Path, tmp_path: Path) -> None:
    # RadAR's selection of NSCLC-Radiomics; patients censored within the year have no label
    rows = _rows(shared_data / "tables/nsclc_lung1_clinical_radiomics.csv")
    rows = [row for row in rows if row["Survival.time"]]
    rows = [row for row in rows if float(row["Survival.time"]) >= 365 or row["deadstatus.event"] == "1.0"]
    columns = list(rows[0])
    features = columns[columns.index("deadstatus.event") + 1 :]
    for row in rows:
        row["patient"] = row["PatientID"]
        row["dead_1y"] = "yes" if float(row["Survival.time"]) < 365 else "no"
        row |= {f"original_{name}": row[name] for name in features}
    _write(tmp_path / "cohort/features.csv", ["patient", *(f"original_{name}" for name in features)], rows)
    _write(
        tmp_path / "cohort/clinical.csv", ["patient", "dead_1y", "age", "Overall.Stage", "Histology", "gender"], rows
    )
    result = call(
        *(str(tmp_path / "cohort"), "-o", str(tmp_path / "model"), "--outcome", "dead_1y", "--positive", "yes"),
        *("--repeats", "2", "--bootstraps", "10", "--permutations", "10"),
    )
    told = " ".join(result.output.split())
    assert f"{len(rows)} training patients" in told
    assert "nested cross-validation" in told
    assert (tmp_path / "model/report.html").exists()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
