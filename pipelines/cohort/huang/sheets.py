"""The findings of the progression study as tables."""

from collections.abc import Sequence

from pipelines.cohort.huang.analysis import Findings
from pipelines.cohort.huang.balance import Row
from pipelines.cohort.huang.comparisons import Comparison
from pipelines.cohort.huang.factors import EVENT
from pipelines.cohort.huang.rates import GROUPS
from pipelines.cohort.sheet import Sheet, sheet
from pipelines.statistics.intervals import Proportion
from pipelines.statistics.logistic import OddsRatio

NAMED_SMD = (
    "SMD: absolute standardised mean difference over all levels of the variable at once, pooled deviation (Yang & "
    "Dalton "
    "2012); of two levels it is the ordinary one."
)


def flow_sheet(findings: Findings) -> Sheet:
    """How many were left at each step."""
    rows = [("Screened", None, None, findings.flow.screened)]
    rows += [(step.why_not, step.excluded, step.unknown, step.left) for step in findings.flow.steps]  # type: ignore[misc]
    return sheet("flow", "Patients at each step", ["Step", "Excluded", "Not told", "Left"], rows)


def table_one_sheet(findings: Findings) -> Sheet:
    """Table 1 before and after matching, side by side."""
    completed = findings.completed
    after = completed.sets[0].after if completed is not None else None
    before = findings.table
    notes = [
        NAMED_SMD,
        f"Tests: before matching {_tests(before)}; after matching {_tests(after or ())}.",
        "Percentages are of those whose level is known.",
    ]
    if completed is not None and completed.imputed:
        notes.append("After matching: data set 1, in which missing PD-L1 was completed.")
    columns = ["Variable", "Level"]
    for when in ("before", "after"):
        columns += [f"Oligo {when}", f"Oligo % {when}|.1f", f"Systemic {when}", f"Systemic % {when}|.1f"]
        columns += [f"P {when}|p", f"SMD {when}|.3f"]
    rows: list[tuple[object, ...]] = []
    for place, row in enumerate(before):
        other = after[place] if after is not None else None
        rows.append((row.variable.name, "", *[None] * 4, *_told(row), *[None] * 4, *_told(other)))
        for level, name in enumerate(row.variable.levels):
            rows.append((row.variable.name, name, *_cells(row, level), None, None, *_cells(other, level), None, None))
        if sum(row.missing):
            rows.append((row.variable.name, "missing", row.missing[0], None, row.missing[1], *[None] * 9))
    return sheet("table-1", "Baseline characteristics before and after matching", columns, rows, *notes)


def _tests(rows: Sequence[Row]) -> str:
    return ", ".join(sorted({row.test.test for row in rows if row.test is not None})) or "none"


def _told(row: Row | None) -> tuple[object, object]:
    return (None, None) if row is None else (row.test.p if row.test is not None else None, row.smd)


def _cells(row: Row | None, level: int) -> tuple[object, ...]:
    if row is None:
        return (None,) * 4
    found: list[object] = []
    for group in (0, 1):
        n = int(row.counts[level, group])
        total = int(row.counts[:, group].sum())
        found += [n, 100 * n / total if total else None]
    return tuple(found)


def factors_sheet(findings: Findings) -> Sheet:
    """Crude and adjusted odds ratios, each with its outcome and reference."""
    found = findings.factors
    columns = [
        "Outcome",
        "Variable",
        "Level",
        "Reference",
        "Model",
        "Adjusted for",
        "n",
        "OR|.2f",
        "Lower|.2f",
        "Upper|.2f",
    ]
    columns += ["P|p", "OR of oligoprogression|.2f"]
    rows = [_ratio(one, n) for one, n in zip(found.crude, found.crude_n, strict=True)]
    rows += [_ratio(one, found.adjusted_n) for one in found.adjusted]
    return sheet(
        "factors",
        f"Odds ratios of {EVENT}",
        columns,
        rows,
        f"The outcome is {EVENT}: a ratio below 1 means that it is rarer, and oligoprogression more frequent, than "
        "at the "
        "reference level. The last column is the inverse.",
        f"Wald intervals and tests. Adjusted model: {found.adjusted_n} patients with all variables, "
        f"{found.events_per_variable:.1f} events for each coefficient.",
    )


