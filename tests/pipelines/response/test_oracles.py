"""Responses that others computed or published: pharmaverse, EORTC, Laleh et al. 2022."""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.domain.organs import Organ
from pipelines.domain.progression import Course
from pipelines.domain.recist import (
    Decisions,
    LesionId,
    LesionObservation,
    LesionRole,
    LesionState,
    RecistRules,
    TimePoint,
    tenths,
)
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.response.assess import RuleSet
from pipelines.response.best_response import Visited, best_response
from tests.pipelines.response.patients import assessed, day, lesion, rows, series, target, visit

LITERAL = RuleSet(recist=RecistRules(pr_carry=False, relapse_after_cr=False, most_per_organ=5))


@pytest.fixture(scope="session")
def oracles(shared_data: Path) -> Path:
    root = Path(os.environ.get("SHARED_ORACLES") or shared_data.parent / "oracles")
    if not root.is_dir():
        pytest.skip("the reference values are not on this machine (SHARED_ORACLES names their folder)")
    return root


def _seen(lesion: str, measured: Mapping[str, str], *, node: bool, is_target: bool) -> LesionObservation:
    if not is_target:
        state = LesionState.ABSENT if measured["TUMSTATE"] == "ABSENT" else LesionState.PRESENT
        return LesionObservation(LesionId(lesion), Organ.UNKNOWN, False, state)
    long, short = tenths(measured["LDIAM"]), tenths(measured["LPERP"])
    organ = Organ.LYMPH_NODE if node else Organ.UNKNOWN
    gone = not (short if node else long)
    state = LesionState.ABSENT if gone else LesionState.MEASURED
    return LesionObservation(LesionId(lesion), organ, node, state, long, short)


