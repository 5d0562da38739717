"""What a signature is worth on one set of patients, at a cut-off that was fixed elsewhere."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from pipelines.statistics.calibration import Calibration, calibrate
from pipelines.statistics.decision_curve import DecisionCurve, decision_curve
from pipelines.statistics.likelihood import NotConvergedError
from pipelines.statistics.operating_point import OperatingPoint, operating_point
from pipelines.statistics.roc import Auc, AucMethod, Scored, auc
from pipelines.statistics.values import Outcome
from pipelines.training.lasso import Floats
from pipelines.training.selection import Flags

Kind = Literal["apparent", "internal", "held-out"]

AUC_METHODS: Final[tuple[AucMethod, ...]] = ("delong", "exact-binomial", "bootstrap")
"""The three intervals: DeLong's is ours, the second that of Dong & Chen 2025."""

_REPLICATES: Final = 2000
_CURVE_REPLICATES: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One set of patients.

    Attributes
    ----------
    kind
        "apparent": the training patients as fitted; "internal": each by fits that did not see it; "held-out": patients
        that had no part in training.
    cases
        Probabilities with the true classes.
    aucs
        One for each of `AUC_METHODS`.
    point
        At the cut-off; for "internal" at the cut-off of each fit.
    calibration
        None where the probabilities are all equal or separate the classes.
    """

    name: str
    kind: Kind
    cases: Scored
    aucs: tuple[Auc, ...]
    point: OperatingPoint
    calibration: Calibration | None
    curve: DecisionCurve

    @property
    def auc(self) -> Auc:
        """With DeLong's interval."""
        return self.aucs[0]


def evaluate(
    name: str,
    kind: Kind,
    probabilities: Floats,
    positive: Flags,
    positive_class: str,
    *,
    cut_off: float,
    seed: int,
    called: Flags | None = None,
) -> Evaluation:
    """Judge probabilities of patients whose class is known.

    Parameters
    ----------
    cut_off
        Probability from which on (>=) a patient counts as positive.
    called
        Who was called positive, where that was decided by several cut-offs.
    """
    outcome = Outcome(positive_class, positive)
    cases = Scored(probabilities, outcome)
    decided = cases if called is None else Scored(called.astype(np.float64), outcome)
    try:
        calibration = calibrate(probabilities, outcome)
    except (ValueError, NotConvergedError):
        calibration = None
    return Evaluation(
        name,
        kind,
        cases,
        tuple(auc(cases, interval=method, seed=seed, replicates=_REPLICATES) for method in AUC_METHODS),
        operating_point(decided, cut_off if called is None else 0.5),
        calibration,
        decision_curve(probabilities, outcome, replicates=_CURVE_REPLICATES, seed=seed),
    )