def _ratio(one: OddsRatio, n: int) -> tuple[object, ...]:
    return (
        one.event,
        one.term,
        one.level,
        one.reference,
        ("adjusted" if one.adjusted else "crude") + (" (Firth)" if one.penalised else ""),
        "; ".join(one.adjusted_for),
        n,
        one.odds_ratio,
        one.wald.lower,
        one.wald.upper,
        one.p,
        1 / one.odds_ratio if one.odds_ratio else None,
    )


def survival_sheet(findings: Findings) -> Sheet:
    """Every comparison of survival, one row each."""
    interval = findings.choices.interval
    columns = ["Key", "End point", "Population", "Group", "n", "Events", "Median|.1fm", "Lower|.1fm", "Upper|.1fm"]
    columns += [
        "Follow-up|.1fm",
        "Reference",
        "n ref",
        "Events ref",
        "Median ref|.1fm",
        "Lower ref|.1fm",
        "Upper ref|.1fm",
    ]
    columns += [
        "HR|.2f",
        "HR lower|.2f",
        "HR upper|.2f",
        "P Wald|p",
        "P log-rank|p",
        "P proportional hazards|p",
        "Warning",
    ]
    return sheet(
        "survival",
        "Survival in months",
        columns,
        [_compared(one) for one in findings.comparisons],
        f"Kaplan-Meier medians with {interval} intervals; hazard ratios of the group against the reference by Cox's "
        "model "
        "(Efron), with Wald's test beside the log-rank test; proportional hazards by the score test on the "
        "Kaplan-Meier "
        "scale. Follow-up: median by the reverse Kaplan-Meier estimate.",
        "Patients who were matched are compared as two groups; the pairs are not a stratum.",
    )


def _compared(one: Comparison) -> tuple[object, ...]:
    cells: list[object] = [one.key, one.endpoint, one.population]
    for place in (0, 1):
        arm = one.arms[place] if place < len(one.arms) else None
        if arm is None:
            cells += [None] * 6
            continue
        cells += [arm.name, arm.patients, arm.events, arm.median.value, arm.median.lower, arm.median.upper]
        if place == 0:
            cells.append(arm.follow_up.value)
    hazard = one.hazard
    cells += [hazard.ratio, hazard.lower, hazard.upper, hazard.p] if hazard else [None] * 4
    cells += [one.test.p if one.test else None, one.proportional.p if one.proportional else None, one.warning]
    return tuple(cells)


def pooled_sheet(findings: Findings) -> Sheet:
    """Each completed data set and the pooled numbers."""
    rows: list[tuple[object, ...]] = []
    for row in findings.pooled:
        for number, (value, lower, upper, n) in enumerate(row.each, start=1):
            rows.append((row.quantity, f"data set {number}", n, value, lower, upper, *[None] * 4))
        if row.pooled is not None:
            p = row.pooled
            rows.append(
                (
                    row.quantity,
                    "pooled",
                    None,
                    *row.ratio,
                    p.p,
                    p.degrees_of_freedom,
                    p.share_missing,
                    p.fraction_missing,
                )
            )
    return sheet(
        "imputations",
        "Results in each completed data set, and pooled",
        ["Quantity", "Data set", "n", "Ratio|.2f", "Lower|.2f", "Upper|.2f", "P|p", "df|.1f", "Lambda|.3f", "FMI|.3f"],
        rows,
        "Pooled on the logarithmic scale by Rubin's rules with the degrees of freedom of Barnard & Rubin 1999; lambda: "
        "share of the variance that is due to the missing values; FMI: fraction of missing information.",
    )


def matching_sheet(findings: Findings) -> Sheet:
    """Pairs and balance of each completed data set."""
    rows: list[tuple[object, ...]] = []
    for number, one in enumerate(findings.completed.sets if findings.completed else (), start=1):
        for before, after in zip(one.before, one.after, strict=True):
            rows.append(
                (
                    number,
                    len(one.everyone),
                    one.pairs.treated.size,
                    one.pairs.caliper,
                    before.variable.name,
                    "yes" if before.variable.matched else "no",
                    before.smd,
                    after.smd,
                    "yes" if after.smd < findings.choices.balance else "NO",
                )
            )
    return sheet(
        "matching",
        "Pairs and balance in each completed data set",
        ["Data set", "Patients", "Pairs", "Caliper|.4f", "Variable", "Matched on", "SMD before|.3f", "SMD after|.3f",
         f"Below {findings.choices.balance:g}"],
        rows,
        NAMED_SMD,
        "Caliper on the logit of the propensity score; nearest neighbour, 1:1, without replacement, largest score "
        "first.",
    )  # fmt: skip


