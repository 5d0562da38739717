"""The words of the estimators: intervals, test results, a binary outcome and what explains it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval and how it was made.

    Attributes
    ----------
    level
        Coverage that is aimed at, such as 0.95.
    method
        Name of the construction, such as `clopper-pearson`.
    """

    lower: float
    upper: float
    level: float
    method: str

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of a hypothesis.

    Attributes
    ----------
    test
        Name of the test as it is printed in a table.
    statistic, df
        None where the test has none; a test by F has two degrees of freedom.
    p
        Two-sided.
    """

    # pytest would collect a class of this name
    __test__ = False

    test: str
    statistic: float | None
    df: tuple[float, ...] | None
    p: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A binary outcome, with the class named that counts as the event.

    Attributes
    ----------
    event
        Name of the class that counts, such as `systemic progression`.
    happened
        Shape (n,).
    """

    event: str
    happened: Flags

    @property
    def n(self) -> int:
        return int(self.happened.size)

    @property
    def events(self) -> int:
        return int(self.happened.sum())

    def rows(self, chosen: NDArray[np.intp]) -> "Outcome":
        return Outcome(self.event, self.happened[chosen])


@dataclass(frozen=True, slots=True)
class Term:
    """One explaining variable as the columns that it has in a model.

    Attributes
    ----------
    levels
        What each column stands for: a level other than `reference`, or the empty text for a number.
    reference
        The level that the others are compared with; None for a number, whose effect is per unit.
    columns
        Shape (n, len(levels)).
    """

    name: str
    levels: tuple[str, ...]
    reference: str | None
    columns: Floats

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each column: `race=other`, or the name alone for a number."""
        return tuple(f"{self.name}={level}" if level else self.name for level in self.levels)

    def rows(self, chosen: NDArray[np.intp]) -> "Term":
        return Term(self.name, self.levels, self.reference, self.columns[chosen])


def outcome(labels: ArrayLike, *, positive_class: object) -> Outcome:
    """The labels as an outcome whose event is `positive_class`.

    Raises
    ------
    ValueError
        If there are not two classes, or none of the labels is `positive_class`.
    """
    values = np.asarray(labels)
    happened = np.asarray(values == positive_class, dtype=np.bool_)
    classes = np.unique(values)
    if happened.shape != values.shape or not happened.any():
        raise ValueError(f"no label is the positive class {positive_class!r}")
    if classes.size != 2:
        raise ValueError(f"an outcome has two classes, not {classes.size}")
    return Outcome(str(positive_class), happened)


def numeric(name: str, values: ArrayLike) -> Term:
    """A term of one column of numbers; its effect is per unit.

    Raises
    ------
    ValueError
        If a value is missing or infinite.
    """
    column = np.asarray(values, dtype=np.float64)
    if not np.isfinite(column).all():
        raise ValueError(f"{name} has missing or infinite values")
    return Term(name, ("",), None, column[:, None])


def categorical(name: str, values: Sequence[object], *, reference: object) -> Term:
    """A term of one indicator column for each level but `reference`, in sorted order.

    Raises
    ------
    ValueError
        If no value is the reference, or all are.
    """
    texts = np.array([str(value) for value in values])
    levels = sorted(set(texts.tolist()))
    if str(reference) not in levels or len(levels) < 2:
        raise ValueError(f"{name} has the levels {', '.join(levels)}; the reference {reference} and another are needed")
    others = tuple(level for level in levels if level != str(reference))
    columns = np.column_stack([(texts == level).astype(np.float64) for level in others])
    return Term(name, others, str(reference), columns)
