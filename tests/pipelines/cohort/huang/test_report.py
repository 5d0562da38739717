"""The whole analysis and its report: complete, consistent, and the same bytes each time."""

import csv
import io
from dataclasses import replace

import pytest

from pipelines.cohort.huang.analysis import Findings, analyse
from pipelines.cohort.huang.choices import PROFILES
from pipelines.cohort.huang.drawings import all_figures
from pipelines.cohort.huang.report import page
from pipelines.cohort.huang.sheets import all_sheets
from pipelines.domain.reasons import Rejected
from tests.pipelines.cohort.huang.made_up import made_up, resistance

PEOPLE, LESIONS = made_up(150, 3)


PEOPLE = tuple(replace(one, patient=f"ZZSENTINEL-{one.row}") for one in PEOPLE)
LESIONS = (tuple(replace(one, patient=f"ZZSENTINEL-{row}") for row, one in enumerate(LESIONS[0], start=2)), LESIONS[1])


def findings() -> Findings:
    found = analyse(PEOPLE, PROFILES["seed-b"], resistance, LESIONS)
    assert isinstance(found, Findings)
    return found


def made(found: Findings) -> dict[str, bytes]:
    """The page and the tables; the files of figures are drawn as those in the page."""
    figures, sheets = all_figures(found), all_sheets(found)
    whole = page(found, figures, sheets, version="1.2.3", sources={"patients.csv": b"table"})
    return {"report.html": whole.html(), **{f"{one.name}.csv": one.csv() for one in sheets}}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return made(findings())


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


def test_every_figure_of_the_paper_is_there() -> None:
    assert {one.name for one in all_figures(findings())} == {
        "flow",
        *(f"love-plot-{number}" for number in range(1, 6)),
        "factors",
        "pd-l1",
        "imputations",
        "site-flows",
        "sites",
        "pattern-over-time",
        "survival-pattern",
        "survival-pattern-landmark",
        "survival-second-line",
        *(f"survival-resistance-{one}-{end}" for one in ("oligo", "systemic") for end in ("pfs", "os-landmark")),
        "survival-no-local-therapy",
        "response",
        "swimmer",
        "waterfall",
        "spider",
    }


def test_the_same_cohort_gives_the_same_bytes(files: dict[str, bytes]) -> None:
    again = made(findings())
    assert again.keys() == files.keys()
    assert {name for name, data in again.items() if files[name] != data} == set()


def test_the_page_needs_nothing_from_outside(files: dict[str, bytes]) -> None:
    page = files["report.html"].decode("utf-8")
    assert "<script" not in page and "src=" not in page and "url(http" not in page
    assert page.count("<svg") == len(all_figures(findings()))
    assert "pulmonode 1.2.3" in page and "sha256" in page


def test_what_makes_the_groups_circular_is_said_in_the_page_and_the_table(files: dict[str, bytes]) -> None:
    assert "made by the time to progression itself" in files["report.html"].decode("utf-8")
    for row in rows(files["survival.csv"]):
        circular = row["key"].startswith(("pfs-resistance", "os-resistance"))
        assert bool(row["warning"]) == circular, row["key"]
    assert "All patients have progressed" in files["report.html"].decode("utf-8")


def test_both_ends_called_pfs2_stand_side_by_side_in_the_same_patients(files: dict[str, bytes]) -> None:
    found = {row["key"]: row for row in rows(files["survival.csv"])}
    for number in (1, 2):
        short, long = found[f"pfs-2l-second-line-{number}"], found[f"pfs2-ema-second-line-{number}"]
        assert (short["n"], short["n_ref"]) == (long["n"], long["n_ref"])
        assert float(short["median"]) < float(long["median"])


def test_counts_of_the_tables_add_up(files: dict[str, bytes]) -> None:
    included = findings().flow.included
    steps = rows(files["flow.csv"])
    assert int(steps[0]["left"]) - sum(int(row["excluded"]) for row in steps[1:]) == int(steps[-1]["left"]) == 150
    table = [row for row in rows(files["table-1.csv"]) if row["variable"] == "PD-L1" and row["level"]]
    assert sum(int(row["oligo_before"]) + int(row["systemic_before"]) for row in table) == 150
    binned = rows(files["pattern-over-time.csv"])
    assert sum(int(row["n"]) for row in binned) == 150
    flows = rows(files["site-flows.csv"])
    for row in flows:
        assert float(row["%_of_all"]) == pytest.approx(100 * int(row["n"]) / int(row["all"]))
        if int(row["with_the_site_at_baseline"]):
            assert float(row["%_of_those"]) == pytest.approx(
                100 * int(row["n"]) / int(row["with_the_site_at_baseline"])
            )
    lung = sum("lung" in (one.baseline_sites or ()) for one in included)
    assert {int(row["with_the_site_at_baseline"]) for row in flows if row["baseline"] == "lung"} == {lung}


def test_every_odds_ratio_names_outcome_reference_and_model(files: dict[str, bytes]) -> None:
    found = rows(files["factors.csv"])
    assert {row["outcome"] for row in found} == {"systemic progression"}
    assert {row["model"].split(" ")[0] for row in found} == {"crude", "adjusted"}
    for row in found:
        assert row["reference"] and row["level"] != row["reference"]
        assert bool(row["adjusted_for"]) == row["model"].startswith("adjusted")
        assert float(row["or_of_oligoprogression"]) == pytest.approx(1 / float(row["or"]))


def test_each_data_set_tells_its_number_of_pairs(files: dict[str, bytes]) -> None:
    found = rows(files["matching.csv"])
    assert {row["data_set"] for row in found} == {"1", "2", "3", "4", "5"}
    for row in found:
        assert (float(row["smd_after"]) < 0.1) == (row["below_0.1"] == "yes")


def test_a_cohort_that_is_not_balanced_says_so_at_the_top(files: dict[str, bytes]) -> None:
    alarms = findings().alarms
    assert alarms and all(alarm.code == "COH-004" for alarm in alarms)
    page = files["report.html"].decode("utf-8")
    assert page.index("Not balanced") < page.index("Patients at each step")


def test_no_patient_is_named_but_in_the_table_of_sums(files: dict[str, bytes]) -> None:
    assert {name for name, data in files.items() if b"ZZSENTINEL" in data} == {"sums.csv"}


def test_a_cohort_of_one_pattern_is_refused() -> None:
    found = analyse([replace(one, pattern="oligo") for one in PEOPLE if one.pattern], PROFILES["seed-b"], resistance)
    assert isinstance(found, Rejected) and found.code == "COH-005"


def test_a_table_with_nothing_but_what_is_required_still_gives_a_report() -> None:
    bare = [
        replace(
            one, smoking=None, ecog=None, brain_metastases=None, pd_l1=None, best_response=None, baseline_sites=None,
            progression_sites=None, local_therapy=None, second_line=None, second_line_start=None,
            second_progression=None, driver=None, measurable=None, first_line=None, resistance="indeterminate",
        )
        for one in PEOPLE[:60]
    ]  # fmt: skip
    found = analyse(bare, PROFILES["recommended"], resistance)
    assert isinstance(found, Findings) and found.completed is None
    assert [alarm.code for alarm in found.alarms] == ["COH-005"]
    names = {one.name for one in all_figures(found)}
    assert {"flow", "survival-pattern", "swimmer"} <= names
    assert names.isdisjoint({"sites", "site-flows", "waterfall", "response"})
    assert b"COH-005" in made(found)["report.html"]
