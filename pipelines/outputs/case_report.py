"""What was found in a case, for people to read: the prediction, what it rests on, and what became of each lesion."""

from collections.abc import Iterator
from typing import Final, assert_never

from pipelines.domain.case import Findings, MeasuredLesion, Method
from pipelines.domain.coding import (
    APPLICABILITY,
    ARTIFICIAL_INTELLIGENCE,
    CLASS_MEANING,
    CM3,
    COMMENT,
    CONTRIBUTION,
    CUT_OFF,
    CUT_OFF_RULE,
    EQUIVALENT_MEANING,
    FEATURE_COUNT,
    FEATURES,
    INTENDED_USE,
    LESION_LABEL,
    LESION_USED,
    LOG_ODDS,
    MEASUREMENT_METHOD,
    MODEL,
    MODEL_LICENCE,
    NEGATIVE_CLASS,
    NEGATIVE_PERCENTILE,
    NO_PREDICTION,
    NO_UNITS,
    NOT_COMPARED,
    NOT_MEASURED,
    OUTSIDE_TRAINING,
    PERCENT,
    POSITIVE_CLASS,
    POSITIVE_PERCENTILE,
    PREDICTED_CLASS,
    PROBABILITY,
    RAD_SIGNATURE,
    SCALED_SCORE,
    STANDARD_DEVIATIONS,
    STANDARDISED_VALUE,
    VOLUME,
    WITHIN_TRAINING,
    ZERO_TO_ONE,
    Code,
)
from pipelines.domain.feature_codes import describe
from pipelines.domain.features import FeatureVector
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Contribution, ModelIdentity, Score, ScoreClass
from pipelines.domain.volume import Grid
from pipelines.outputs.content import CodeItem, Container, ContentItem, Num, Text
from pipelines.outputs.document import (
    CONTAINS,
    HAS_CONCEPT_MODIFIER,
    INFERRED_FROM,
    Report,
    algorithm,
    measured_by,
    measurement_group,
    report_object,
)
from pipelines.outputs.measurement_report import DESCRIPTION as FEATURES_DESCRIPTION
from pipelines.outputs.provenance import DEMONSTRATION_NOTICE, result_uid

KIND: Final = "sr-case"
TOP_CONTRIBUTIONS: Final = 10
CLASS_CODES: Final[dict[ScoreClass, Code]] = {
    ScoreClass.POSITIVE: POSITIVE_CLASS,
    ScoreClass.NEGATIVE: NEGATIVE_CLASS,
}
_SERIES_NUMBER: Final = 9002
_NO_MODEL: Final = "No model is configured. The lesions were measured, nothing was predicted."


