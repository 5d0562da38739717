"""Responses that others computed or published: pharmaverse, EORTC, Laleh et al. 2022."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from pipelines.domain.organs import Organ
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
from pipelines.domain.progression import Course
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.response.assess import RuleSet
from pipelines.response.best_response import Visited, best_response
from tests.pipelines.response.patients import assessed, overall, rows, series, target

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
            for lesion, values in lesions.items():
                is_target = lesion.startswith("T")
                roles[LesionId(lesion)] = LesionRole.TARGET if is_target else LesionRole.NON_TARGET
                seen.append(_seen(lesion, values, node=(subject, lesion) in nodes, is_target=is_target))
            points.append(TimePoint(number, (dates[(subject, reader), number],), tuple(seen)))
        for visit in assessed(points, Decisions(roles=roles), Course(), LITERAL).visits:
            answers[subject, reader, visit.label] = visit.overall.value
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


def test_real_lesion_series_of_five_trials_are_classified(shared_data: Path) -> None:
    # Laleh et al. 2022 (PLOS Comput Biol, CC BY 4.0), one lesion a patient; best response without a least time of
    # stable disease
    by_patient: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows(shared_data / "tables/tumour_growth_laleh2022_half_a.csv"):
        by_patient[row["Pt_hashID"]].append((int(float(row["T_days"])), row["Lesion_diam"]))
    print(len(by_patient))
