"""The figures of the progression study, in the order of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, TypeVar

from pipelines.cohort.huang.analysis import Findings
from pipelines.cohort.huang.comparisons import Arm, Comparison
from pipelines.cohort.huang.endpoints import months
from pipelines.cohort.huang.factors import EVENT
from pipelines.cohort.huang.patients import Patient
from pipelines.cohort.huang.rates import GROUPS
from pipelines.cohort.huang.variables import PD_L1, VARIABLES
from pipelines.figures.alluvial import AlluvialNode, Ribbon, alluvial
from pipelines.figures.canvas import PLAIN, Drawing, panels
from pipelines.figures.flow import FlowStep, flow_diagram
from pipelines.figures.forest import Estimate, ForestRow, forest_plot
from pipelines.figures.love import love_plot
from pipelines.figures.patients import Course, Swimmer, spider, swimmer, waterfall
from pipelines.figures.proportions import Share, SharesOfGroup, grouped_bars, shares_over_time, stacked_bars
from pipelines.figures.survival import SurvivalCurve, kaplan_meier
from pipelines.figures.text import wrapped
from pipelines.figures.values import ci_text
from pipelines.statistics.intervals import Proportion
from pipelines.statistics.logistic import OddsRatio

_Thing = TypeVar("_Thing")
_LANES: Final = 40
_COURSES: Final = 100
_NOTE_MM: Final = 34.0
_RESPONSES: Final = ("CR", "PR", "SD", "PD", "NE")


@dataclass(frozen=True, slots=True)
class NamedDrawing:
    """A figure with the name of its file and its caption."""

    name: str
    caption: str
    drawing: Drawing


def flow_figure(findings: Findings) -> NamedDrawing:
    """Figure 1: who took part."""
    flow, completed = findings.flow, findings.completed
    excluded = tuple((step.why_not, step.excluded) for step in flow.steps if step.excluded)
    trunk = [FlowStep("Patients in the table", flow.screened, excluded=excluded)]
    trunk.append(FlowStep("Progressed under first-line chemo-immunotherapy", len(flow.included)))
    arms = []
    for name, pattern in zip(GROUPS, ("oligo", "systemic"), strict=True):
        n = sum(one.pattern == pattern for one in flow.included)
        steps = [FlowStep(name, n)]
        if completed is not None:
            first = completed.sets[0].pairs.treated.size
            sizes = ", ".join(str(one.pairs.treated.size) for one in completed.sets)
            detail = (f"in data sets 1 to {len(completed.sets)}: {sizes}",) if len(completed.sets) > 1 else ()
            steps[0] = FlowStep(name, n, excluded=(("Not matched", n - first),))
            steps.append(FlowStep("Matched 1:1", first, detail=detail))
        arms.append(steps)
    return NamedDrawing("flow", "Flow of patients.", flow_diagram(trunk, arms))


def love_figures(findings: Findings) -> tuple[NamedDrawing, ...]:
    """Balance before and after matching, one plot for each completed data set."""
    completed = findings.completed
    found = []
    for number, one in enumerate(completed.sets if completed is not None else (), start=1):
        plot = love_plot(
            [row.variable.name for row in one.before],
            [row.smd for row in one.before],
            [row.smd for row in one.after],
            threshold=findings.choices.balance,
            n_before=len(one.everyone),
            n_after=int(one.rows.size),
            matched_on=[row.variable.matched for row in one.before],
        )
        caption = f"Balance of the covariates before and after matching, data set {number}."
        found.append(NamedDrawing(f"love-plot-{number}", caption, plot))
    return tuple(found)


def forest_figure(findings: Findings) -> NamedDrawing | None:
    """Figure 2A: odds ratios of systemic progression, crude and adjusted."""
    crude = {(one.term, one.level): one for one in findings.factors.crude}
    adjusted = {(one.term, one.level): one for one in findings.factors.adjusted}
    rows: list[ForestRow] = []
    for variable in VARIABLES:
        levels = [level for term, level in {**crude, **adjusted} if term == variable.name]
        if not levels:
            continue
        reference = next(one.reference for one in (*crude.values(), *adjusted.values()) if one.term == variable.name)
        rows.append(ForestRow(variable.name, kind="heading"))
        rows.append(ForestRow(str(reference), kind="reference"))
        for level in levels:
            pair = (crude.get((variable.name, level)), adjusted.get((variable.name, level)))
            rows.append(ForestRow(str(level), tuple(None if one is None else _mark(one) for one in pair)))
    if not rows:
        return None
    plot = forest_plot(rows, measure="OR", models=("Crude", "Adjusted"), favours=GROUPS)
    caption = (
        f"Odds ratios of {EVENT}, crude and adjusted for all other variables shown; ratios below 1 mean that "
        "oligoprogression is more frequent than at the reference level."
    )
    return NamedDrawing("factors", caption, plot)


def _mark(one: OddsRatio) -> Estimate | None:
    if not isfinite(one.odds_ratio) or one.odds_ratio <= 0:
        return None
    return Estimate(one.odds_ratio, one.wald.lower, one.wald.upper, one.p)


def pdl1_figure(findings: Findings) -> NamedDrawing | None:
    """Figure 2B: PD-L1 by pattern, as found and in each completed data set."""
    tables = [("As found", next(row for row in findings.table if row.variable.name == PD_L1.name))]
    if findings.completed is not None and findings.completed.imputed:
        for number, one in enumerate(findings.completed.sets, start=1):
            row = next(row for row in one.before if row.variable.name == PD_L1.name)
            tables.append((f"Data set {number}", row))
    drawn = []
    for title, row in tables:
        if not row.counts.sum(axis=0).all():
            continue
        groups = [
            SharesOfGroup(name, tuple(Share(int(n), int(row.counts[:, place].sum())) for n in row.counts[:, place]))
            for place, name in enumerate(("Oligo", "Systemic"))
        ]
        test = row.test
        drawn.append(
            stacked_bars(
                PD_L1.levels,
                groups,
                p=test.p if test else None,
                test=test.test if test else "",
                title=f"PD-L1, {title}",
            )
        )
    if not drawn:
        return None
    return NamedDrawing("pd-l1", "PD-L1 expression by pattern of progression.", panels(drawn, columns=2))


def sankey_figure(findings: Findings) -> NamedDrawing | None:
    """Figure 3: from sites at baseline to sites of progression."""
    flows = [one for one in findings.flows if one.n]
    if not flows:
        return None
    patients = flows[0].patients
    known = [
        one for one in findings.flow.included if one.baseline_sites is not None and one.progression_sites is not None
    ]
    sources = list(dict.fromkeys(one.source for one in flows))
    targets = [
        site for site in dict.fromkeys(one.target for one in findings.flows) if any(f.target == site for f in flows)
    ]
    plot = alluvial(
        [AlluvialNode(site, next(one.with_source for one in flows if one.source == site)) for site in sources],
        [AlluvialNode(site, sum(site in (one.progression_sites or ()) for one in known)) for site in targets],
        [Ribbon(one.source, one.target, one.n) for one in flows],
        patients=patients,
    )
    caption = (
        f"Organs with metastases at baseline and organs of first progression in {patients} patients; one with several "
        "organs is in several ribbons."
    )
    return NamedDrawing("site-flows", caption, plot)


def sites_figure(findings: Findings) -> NamedDrawing | None:
    """Figure 4A: sites of progression by pattern."""
    shown = [one for one in findings.sites if sum(share.numerator for share in one.shares)]
    if not shown:
        return None
    groups = [
        SharesOfGroup(name, tuple(_share(one.shares[place]) for one in shown)) for place, name in enumerate(GROUPS)
    ]
    tests = sorted({one.test.test for one in shown if one.test is not None})
    plot = grouped_bars(
        [one.site for one in shown],
        groups,
        p=[one.test.p if one.test else None for one in shown],
        note=", ".join(tests),
    )
    return NamedDrawing("sites", "Sites of first progression by pattern; patients may have several.", plot)


def time_figure(findings: Findings) -> NamedDrawing | None:
    """Figure 4B: the pattern by time to progression."""
    found = findings.over_time
    if not any(one.systemic.denominator for one in found.bins):
        return None
    plot = shares_over_time(
        [one.label for one in found.bins],
        [_share(one.systemic) for one in found.bins],
        label=GROUPS[1],
        other=GROUPS[0],
        p_trend=found.trend.p if found.trend else None,
        test=found.trend.test if found.trend else "",
    )
    return NamedDrawing("pattern-over-time", "Pattern of first progression by the time to it.", plot)


def survival_figures(findings: Findings) -> tuple[NamedDrawing, ...]:
    """Figures 5 to 9: Kaplan-Meier curves, panelled as in the paper."""
    found = {one.key: one for one in findings.comparisons}
    both = ("before", "after")
    plans: list[tuple[str, str, list[str]]] = [
        ("survival-pattern", "PFS and OS by pattern, before and after matching.",
         [f"{end}-pattern-{when}" for when in both for end in ("pfs", "os")]),
        ("survival-pattern-landmark", "OS from the landmark and from progression by pattern.",
         [f"{end}-pattern-{when}" for when in both for end in ("os-landmark", "os-from-pd")]),
        ("survival-second-line", "Second-line treatment: PFS from its start (pfs_2l), PFS2 by EMA from the start of "
         "the first line (pfs2_ema), and OS.",
         [f"{end}-second-line-{number}" for number in (1, 2) for end in ("pfs-2l", "pfs2-ema", "os")]),
    ]  # fmt: skip
    for pattern, name in (("oligo", "oligoprogression"), ("systemic", "systemic progression")):
        for ends, what in (
            (("pfs", "os"), "PFS and OS"),
            (("os-landmark", "os-from-pd"), "OS from the landmark and from progression"),
        ):
            keys = [f"{end}-resistance-{pattern}-{when}" for when in both for end in ends]
            plans.append((f"survival-resistance-{pattern}-{ends[0]}", f"{what} by resistance under {name}.", keys))
    plans.append(
        ("survival-no-local-therapy", "OS under oligoprogression without local treatment.", ["os-no-local-therapy"])
    )
    drawings = []
    for name, caption, keys in plans:
        shown = [found[key] for key in keys if key in found]
        if not shown:
            continue
        warned = dict.fromkeys(one.warning for one in shown if one.warning)
        drawn = [survival_figure(one) for one in shown]
        drawings.append(
            NamedDrawing(name, " ".join((caption, *warned)), panels(drawn, columns=2) if len(drawn) > 1 else drawn[0])
        )
    return tuple(drawings)


def survival_figure(one: Comparison) -> Drawing:
    """The curves of one comparison."""
    # a long note would lie on the curves
    notes = wrapped(one.population, _NOTE_MM, PLAIN.small_pt)
    if one.hazard is not None:
        notes.append(f"HR {ci_text(one.hazard.ratio, one.hazard.lower, one.hazard.upper)}")
    if one.warning is not None:
        notes.append("Groups defined by time: see the notice")
    return kaplan_meier(
        [_curve(arm) for arm in one.arms], ylabel=one.endpoint, p=one.test.p if one.test else None, notes=notes
    )


def _curve(arm: Arm) -> SurvivalCurve:
    curve = arm.curve
    return SurvivalCurve(
        arm.name,
        curve.time,
        curve.survival,
        arm.durations.time,
        ~arm.durations.event,
        curve.lower,
        curve.upper,
        arm.median.value,
        (arm.median.lower, arm.median.upper),
    )


def pooled_figure(findings: Findings) -> NamedDrawing | None:
    """Ratios in each completed data set and pooled."""
    rows = []
    for row in findings.pooled:
        rows.append(ForestRow(row.quantity, kind="heading"))
        for number, (value, lower, upper, n) in enumerate(row.each, start=1):
            rows.append(ForestRow(f"Data set {number}", (Estimate(value, lower, upper),), n=str(n)))
        if row.pooled is not None:
            rows.append(ForestRow("Pooled", (Estimate(*row.ratio, row.pooled.p),), kind="pooled"))
    if not rows:
        return None
    plot = forest_plot(rows, measure="Ratio", n_heading="n")
    return NamedDrawing("imputations", "Results in each completed data set, and pooled by Rubin's rules.", plot)


def response_figure(findings: Findings) -> NamedDrawing | None:
    """Figure 10: objective response by pattern."""
    found = findings.response
    if not all(share.denominator for share in found.evaluable):
        return None
    groups = [SharesOfGroup(name, (_share(share),)) for name, share in zip(GROUPS, found.evaluable, strict=True)]
    test = found.chi_square
    plot = grouped_bars(["Objective response"], groups, p=[test.p if test else None], note=test.test if test else "")
    return NamedDrawing("response", "Objective response rate over the evaluable, by pattern.", plot)


def patient_figures(findings: Findings) -> tuple[NamedDrawing, ...]:
    """Swimmer, waterfall and spider plots."""
    people = {one.patient: one for one in findings.flow.included}
    found = [_swimmers(findings)]
    known = [one for one in findings.histories if one.patient in people]
    best = [(one.best_change, people[one.patient].best_response or "NE") for one in known]
    if any(isfinite(change) for change, _ in best):
        changes, classes = [change for change, _ in best], [name for _, name in best]
        plot = waterfall(
            changes,
            classes,
            ylabel="Best change of the sum of diameters (%)",
            levels=[name for name in _RESPONSES if name in classes],
            lines=((20, "+20 %"), (-30, "-30 %")),
        )
        found.append(NamedDrawing("waterfall", "Deepest change of the sum of diameters by best response.", plot))
        # more lines than these hide each other
        drawn = _evenly([one for one in known if one.months.size > 1], _COURSES)
        courses = [Course(one.months, one.change, GROUPS[people[one.patient].pattern == "systemic"]) for one in drawn]
        spiders = spider(courses, levels=GROUPS)
        found.append(
            NamedDrawing(
                "spider",
                f"Change of the sum of diameters over time by pattern, in {len(drawn)} of {len(known)} patients.",
                spiders,
            )
        )
    return tuple(found)


def _swimmers(findings: Findings) -> NamedDrawing:
    cut_off = findings.choices.cut_off

    def length(one: Patient) -> float:
        return months(one.treatment_start, min(one.alive_until, cut_off))

    ordered = sorted(findings.flow.included, key=lambda one: (-length(one), one.patient))
    lanes = []
    for one in _evenly(ordered, _LANES):
        start, end = one.treatment_start, min(one.alive_until, cut_off)
        turns = [(one.progression, "After progression"), (one.second_line_start, "Second line")]
        stops = [("First line", 0.0)]
        stops += [(kind, months(start, day)) for day, kind in turns if day is not None and day <= end]
        ends = [*(at for _, at in stops[1:]), months(start, end)]
        segments = tuple((at, until, kind) for (kind, at), until in zip(stops, ends, strict=True))
        events = [(months(start, day), kind) for day, kind in
                  ((one.progression, "Progression"), (one.second_progression, "Second progression"),
                   (one.death, "Death"))
                  if day is not None and day <= end]  # fmt: skip
        lanes.append(
            Swimmer(f"row {one.row}", segments, tuple(events), ongoing=one.death is None or one.death > cut_off)
        )
    caption = (
        f"Courses of {len(lanes)} of {len(ordered)} patients, taken evenly over the ranks of survival; labels are rows "
        "of the table."
    )
    return NamedDrawing("swimmer", caption, swimmer(lanes))


def _evenly(things: Sequence[_Thing], most: int) -> list[_Thing]:
    """At most so many of the things, evenly over their order, the first among them."""
    step = max(len(things) / most, 1.0)
    return [things[int(place * step)] for place in range(min(most, len(things)))]


def all_figures(findings: Findings) -> tuple[NamedDrawing, ...]:
    """Every figure that the cohort has data for."""
    one_each: Sequence[NamedDrawing | None] = (
        flow_figure(findings),
        *love_figures(findings),
        forest_figure(findings),
        pdl1_figure(findings),
        pooled_figure(findings),
        sankey_figure(findings),
        sites_figure(findings),
        time_figure(findings),
        *survival_figures(findings),
        response_figure(findings),
        *patient_figures(findings),
    )
    return tuple(one for one in one_each if one is not None)


def _share(found: Proportion) -> Share:
    if not found.denominator:
        return Share(0, 0)
    return Share(found.numerator, found.denominator, (found.interval.lower, found.interval.upper))