def case_report(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """The prediction for the case, a summary of each lesion, then what the prediction rests on (PS3.16 TID 1501)."""
    grid = findings.case.ct.grid
    lesions = (_lesion_group(measured, grid, findings.method) for measured in findings.lesions)
    reasons = (_reasons_group(findings, findings.score),) if isinstance(findings.score, Score) else ()
    report = Report(
        kind=KIND,
        series_number=_SERIES_NUMBER,
        description=_description(findings),
        groups=(_case_group(findings), *lesions, *reasons),
    )
    yield report_object(findings, producer, report)


def _description(findings: Findings) -> str:
    if isinstance(findings.score, Score) and findings.score.model.demonstration:
        return "AI: case result - DEMONSTRATION, not for clinical use"
    return "AI: case result"


def _case_group(findings: Findings) -> Container:
    remarks = _texts(
        *((COMMENT, str(note)) for note in findings.case.notes),
        (MEASUREMENT_METHOD, _method(findings.method)),
    )
    match findings.score:
        case Score():
            result = _prediction(findings, findings.score)
        case Rejected():
            result = _texts((NO_PREDICTION, str(findings.score)))
        case None:
            result = _texts((NO_PREDICTION, _NO_MODEL))
        case _:
            assert_never(findings.score)
    group_uid = result_uid(findings, KIND, "prediction")
    return measurement_group("1501", "Prediction for the case", group_uid, (*result, *remarks))


def _prediction(findings: Findings, score: Score) -> tuple[ContentItem, ...]:
    model = score.model
    digits = probability_digits(score.probability, score.cut_off)
    return (
        *_texts((COMMENT, DEMONSTRATION_NOTICE if model.demonstration else "")),
        CodeItem(CONTAINS, PREDICTED_CLASS, CLASS_CODES[score.outcome]),
        *_texts((CLASS_MEANING, score.outcome_label)),
        Num(CONTAINS, PROBABILITY, score.probability, ZERO_TO_ONE, digits=digits),
        Num(CONTAINS, CUT_OFF, score.cut_off, ZERO_TO_ONE, digits=digits),
        *_texts((CUT_OFF_RULE, score.cut_off_rule)),
        Num(CONTAINS, RAD_SIGNATURE, score.signature, LOG_ODDS, digits=4),
        *_scaled(score),
        *_training(score),
        *_texts(
            (LESION_USED, _lesion_used(findings, score)),
            (MODEL, f"{model.name} {model.version}"),
            (INTENDED_USE, model.intended_use),
            (MODEL_LICENCE, model.licence),
        ),
        *_algorithm(model),
    )


def _scaled(score: Score) -> tuple[ContentItem, ...]:
    if score.scaled is None:
        return ()
    name = Text(HAS_CONCEPT_MODIFIER, EQUIVALENT_MEANING, score.scaled.name)
    return (Num(CONTAINS, SCALED_SCORE, score.scaled.value, NO_UNITS, (name,), digits=4),)


def applicability(score: Score) -> Code:
    """How the case compares with the training data; the comments say in what it differs."""
    if score.place is None:
        return NOT_COMPARED
    return OUTSIDE_TRAINING if score.warnings else WITHIN_TRAINING


def _training(score: Score) -> tuple[ContentItem, ...]:
    compared = CodeItem(CONTAINS, APPLICABILITY, applicability(score))
    if score.place is None:
        return (compared,)
    return (
        compared,
        Num(CONTAINS, POSITIVE_PERCENTILE, score.place.positive_percentile, PERCENT, digits=3),
        Num(CONTAINS, NEGATIVE_PERCENTILE, score.place.negative_percentile, PERCENT, digits=3),
    )


def _reasons_group(findings: Findings, score: Score) -> Container:
    group_uid = result_uid(findings, KIND, "contributions")
    hounsfield = findings.method.hounsfield
    contributions = tuple(_contribution(one, hounsfield=hounsfield) for one in top_contributions(score))
    items = (*_algorithm(score.model), *contributions)
    return measurement_group("1501", "Largest contributions to the prediction", group_uid, items)


def top_contributions(score: Score) -> list[Contribution]:
    """The features that move the signature most, the largest first."""
    return sorted(score.contributions, key=lambda c: (-abs(c.term), c.feature))[:TOP_CONTRIBUTIONS]


def _algorithm(model: ModelIdentity) -> tuple[ContentItem, ...]:
    name = f"{model.name} ({DEMONSTRATION_NOTICE})" if model.demonstration else model.name
    return algorithm(name, model.version, (f"model package SHA-256 = {model.sha256}",), ARTIFICIAL_INTELLIGENCE)


def _contribution(contribution: Contribution, *, hounsfield: bool) -> Num:
    feature = describe(contribution.feature, hounsfield=hounsfield)
    return Num(
        CONTAINS,
        CONTRIBUTION,
        contribution.term,
        LOG_ODDS,
        (
            Text(HAS_CONCEPT_MODIFIER, EQUIVALENT_MEANING, contribution.feature),
            Num(INFERRED_FROM, feature.concept, contribution.value, feature.unit, digits=4),
            Num(INFERRED_FROM, STANDARDISED_VALUE, contribution.standardised, STANDARD_DEVIATIONS, digits=4),
        ),
        digits=4,
    )


def _lesion_used(findings: Findings, score: Score) -> str:
    lesion = {m.lesion.number: m.lesion for m in findings.lesions}[score.lesion_number]
    return f"Lesion {lesion.number}: {lesion.tracking_id}"


def probability_digits(probability: float, cut_off: float) -> int:
    """How many digits to print so that a probability beside its cut-off does not look equal to it."""
    enough = (n for n in range(4, 16) if f"{probability:.{n}g}" != f"{cut_off:.{n}g}")
    return 4 if probability == cut_off else next(enough, 15)


def _method(method: Method) -> str:
    software = ", ".join(f"{name} {version}" for name, version in method.software)
    return (
        f"{method.pipeline} {method.pipeline_version}, profile {method.profile} "
        f"(settings SHA-256 {method.settings_digest}), with {software}. "
        f"Every feature is in the report {FEATURES_DESCRIPTION!r}."
        f"{f' Maps: {method.maps}.' if method.maps else ''}"
    )


def _lesion_group(measured: MeasuredLesion, grid: Grid, method: Method) -> Container:
    lesion = measured.lesion
    match measured.features:
        case FeatureVector():
            count = Num(CONTAINS, FEATURE_COUNT, float(len(measured.features)), FEATURES)
            result: tuple[ContentItem, ...] = (count,)
        case Rejected():
            result = _texts((NOT_MEASURED, str(measured.features)))
    items = (
        *measured_by(method),
        *_texts((LESION_LABEL, lesion.label)),
        Num(CONTAINS, VOLUME, lesion.mask.volume_ml(grid), CM3, digits=4),
        *result,
    )
    return measurement_group("1501", lesion.tracking_id, lesion.tracking_uid, items)


def _texts(*named: tuple[Code, str]) -> tuple[ContentItem, ...]:
    """Text items; a text that is empty has nothing to say and may not be written (PS3.3 C.18.3)."""
    return tuple(Text(CONTAINS, name, value) for name, value in named if value)