def test_all_66_visits_of_the_pharmaverse_trial_are_answered_as_there(oracles: Path) -> None:
    # pharmaversesdtm@530a5ea: 8 subjects, 3 readers; each visit by itself, without carrying a partial response over
    nodes = {
        (row["USUBJID"], row["TULNKID"])
        for row in rows(oracles / "recist/tu_onco_recist.csv")
        if row["TULOC"] == "LYMPH NODE"
    }
    measured: dict[tuple[str, str], dict[str, dict[str, dict[str, str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(dict))
    )
    dates = {}
    for row in rows(oracles / "recist/tr_onco_recist.csv"):
        key = row["USUBJID"], row["TREVALID"]
        measured[key][row["VISITNUM"]][row["TRLNKID"]][row["TRTESTCD"]] = row["TRORRES"]
        dates[key, row["VISITNUM"]] = ScanDate.parse(row["TRDTC"])
    said = {
        (row["USUBJID"], row["RSEVALID"], row["VISITNUM"]): row["RSSTRESC"]
        for row in rows(oracles / "recist/rs_onco_recist.csv")
    }
    answers = {}
    for (subject, reader), by_visit in measured.items():
        points, roles = [], {}
        for number, lesions in by_visit.items():
            seen = []
            for name, values in lesions.items():
                is_target = name.startswith("T")
                roles[LesionId(name)] = LesionRole.TARGET if is_target else LesionRole.NON_TARGET
                seen.append(_seen(name, values, node=(subject, name) in nodes, is_target=is_target))
            points.append(TimePoint(number, (dates[(subject, reader), number],), tuple(seen)))
        for answer in assessed(points, Decisions(roles=roles), Course(), LITERAL).visits:
            answers[subject, reader, answer.label] = answer.overall.value
    assert len(said) == 66
    assert {key: answers[key] for key in said} == said


def _admiral_cases(oracles: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((oracles / "confirmed_bor_admiralonco.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_all_27_confirmed_best_responses_of_admiralonco_are_found(oracles: Path) -> None:
    told = _admiral_cases(oracles)
    answers = 0
    for case in told["cases"]:
        rules = RecistRules(
            confirm=True,
            confirm_days=case["ref_confirm"],
            most_ne_between=case["max_nr_ne"],
            sd_between=case["accept_sd"],
            least_sd_days=case["ref_start_window"],
            past_progression=not case["pd"],
        )
        for subject, (on, expected) in case["expected"].items():
            until = date.fromisoformat(case["pd"].get(subject, "9999-12-31"))
            visits = [
                (date.fromisoformat(when), response)
                for who, when, response in case["rows"]
                if who == subject and date.fromisoformat(when) <= until
            ]
            # a visit that was not done is no assessment here; the trial's programs list it as ND
            done = [Visited(ScanDate.on(when), OverallResponse(r)) for when, r in visits if r != "ND"]
            best = best_response(done, rules, start=ScanDate.parse(told["reference_date"][subject]))
            if not done:
                assert (best.response, best.on) == (OverallResponse.NE, None)
                assert expected in ("NE", "MISSING", "ND")
            else:
                assert best.on is not None
                assert (best.on.earliest.isoformat(), best.response.value) == (on, expected), (case["name"], subject)
            answers += 1
    assert answers == 27


@pytest.mark.parametrize(
    ("sums", "expected"),
    [((100, 70, 70, 80, 80, 80), ["PR"] * 5), ((165, 63, 65), ["PR", "PR"])],
)
def test_a_partial_response_stays_one_as_the_eortc_answers(sums: tuple[int, ...], expected: list[str]) -> None:
    assert target(assessed(series(*sums))) == expected


def test_each_visit_by_itself_falls_back_to_stable_disease() -> None:
    assert target(assessed(series(100, 70, 70, 80, 80, 80), rules=LITERAL)) == ["PR", "PR", "SD", "SD", "SD"]


LALEH = {
    1461: {"CR": 64, "PR": 337, "SD": 905, "PD": 155},
    731: {"CR": 28, "PR": 161, "SD": 469, "PD": 73},
}
"""Best responses by number of patients: of the whole table as published, and of the half that is at hand."""


def test_real_lesion_series_of_five_trials_are_classified(shared_data: Path) -> None:
    # Laleh et al. 2022 (PLOS Comput Biol, CC BY 4.0): one lesion a patient, no least time of stable disease
    by_patient: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for path in sorted((shared_data / "tables").glob("tumour_growth_laleh2022_*.csv")):
        for row in rows(path):
            by_patient[row["Pt_hashID"]].append((int(float(row["T_days"])), row["Lesion_diam"]))
    rules = RuleSet(recist=RecistRules(least_sd_days=0))
    # before the first of all scans, so that every one of them counts
    course = Course(start=day(-3000))
    best: Counter[str] = Counter()
    literal: Counter[str] = Counter()
    began = time.process_time()
    for scans in by_patient.values():
        points = [visit(f"v{at}", on, lesion("t1", mm)) for at, (on, mm) in enumerate(sorted(scans))]
        best[assessed(points, course=course, rules=rules).best.response.value] += 1
    spent = time.process_time() - began
    print(f"{len(by_patient)} patients, {len(by_patient) / spent:.0f} a second: {dict(best)}")
    for scans in by_patient.values():
        literal[_best_by_hand([Fraction(mm) for _, mm in sorted(scans)])] += 1
    assert best == literal == LALEH[len(by_patient)]


def _best_by_hand(sizes: list[Fraction]) -> str:
    """The definition for one lesion, written down once more in exact fractions."""
    baseline, nadir, said = sizes[0], sizes[0], []
    for size in sizes[1:]:
        if size == 0:
            said.append("CR")
        elif size - nadir >= 5 and size >= nadir * Fraction(6, 5):
            said.append("PD")
            break
        else:
            said.append("PR" if size <= baseline * Fraction(7, 10) else "SD")
        nadir = min(nadir, size)
        # a lesion that comes back after a complete response is progression, however small
        if said[-1] != "CR" and "CR" in said[-2:-1]:
            said[-1] = "PD"
            break
    return next(response for response in ("CR", "PR", "SD", "PD") if response in said)
