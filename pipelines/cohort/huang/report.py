"""The report of the progression study: one HTML file, with every table and figure beside it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.cohort.huang.analysis import Findings
from pipelines.cohort.huang.drawings import NamedDrawing, all_figures
from pipelines.cohort.huang.sheets import all_sheets
from pipelines.cohort.sheet import Sheet
from pipelines.figures.report import Block, Notice, Paragraph, Picture, Report, Section

_SECTIONS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Patients", ("flow",), ("flow",)),
    ("Baseline and matching", ("table-1", "matching"), ("love-plot",)),
    ("Completed data sets", ("imputations",), ("imputations", "pd-l1")),
    ("What goes with the pattern", ("factors",), ("factors",)),
    ("Sites", ("sites", "site-flows"), ("site-flows", "sites")),
    ("Time to progression", ("pattern-over-time",), ("pattern-over-time",)),
    ("Survival", ("survival",), ("survival",)),
    ("Response", ("response",), ("response", "waterfall", "spider", "swimmer")),
)


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One file of the report."""

    name: str
    data: bytes


def report_files(
    findings: Findings, *, version: str, sources: Mapping[str, bytes], dpi: int = 300
) -> tuple[ReportFile, ...]:
    """The whole report; the same findings give the same bytes.

    Parameters
    ----------
    version
        Of the software.
    sources
        The tables that were read, by a name to show; their digests are in the footer.
    dpi
        Of the PNG files.
    """
    figures, sheets = all_figures(findings), all_sheets(findings)
    files = [ReportFile("report.html", page(findings, figures, sheets, version=version, sources=sources).html())]
    files += [ReportFile(f"{one.name}.csv", one.csv()) for one in sheets]
    for one in figures:
        files += [
            ReportFile(f"{one.name}.svg", one.drawing.svg()),
            ReportFile(f"{one.name}.png", one.drawing.png(dpi)),
        ]
    return tuple(files)


def page(
    findings: Findings,
    figures: tuple[NamedDrawing, ...],
    sheets: tuple[Sheet, ...],
    *,
    version: str,
    sources: Mapping[str, bytes],
) -> Report:
    """The page that holds all figures and tables."""
    digests = ", ".join(f"{name} sha256 {hashlib.sha256(data).hexdigest()[:16]}" for name, data in sources.items())
    return Report(
        title="Patterns of progression under first-line chemo-immunotherapy",
        subtitle=f"{len(findings.flow.included)} patients, after Huang et al. 2025; profile {findings.choices.name}",
        sections=(_summary(findings), *_sections(figures, sheets), _methods(findings)),
        footer=f"pulmonode {version}; {digests}. For research; not a basis for treating a patient.",
    )


def _summary(findings: Findings) -> Section:
    blocks: list[Block] = [
        Notice(str(alarm), "error", "Not balanced" if alarm.code == "COH-004" else "") for alarm in findings.alarms
    ]
    blocks += [Notice(text) for text in findings.notices]
    shown = {one.key: one for one in findings.comparisons}
    lines = []
    for key in (
        "pfs-pattern-before",
        "os-pattern-before",
        "pfs-pattern-after",
        "os-pattern-after",
        "os-from-pd-pattern-before",
    ):
        one = shown.get(key)
        if one is not None and one.hazard is not None and one.test is not None:
            medians = " and ".join(f"{arm.median.value:.1f}" for arm in one.arms)
            lines.append(
                f"{one.endpoint}, {one.population}: medians {medians} months, hazard ratio of "
                f"{one.arms[0].name.lower()} "
                f"against {one.arms[1].name.lower()} {one.hazard.ratio:.2f} "
                f"({one.hazard.lower:.2f}-{one.hazard.upper:.2f}), "
                f"log-rank P = {one.test.p:.2g}."
            )
    lines += [f"{row.quantity}: {row.ratio[0]:.2f} ({row.ratio[1]:.2f}-{row.ratio[2]:.2f})." for row in findings.pooled]
    return Section("Summary", (*blocks, Paragraph("\n\n".join(lines))))


def _sections(figures: tuple[NamedDrawing, ...], sheets: tuple[Sheet, ...]) -> tuple[Section, ...]:
    made = []
    for heading, tables, pictures in _SECTIONS:
        blocks: list[Block] = [one.table() for one in sheets if one.name in tables]
        blocks += [Picture(one.drawing, one.caption) for one in figures if one.name.startswith(pictures)]
        if blocks:
            made.append(Section(heading, tuple(blocks)))
    return tuple(made)


def _methods(findings: Findings) -> Section:
    choices = findings.choices
    unit = "standard deviations of" if choices.caliper.unit == "sd" else "on"
    text = (
        f"Profile {choices.name}. Matching: propensity of oligoprogression by logistic regression on age group, sex, "
        "stage, "
        f"smoking, histology, brain metastases and PD-L1; 1:1 nearest neighbour without replacement, caliper "
        f"{choices.caliper.width:g} {unit} the logit of the score; balanced means every standardised mean difference "
        "below "
        f"{choices.balance:g}.\n\n"
        f"Cut-off of follow-up {choices.cut_off.isoformat()}; a month is 30.4375 days; patients without a death are "
        f"censored at their last contact. Confidence level {choices.level:.0%}; medians by {choices.interval} "
        "intervals. "
        f"Imputation: {choices.imputations} data sets, seed {choices.seed}, proportional-odds model of PD-L1 with "
        "the other "
        "covariates, the pattern, and the cumulative hazard and event of PFS and OS.\n\n"
        "Tests are two-sided and not corrected for their number."
    )
    return Section("Methods", (Paragraph(text),))
