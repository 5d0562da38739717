"""Sizes of lesions over time, for the plots that show one patient a line."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.cohort.dictionary import Record
from pipelines.cohort.huang.endpoints import DAYS_A_MONTH
from pipelines.statistics.values import Floats


@dataclass(frozen=True, slots=True)
class History:
    """The sum of diameters of one patient over time.

    Attributes
    ----------
    months, sums
        From the start of treatment, ascending, and in mm; only visits with every lesion of the baseline count.
    change
        From the baseline in percent.
    """

    patient: str
    months: Floats
    sums: Floats
    change: Floats

    @property
    def best_change(self) -> float:
        """The deepest change after baseline; NaN without a visit after it."""
        return float(self.change[1:].min()) if self.change.size > 1 else float("nan")


def histories(records: Sequence[Record]) -> tuple[tuple[History, ...], int]:
    """One history for each patient of a checked table of lesions, and the visits that lacked a lesion.

    The baseline is the last visit up to the first day of treatment, or the first visit where there is none before.
    """
    visits: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        patient, day, lesion = str(record.values["patient"]), record.values["day"], str(record.values["lesion"])
        size = record.values["diameter_mm"]
        assert isinstance(day, int) and isinstance(size, int | float)
        visits[patient][day][lesion] = float(size)
    found, incomplete = [], 0
    for patient, days in visits.items():
        first = max((day for day in days if day <= 0), default=min(days))
        followed = days[first].keys()
        later = [day for day in sorted(days) if day >= first]
        kept = [day for day in later if followed <= days[day].keys()]
        incomplete += len(later) - len(kept)
        sums = np.array([sum(days[day][lesion] for lesion in followed) for day in kept])
        if sums[0] > 0:
            at = np.array(kept, dtype=np.float64) / DAYS_A_MONTH
            found.append(History(patient, at, sums, 100 * (sums / sums[0] - 1)))
    return tuple(found), incomplete
