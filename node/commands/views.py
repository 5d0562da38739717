"""How cases and diagnoses look on a terminal."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from node.commands.probe import Check
from node.history import Assessed
from node.ports import (
    CaseDetail,
    CaseRow,
    Overview,
    RefusedAssociationRow,
    ScoreSummary,
    StoredFile,
    VerificationRecord,
)
from pipelines.domain.case_state import CaseState
from pipelines.domain.reasons import Rejected

DEMONSTRATION: Final = "DEMONSTRATION MODEL - not for clinical use"
_COLOURS: Final = {
    CaseState.COLLECTING: "cyan",
    CaseState.QUEUED: "cyan",
    CaseState.RUNNING: "blue",
    CaseState.WAITING: "yellow",
    CaseState.REPORTED: "green",
    CaseState.DELIVERED: "green",
    CaseState.COMMITTED: "bold green",
    CaseState.REJECTED: "yellow",
    CaseState.FAILED: "bold red",
}
_SHOWN_FEATURES: Final = 8


def coloured(state: CaseState) -> Text:
    """A state in its colour."""
    return Text(state.value, style=_COLOURS[state])


def age(at: datetime, *, now: datetime | None = None) -> str:
    """How long ago `at` was, in the largest unit that fits."""
    seconds = int(((now or datetime.now(UTC)) - at).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"


def overview_view(overview: Overview, turned_away: Sequence[RefusedAssociationRow] = ()) -> RenderableType:
    """All cases as a table, with what else is worth knowing below."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Case", justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Age", justify="right", no_wrap=True)
    table.add_column("From", no_wrap=True)
    table.add_column("Why", ratio=1, min_width=24)
    table.add_column("Score", no_wrap=True)
    table.add_column("Sent", justify="right", no_wrap=True)
    for row in overview.cases:
        _add_row(
            table,
            str(row.case),
            coloured(row.state),
            age(row.created_at),
            row.calling_ae_title,
            _why(row),
            _short_score(row.score),
            f"{row.delivered}/{row.deliveries}" if row.deliveries else "-",
        )
    lines: list[RenderableType] = [table] if overview.cases else [Text("No case yet.")]
    lines.append(
        Text(
            f"{overview.instances} instances received; {overview.unsegmented_series} CT series without a segmentation."
        )
    )
    if overview.conflicts:
        text = f"RCV-004 {overview.conflicts} instances are kept beside others with the same UID and other bytes."
        lines.append(Text(text, style="yellow"))
    for refusal in overview.refusals:
        lines.append(
            Text(
                f"Refused {refusal.count} x {refusal.code} from {refusal.calling_ae_title}, last "
                f"{age(refusal.last_at)} "
                f"ago: {refusal.last_detail}",
                style="yellow",
            )
        )
    for refusal_row in turned_away:
        refused = refusal_row.refused
        lines.append(
            Text(
                f"RCV-006 Refused {refused.times} x an association from {refused.calling_ae_title} at "
                f"{refused.address}, last {age(refusal_row.last_at)} ago: {refused.why} {refused.remedy}",
                style="yellow",
            )
        )
    if any(row.score and row.score.demonstration for row in overview.cases):
        lines.append(Text(f"* {DEMONSTRATION}", style="bold yellow"))
    return Group(*lines)


def case_view(
    detail: CaseDetail, locate: Callable[[StoredFile], Path], assessed: Assessed | None = None
) -> RenderableType:
    """One case: its history, lesions, score, and where its objects lie."""
    row = detail.row
    parts: list[RenderableType] = [
        Text.assemble(("Case ", "bold"), (str(row.case), "bold"), "  ", coloured(row.state)),
        Text(_why(row)),
        Text(f"Study {row.study}"),
        Text(f"CT series {row.ct_series or '(not known yet)'}, {row.ct_slices} slices"),
        Text(f"Segmentation {row.segmentation} from AE {row.calling_ae_title}"),
    ]
    if row.remedy:
        parts.append(Text(f"What to do: {row.remedy}", style="yellow"))
    parts.append(history_table(detail))
    if detail.measurements:
        parts.append(_lesions(detail))
    if detail.verification is not None:
        parts.append(_verification(detail.verification))
    if row.score is not None:
        parts.append(score_text(row.score))
    if assessed is not None:
        parts.append(_response(assessed))
    notes = (*detail.notes, *(() if assessed is None else assessed.notes))
    if notes:
        parts.append(_notes(notes))
    if detail.results:
        parts.append(_results(detail, locate))
    return Group(*parts)