def response_sheet(findings: Findings) -> Sheet:
    """Objective response of both groups by both denominators."""
    found = findings.response
    rows: list[tuple[object, ...]] = []
    for name, shares in (("evaluable", found.evaluable), ("all treated", found.treated)):
        for group, share in zip(GROUPS, shares, strict=True):
            rows.append((group, name, *_share(share)))
    notes = ["Clopper-Pearson intervals."]
    if found.ratio is not None and found.chi_square is not None and found.exact is not None:
        notes.append(
            f"Odds ratio of a response under oligoprogression {found.ratio.estimate:.2f} "
            f"({found.ratio.interval.lower:.2f}-{found.ratio.interval.upper:.2f}), {found.chi_square.test} "
            f"P = {found.chi_square.p:.2g}, {found.exact.test} P = {found.exact.p:.2g}, over the evaluable."
        )
    columns = ["Group", "Denominator", "CR or PR", "n", "ORR %|.1f", "Lower %|.1f", "Upper %|.1f"]
    return sheet("response", "Objective response rate", columns, rows, *notes)


def _share(share: Proportion) -> tuple[object, ...]:
    ends = share.interval
    return share.numerator, share.denominator, 100 * share.estimate, 100 * ends.lower, 100 * ends.upper


def sites_sheet(findings: Findings) -> Sheet:
    """Sites of progression by group."""
    rows = [
        (
            one.site,
            *_share(one.shares[0]),
            *_share(one.shares[1]),
            *((one.test.test, one.test.p) if one.test else (None, None)),
        )
        for one in findings.sites
    ]
    columns = ["Site"]
    for group in ("oligo", "systemic"):
        columns += [f"{group} n", f"{group} of", f"{group} %|.1f", f"{group} lower %|.1f", f"{group} upper %|.1f"]
    return sheet(
        "sites",
        "Sites of first progression",
        [*columns, "Test", "P|p"],
        rows,
        "A patient may have several sites: percentages add up to more than 100. Each site is tested by itself; the p "
        "values "
        "are not corrected for their number.",
    )


def flows_sheet(findings: Findings) -> Sheet:
    """From sites at baseline to sites of progression, with both denominators."""
    rows = [
        (
            one.source,
            one.target,
            one.n,
            one.patients,
            100 * one.n / one.patients if one.patients else None,
            one.with_source,
            100 * one.n / one.with_source if one.with_source else None,
        )
        for one in findings.flows
    ]
    columns = ["Baseline", "Progression", "n", "All", "% of all|.1f", "With the site at baseline", "% of those|.1f"]
    return sheet("site-flows", "From sites at baseline to sites of first progression", columns, rows)


def time_sheet(findings: Findings) -> Sheet:
    """The pattern by time to progression."""
    found = findings.over_time
    notes = ["Clopper-Pearson intervals; a bin holds its lower edge."]
    if found.trend is not None:
        notes.append(f"{found.trend.test}: P = {found.trend.p:.2g}.")
    rows = [(one.label, *_share(one.systemic)) for one in found.bins]
    columns = ["Months to progression", "Systemic", "n", "Systemic %|.1f", "Lower %|.1f", "Upper %|.1f"]
    return sheet("pattern-over-time", "Systemic progression by time to progression", columns, rows, *notes)


def histories_sheet(findings: Findings) -> Sheet:
    """Sums of diameters at every visit."""
    rows = [
        (one.patient, float(month), float(total), float(change))
        for one in findings.histories
        for month, total, change in zip(one.months, one.sums, one.change, strict=True)
    ]
    return sheet("sums", "Sums of diameters", ["Patient", "Month|.2f", "Sum mm|.1f", "Change %|.1f"], rows)


def all_sheets(findings: Findings) -> tuple[Sheet, ...]:
    """Every table of the study."""
    makers = [flow_sheet, table_one_sheet, factors_sheet, matching_sheet, pooled_sheet, survival_sheet, response_sheet]
    makers += [sites_sheet, flows_sheet, time_sheet, histories_sheet]
    return tuple(made for made in (make(findings) for make in makers) if made.rows)
