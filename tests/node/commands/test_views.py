"""What people see on a terminal, for cases in every state and with whatever a peer calls itself."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from node.commands.probe import Check
from node.commands.views import DEMONSTRATION, age, case_view, diagnosis_view, overview_view
from node.ports import (
    CaseDetail,
    CaseRow,
    DeliveryRow,
    DeliveryState,
    EventRow,
    Measurement,
    Overview,
    RefusalRow,
    RefusedAssociation,
    RefusedAssociationRow,
    ResultRow,
    ScoreSummary,
    StoredFile,
    VerificationRecord,
)
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from tests.node.refs import result

NOW = datetime(2026, 3, 1, 10, 20, 30, tzinfo=UTC)
SCORE = ScoreSummary("demo", "1", "ab" * 32, True, -1.25, 0.2227, 0.5, "Non-responder", 1)
MARKUP = "node[/bold] [red]"
"""Means something to rich; an AE title may be called so."""


def row(state: CaseState, **changes: object) -> CaseRow:
    plain = CaseRow(
        case=CaseId(17),
        state=state,
        reason="CT series 1.2.3 is arriving.",
        code="",
        remedy="",
        study="1.2",
        ct_series="1.2.3",
        ct_slices=120,
        segmentation="1.4",
        calling_ae_title="CT_AW1",
        created_at=NOW,
        updated_at=NOW,
        attempt=1,
        score=None,
        delivered=0,
        deliveries=0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def detail(of: CaseRow, **changes: object) -> CaseDetail:
    measured = Measurement(1, "2.25.1", 1.234, tuple((f"feature-{n}", n / 3) for n in range(20)), None)
    refused = Measurement(2, "2.25.2", 0.01, (), Rejected("ROI-001", "Too small [really].", "Draw it larger."))
    delivery = DeliveryRow("PACS", DeliveryState.PENDING, 3, None, "NET-001 PACS (node[1] at host:104) is away.")
    plain = CaseDetail(
        row=of,
        events=(EventRow(NOW, "received", "collecting", f"From {MARKUP}."),),
        measurements=(measured, refused),
        results=(ResultRow(result(CaseId(17), "sr"), (delivery,)), ResultRow(result(CaseId(17), "map"), ())),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_notes_of_a_case_are_shown_with_what_to_do() -> None:
    note = Rejected("SEG-011", "No lesion: segment 2 (its label says 'heart').", "Change [lesions].")
    text = shown(case_view(detail(row(CaseState.REPORTED), notes=(note,)), locate=lambda file: Path(file.path)))
    assert "SEG-011" in text
    assert "its label says 'heart'" in text
    assert "Change [lesions]." in text
    assert "Notes" not in shown(case_view(detail(row(CaseState.REPORTED)), locate=lambda file: Path(file.path)))


def shown(view: RenderableType, width: int = 200) -> str:
    text = StringIO()
    Console(file=text, width=width, highlight=False).print(view)
    return text.getvalue()


def locate(file: StoredFile) -> Path:
    return Path("/var/lib/pulmonode/spool") / file.path


@pytest.mark.parametrize("state", CaseState)
def test_a_case_is_listed_in_every_state(state: CaseState) -> None:
    text = shown(overview_view(Overview((row(state),), instances=121, unsegmented_series=2)))
    assert state.value in text
    for part in ("17", "CT series 1.2.3 is arriving.", "CT_AW1", "121 instances", "2 CT series"):
        assert part in text


@pytest.mark.parametrize("state", CaseState)
def test_a_case_is_shown_with_everything_about_it_in_every_state(state: CaseState) -> None:
    of = row(state, code="SEG-001", remedy="Send that series.", score=SCORE, delivered=1, deliveries=2)
    text = shown(case_view(detail(of), locate))
    for part in (
        f"Case 17  {state.value}",
        "SEG-001",
        "What to do: Send that series.",
        "1.23 ml",
        "feature-7",
        "Too small [really].",
        "probability 0.223",
        "PACS: pending (3 tries) NET-001 PACS (node[1] at host:104) is away.",
        "/var/lib/pulmonode/spool/received/",
    ):
        assert part in text, part


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_narrow_terminal_breaks_nothing(width: int) -> None:
    assert shown(overview_view(Overview((row(CaseState.RUNNING, score=SCORE),), 1, 0)), width)
    assert shown(case_view(detail(row(CaseState.RUNNING, score=SCORE)), locate), width)


def test_a_case_of_which_little_is_known_is_shown() -> None:
    bare = row(CaseState.COLLECTING, ct_series="", ct_slices=0)
    text = shown(case_view(detail(bare, events=(), measurements=(), results=()), locate))
    assert "(not known yet), 0 slices" in text
    assert "-" in shown(overview_view(Overview((bare,), 1, 0)))


def test_an_empty_node_says_so() -> None:
    assert "No case yet." in shown(overview_view(Overview((), 0, 0)))


def test_a_score_of_the_demonstration_model_never_stands_without_its_warning() -> None:
    scored = row(CaseState.DELIVERED, score=SCORE)
    assert DEMONSTRATION in shown(overview_view(Overview((scored,), 1, 0)))
    assert DEMONSTRATION in shown(case_view(detail(scored), locate))
    real = row(CaseState.DELIVERED, score=replace(SCORE, demonstration=False))
    assert DEMONSTRATION not in shown(overview_view(Overview((real,), 1, 0)))


def test_what_others_call_themselves_is_shown_as_it_is() -> None:
    strange = row(CaseState.REJECTED, calling_ae_title=MARKUP, reason=f"From {MARKUP}.")
    refusal = RefusalRow(MARKUP, "RCV-001", 3, NOW, f"Element {MARKUP}")
    text = shown(overview_view(Overview((strange,), 1, 0, (refusal,))))
    assert text.count(MARKUP) == 4
    assert MARKUP in shown(case_view(detail(strange), locate))
    assert MARKUP in shown(diagnosis_view([Check(f"peer {MARKUP}", ok=False, found=MARKUP, remedy=MARKUP)]))


def test_who_was_refused_at_the_door_is_shown_with_what_to_change() -> None:
    refused = RefusedAssociation(MARKUP, "PULMO", "192.0.2.7", "It calls PULMO.", "Correct the AE title.", times=3)
    text = shown(overview_view(Overview((), 0, 0), [RefusedAssociationRow(refused, NOW)]), width=200)
    for part in ("RCV-006", "3 x", MARKUP, "192.0.2.7", "It calls PULMO.", "Correct the AE title."):
        assert part in text


def test_a_delivery_is_shown_with_what_was_promised_about_it() -> None:
    delivery = DeliveryRow("PACS", DeliveryState.DELIVERED, 1, 0, "", "committed (found by a query)")
    results = (ResultRow(result(CaseId(1), "sr"), (delivery,)),)
    assert "committed (found by a query)" in shown(
        case_view(detail(row(CaseState.COMMITTED), results=results), locate), 300
    )


def test_a_fault_is_shown_with_its_remedy_and_what_is_well_without() -> None:
    checks = [
        Check("disk", ok=True, found="9 MB free", remedy="Free space."),
        Check("queue", False, "away", "Start it."),
    ]
    lines = shown(diagnosis_view(checks)).splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "FAULT", "Start"]
    assert "Free space." not in "".join(lines)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_400, "1 d"),
        (10**7, "115 d"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    assert age(NOW, now=NOW + timedelta(seconds=seconds)) == text


def test_every_delivery_state_can_be_shown() -> None:
    deliveries = tuple(
        DeliveryRow(f"PEER{number}", state, number, None, "") for number, state in zip(itertools.count(), DeliveryState)
    )
    text = shown(
        case_view(detail(row(CaseState.FAILED), results=(ResultRow(result(CaseId(1), "sr"), deliveries),)), locate)
    )
    assert all(f"PEER{number}: {state.value}" in text for number, state in enumerate(DeliveryState))


def test_a_case_shows_how_the_engines_compare_and_a_deviation_with_its_code() -> None:
    good = Verification(1218, 3.2e-13, "original_glcm_Imc2", 1e-9)
    bad = Verification(1218, 0.25, "original_glcm_Id", 1e-9)
    record = VerificationRecord("one case in 200", "ab" * 32, "kernels 1", ((1, good), (2, bad)))
    text = shown(case_view(detail(row(CaseState.REPORTED), verification=record), locate))
    assert "Verification  one case in 200; kernels 1" in text
    assert "lesion 1: 1218 features compared with PyRadiomics, largest relative deviation 3.2e-13" in text
    assert "lesion 2: ROI-010 1218 features compared" in text
