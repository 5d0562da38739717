"""What a score does at one fixed cut-off."""

from dataclasses import dataclass

from pipelines.statistics.intervals import Proportion, proportion
from pipelines.statistics.roc import Scored


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The fourfold table of the rule `score >= threshold`, with its shares and exact intervals."""

    threshold: float
    positive_class: str
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    sensitivity: Proportion
    specificity: Proportion
    positive_predictive_value: Proportion
    negative_predictive_value: Proportion
    accuracy: Proportion


def operating_point(cases: Scored, threshold: float, *, level: float = 0.95) -> OperatingPoint:
    """Apply a cut-off that was fixed elsewhere, on the training set for instance.

    References
    ----------
    Clopper & Pearson 1934 for every interval.
    """
    tp = int((cases.positive >= threshold).sum())
    fp = int((cases.negative >= threshold).sum())
    fn, tn = cases.positive.size - tp, cases.negative.size - fp
    return OperatingPoint(
        threshold=threshold,
        positive_class=cases.outcome.event,
        true_positives=tp,
        false_positives=fp,
        true_negatives=tn,
        false_negatives=fn,
        sensitivity=proportion(tp, tp + fn, level=level),
        specificity=proportion(tn, tn + fp, level=level),
        positive_predictive_value=proportion(tp, tp + fp, level=level),
        negative_predictive_value=proportion(tn, tn + fn, level=level),
        accuracy=proportion(tp + tn, tp + fp + fn + tn, level=level),
    )
