"""The Rad-signature of a patient: a model applied to the features of the largest lesion."""

import math
from collections.abc import Sequence

from pipelines.domain.case import MeasuredLesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Contribution, ScaledScore, Score, ScoreClass
from pipelines.scoring.acquired import Acquired
from pipelines.scoring.applicability import place, warnings
from pipelines.scoring.facts import ModelFeature, ScoreScale
from pipelines.scoring.model import Model


def score(
    model: Model, lesions: Sequence[MeasuredLesion], taken: Acquired | None = None, *, strict: bool = False
) -> Score | Rejected:
    """Apply `model` to the measured lesion with the most voxels, the lower number first among equals.

    Parameters
    ----------
    taken
        How the CT was acquired; None when that is not known.
    strict
        True to give no score to a case that is unlike the training data, in place of a warning.

    Returns
    -------
    Score
        With the contributions in descending order of their size.
    Rejected
        `MODEL-005` when no lesion has features, when one that the model needs is not defined for the lesion, or when
        the case is unlike the training data and that is not allowed.

    References
    ----------
    Dong & Chen 2025, section 1.3.3: logistic regression on the selected features. The paper does not say which lesion
    counts when there are several.
    """
    measured = [(lesion.lesion, lesion.features) for lesion in lesions if isinstance(lesion.features, FeatureVector)]
    if not measured:
        return Rejected(
            "MODEL-005",
            f"None of the {len(lesions)} lesions has features to score.",
            "See the reason beside each lesion and send a corrected segmentation.",
        )
    lesion, features = min(measured, key=lambda pair: (-pair[0].mask.count, pair[0].number))
    values = features.select([feature.name for feature in model.features])
    undefined = [f.name for f, value in zip(model.features, values, strict=True) if not math.isfinite(value)]
    if undefined:
        return Rejected(
            "MODEL-005",
            f"Lesion {lesion.number} has no value for {', '.join(undefined)}, which model {model.name} "
            f"{model.version} needs.",
            "Check the contour of this lesion: very small or uniform lesions have no texture. Send a corrected "
            "segmentation.",
        )
    unlike = warnings(model, values, taken or Acquired())
    if strict and unlike:
        return Rejected(
            "MODEL-005",
            f"Model {model.name} {model.version} was not trained for cases like this: "
            f"{' '.join(f'{one.code} {one.detail}' for one in unlike)}",
            "Read the case without a score, or send a CT that was acquired and contoured as the training data were; "
            "scoring.strict = false has such cases scored with a warning.",
        )
    contributions = [_contribution(f, float(value)) for f, value in zip(model.features, values, strict=True)]
    signature = math.fsum((model.intercept, *(c.term for c in contributions)))
    probability = expit(signature)
    positive = probability >= model.cut_off.value
    return Score(
        model=model.identity,
        signature=signature,
        probability=probability,
        cut_off=model.cut_off.value,
        cut_off_rule=model.cut_off.rule,
        outcome=ScoreClass.POSITIVE if positive else ScoreClass.NEGATIVE,
        outcome_label=model.positive_class if positive else model.negative_class,
        lesion_number=lesion.number,
        contributions=tuple(sorted(contributions, key=lambda c: (-abs(c.term), c.feature))),
        place=None if model.reference is None else place(model.reference, signature),
        scaled=None if model.score_scale is None else _scaled(model.score_scale, signature, probability),
        warnings=unlike,
    )


def expit(linear_predictor: float) -> float:
    """Logistic transform 1 / (1 + exp(-x)), without overflow for any finite x.

    Examples
    --------
    >>> expit(0.0), expit(-1000.0), expit(1000.0)
    (0.5, 0.0, 1.0)
    """
    # the exponent is never positive: exp of a large number would overflow
    small = math.exp(-abs(linear_predictor))
    return 1.0 / (1.0 + small) if linear_predictor >= 0 else small / (1.0 + small)


def _contribution(feature: ModelFeature, value: float) -> Contribution:
    standardised = (value - feature.mean) / feature.sd
    return Contribution(feature.name, value, standardised, feature.coefficient * standardised)


def _scaled(scale: ScoreScale, signature: float, probability: float) -> ScaledScore:
    start = signature if scale.of == "linear predictor" else probability
    return ScaledScore(scale.name, scale.offset + scale.factor * start)
