"""What can be audited: one class for each kind of entry."""

from dataclasses import dataclass

from pipelines.audit.printed import Printed


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is printed."""

    table: str
    row: str


@dataclass(frozen=True, slots=True)
class Percentage:
    """`percent` of `total`, with the count `n` where it is printed."""

    place: Place
    percent: Printed
    total: int
    n: int | None


@dataclass(frozen=True, slots=True)
class Total:
    """Counts that should add up."""

    place: Place
    parts: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Same:
    """One quantity as it is told in several places."""

    place: Place
    values: tuple[Printed, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """A variable by group.

    Attributes
    ----------
    counts
        One row a level, one column a group.
    percents
        As printed beside the counts; None or the same shape.
    sizes, totals
        Cases of each group, and of each level.
    """

    place: Place
    counts: tuple[tuple[int, ...], ...]
    percents: tuple[tuple[Printed, ...], ...] | None
    sizes: tuple[int, ...] | None
    totals: tuple[int, ...] | None
    p: Printed | None
    test: str | None
    statistic: Printed | None
    smd: Printed | None


@dataclass(frozen=True, slots=True)
class Means:
    """A number in two groups by mean and standard deviation."""

    place: Place
    n: tuple[int, int]
    means: tuple[Printed, Printed]
    sds: tuple[Printed, Printed]
    p: Printed


@dataclass(frozen=True, slots=True)
class RatioEntry:
    """An odds or hazard ratio.

    Attributes
    ----------
    counts
        Of an odds ratio: events and others of the level, then of the reference.
    claim
        What the text makes of it: the event is `higher` or `lower` in the level.
    """

    place: Place
    estimate: Printed
    lower: Printed
    upper: Printed
    p: Printed | None
    level: float
    counts: tuple[tuple[int, ...], ...] | None
    claim: str | None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Sensitivity and specificity for a named positive class."""

    place: Place
    positive_class: str
    positives: int
    negatives: int
    sensitivity: Printed
    specificity: Printed


@dataclass(frozen=True, slots=True)
class Area:
    """An area under the curve with its interval."""

    place: Place
    auc: Printed
    lower: Printed
    upper: Printed
    n: int
    level: float


Entry = Percentage | Total | Same | Counts | Means | RatioEntry | Diagnostic | Area