def history_table(detail: CaseDetail) -> Table:
    """States with their times."""
    table = Table(title="History", title_justify="left", header_style="bold")
    for column in ("Time", "Event", "State", "Detail"):
        table.add_column(column)
    for event in detail.events:
        at = event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        _add_row(table, at, event.event, coloured(CaseState(event.state)), event.detail)
    return table


def score_text(score: ScoreSummary) -> Text:
    """The score as a person reads it."""
    text = Text.assemble(
        ("Score  ", "bold"),
        f"{score.outcome}: probability {score.probability:.3f} (cut-off {score.cut_off:.3f}), "
        f"Rad-signature {score.signature:.3f}, lesion {score.lesion_number}\n",
        f"       model {score.model} {score.model_version}, SHA-256 {score.model_sha256[:16]}...",
    )
    if score.demonstration:
        text.append(f"\n       {DEMONSTRATION}", style="bold yellow")
    return text


def _lesions(detail: CaseDetail) -> Table:
    table = Table(title="Lesions", title_justify="left", header_style="bold")
    for column in ("Lesion", "Volume", "Features", "First features"):
        table.add_column(column)
    for measured in detail.measurements:
        if measured.rejected is not None:
            found = f"{measured.rejected.code} {measured.rejected.detail}"
            _add_row(table, str(measured.lesion_number), f"{measured.volume_ml:.2f} ml", "-", found)
            continue
        first = "\n".join(f"{name}  {value:.6g}" for name, value in measured.features[:_SHOWN_FEATURES])
        count = len(measured.features)
        _add_row(table, str(measured.lesion_number), f"{measured.volume_ml:.2f} ml", f"{count:,}", first)
    return table


def _verification(record: VerificationRecord) -> Text:
    """How the fast engine compares with PyRadiomics, lesion by lesion."""
    text = Text.assemble(("Verification", "bold"), f"  {record.why}; {record.software}")
    for number, found in record.lesions:
        style = "bold red" if found.failed else "green"
        text.append(f"\n  lesion {number}: {'ROI-010 ' if found.failed else ''}{found}", style=style)
    if not record.lesions:
        text.append("\n  no lesion that the fast engine computes")
    return text


def _response(assessed: Assessed) -> Text:
    """What the rules say of the patient at this visit."""
    text = Text.assemble(("Response to treatment", "bold"), f"  {assessed.label}")
    for line in assessed.lines:
        text.append(f"\n  {line}")
    if assessed.report is None:
        text.append("\n  no report: see the notes", style="yellow")
    elif assessed.predecessor is not None:
        text.append(f"\n  replaces report {assessed.predecessor.sop_instance}")
    return text


def _notes(notes: Sequence[Rejected]) -> Table:
    table = Table(title="Notes", title_justify="left", header_style="bold")
    for column in ("Code", "What was noticed", "What to do"):
        table.add_column(column, no_wrap=column == "Code")
    for note in notes:
        _add_row(table, note.code, note.detail, note.remedy)
    return table


def _results(detail: CaseDetail, locate: Callable[[StoredFile], Path]) -> Table:
    table = Table(title="Results", title_justify="left", header_style="bold")
    for column in ("Object", "Delivery", "File"):
        table.add_column(column, overflow="fold")
    for row in detail.results:
        name = (
            row.result.kind
            if row.result.lesion_number is None
            else f"{row.result.kind}, lesion {row.result.lesion_number}"
        )
        deliveries = "\n".join(
            f"{d.destination}: {d.state.value}"
            + (f" ({d.attempts} tries) {d.detail}" if d.detail else "")
            + (f", {d.commitment}" if d.commitment else "")
            for d in row.deliveries
        )
        _add_row(table, name, deliveries or "-", str(locate(row.result.file)))
    return table


def _why(row: CaseRow) -> str:
    return f"{row.code} {row.reason}".strip()


def _short_score(score: ScoreSummary | None) -> str:
    if score is None:
        return "-"
    return f"{score.probability:.3f}{' *' if score.demonstration else ''}"


def diagnosis_view(checks: Sequence[Check]) -> RenderableType:
    """Each check with its outcome, and what to do where one failed."""
    table = Table(header_style="bold", show_header=False, box=None)
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("FAULT", style="bold red")
        _add_row(table, mark, check.what, check.found if check.ok else f"{check.found}\n{check.remedy}")
    return table


def _add_row(table: Table, *cells: str | Text) -> None:
    """Add a row that shows `cells` as they are; in plain strings rich takes what is in brackets for markup."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
