"""How a signature fares in a hospital that had no part in its training, for each hospital of the cohort in turn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.statistics.roc import Auc, auc, scored
from pipelines.training.profiles import Recipe
from pipelines.training.validation import Data, Run, Task

LEAST_PER_CLASS: Final = 4
"""Patients of each class that the other hospitals need, as for any training."""


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """One hospital, judged by a signature of all others.

    Attributes
    ----------
    name
        A number in the order of size: a hospital's own name is not for a report that others read.
    features
        In the signature of the others.
    auc
        With DeLong's interval; None for a hospital whose patients are all of one class.
    """

    name: str
    patients: int
    positives: int
    features: int
    auc: Auc | None


def leave_one_site_out(data: Data, recipe: Recipe, sites: Sequence[str], *, seed: int, run: Run) -> tuple[LeftOut, ...]:
    """Repeat the whole recipe without each hospital; empty when there are fewer than two.

    A hospital without which a class is too small is left out of the list.
    """
    named = Counter(site for site in sites if site)
    if len(named) < 2:
        return ()
    rows = np.arange(len(sites))
    of = np.array(sites)
    tasks, names = [], []
    for number, site in enumerate(sorted(named, key=lambda one: (-named[one], one)), start=1):
        train = rows[of != site]
        positives = int(data.positive[train].sum())
        if min(positives, len(train) - positives) >= LEAST_PER_CLASS:
            tasks.append(Task(train, rows[of == site], seed))
            names.append(f"hospital {number}")
    found = []
    for name, task, done in zip(names, tasks, run(data, recipe, tasks), strict=True):
        positive = data.positive[task.test]
        both = bool(positive.any() and not positive.all())
        area = auc(scored(done.predictor, positive, positive_class=True)) if both else None
        found.append(LeftOut(name, len(task.test), int(positive.sum()), len(done.columns), area))
    return tuple(found)
