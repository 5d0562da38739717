"""The model card: what a model says about itself, item by item of the checklists, as tables of values.

An item that nothing answers says "not reported": a card never argues, and never leaves a gap unseen.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pipelines.scoring.checklists import CHECKLISTS, TOPICS
from pipelines.scoring.facts import ModelFacts, Performance
from pipelines.scoring.model import canonical_json
from pipelines.scoring.reference import Acquisition, Quantiles

NOT_REPORTED: Final = "not reported"


def card_files(facts: ModelFacts, said: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """`card.json` and `card.md` of a model.

    Parameters
    ----------
    said
        What the run or its owner says on a topic (a key of `TOPICS`), in place of what follows from `facts`.

    Raises
    ------
    ValueError
        If something is said on a topic that there is not.
    """
    unknown = sorted((said or {}).keys() - TOPICS.keys())
    if unknown:
        raise ValueError(f"no topics of a model card: {', '.join(unknown)}")
    answers = {**dict(_known(facts)), **{topic: text for topic, text in (said or {}).items() if text.strip()}}
    return {"card.json": _json(facts, answers), "card.md": _markdown(facts, answers)}


def _known(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    """What follows from the model's own members."""
    training, extraction = facts.training, facts.extraction
    yield "title", f"{facts.name} {facts.version}, logistic regression on {len(facts.features)} radiomics features"
    yield "intended_use", facts.intended_use
    yield "data", training.data
    yield "dates", f"{training.data_from} to {training.data_to}"
    yield "events", f"{training.n} cases, {training.events} of them {facts.positive_class}"
    yield "predictors", ", ".join(feature.name for feature in facts.features)
    yield "predictor_handling", "each feature minus its mean, divided by its SD in the training data"
    yield "selection", training.feature_selection
    yield "dimensionality", f"{len(facts.features)} features, {_events_per_feature(facts):.3g} events per feature"
    yield "model", f"logistic regression; {training.estimator}"
    yield "training", training.estimator
    yield "imbalance", f"{training.events} of {training.n} cases are of the positive class"
    yield (
        "output",
        (
            f"probability of {facts.positive_class}; {facts.positive_class} from {facts.cut_off.value:g} on "
            f"({facts.cut_off.rule}), else {facts.negative_class}"
        ),
    )
    yield "prediction", "1 / (1 + exp(-(intercept + sum of coefficient x (value - mean) / sd)))"
    yield "specification", _specification(facts)
    yield "software", ", ".join(f"{name} {version}" for name, version in sorted(training.software.items()))
    yield "extraction", f"profile {extraction.profile}, settings SHA-256 {extraction.settings_sha256}"
    yield "model_sharing", f"this package; licence {facts.licence}"
    yield "explainability", "the node prints what each feature adds to the linear predictor of a case"
    yield (
        "input_quality",
        (
            "the node reports no score when a feature has no value, and warns of cases unlike the training data"
            if facts.reference is not None
            else "the node reports no score when a feature has no value; it cannot compare cases with the training data"
        ),
    )
    if facts.performance:
        yield "measures", ", ".join(dict.fromkeys(one.measure for one in facts.performance))
        yield "performance", "; ".join(_performance(one) for one in facts.performance)
    intervals = [one for one in facts.performance if one.ci_low is not None]
    if intervals:
        yield "uncertainty", "; ".join(_performance(one) for one in intervals)
    for topic, data in (("internal_validation", "internal"), ("external_validation", "external")):
        of_kind = [one for one in facts.performance if one.data == data]
        if of_kind:
            yield topic, "; ".join(_performance(one) for one in of_kind)
    if facts.reference is not None:
        yield from _acquired(facts.reference.acquisition)


def _acquired(acquisition: Acquisition) -> Iterator[tuple[str, str]]:
    parts = []
    if acquisition.slice_thickness_mm is not None:
        parts.append(f"slice thickness {_range(acquisition.slice_thickness_mm)} mm")
    if acquisition.kernels:
        parts.append(f"kernels {', '.join(acquisition.kernels)}")
    if acquisition.kvp:
        parts.append(f"kVp {', '.join(f'{kvp:g}' for kvp in acquisition.kvp)}")
    if acquisition.scanners:
        parts.append(f"scanners {', '.join(f'{s.manufacturer} {s.model}'.strip() for s in acquisition.scanners)}")
    if parts:
        yield "acquisition", "; ".join(parts)
    if acquisition.days_before_therapy is not None:
        yield "interval", f"CT {_range(acquisition.days_before_therapy)} days before therapy"


def _range(of: Quantiles) -> str:
    return f"{of.min:g} to {of.max:g} (median {of.median:g})"


def _events_per_feature(facts: ModelFacts) -> float:
    training = facts.training
    return min(training.events, training.n - training.events) / len(facts.features)


def _specification(facts: ModelFacts) -> str:
    terms = (f"{f.coefficient:+.6g} x ({f.name} - {f.mean:g}) / {f.sd:g}" for f in facts.features)
    return f"{facts.intercept:.6g} {' '.join(terms)}"


def _performance(one: Performance) -> str:
    interval = (
        ""
        if one.ci_low is None or one.ci_high is None or one.ci_level is None
        else f" ({100 * one.ci_level:g} % CI {one.ci_low:.3g} to {one.ci_high:.3g})"
    )
    return f"{one.data} {one.measure} {one.value:.3g}{interval}, {one.method}"


def _json(facts: ModelFacts, answers: Mapping[str, str]) -> bytes:
    items = [
        {
            "checklist": item.checklist,
            "item": item.number,
            "title": item.title,
            "topic": item.topic,
            "value": answers.get(item.topic, NOT_REPORTED),
            "reported": item.topic in answers,
        }
        for checklist in CHECKLISTS.values()
        for item in checklist
    ]
    return canonical_json({"model": facts.name, "version": facts.version, "items": items})


def _markdown(facts: ModelFacts, answers: Mapping[str, str]) -> bytes:
    notice = "\n**Demonstration only: not for clinical use.**\n" if facts.demonstration else ""
    parts = [f"# Model card: {facts.name} {facts.version}\n{notice}"]
    summary = ("intended_use", "data", "events", "output", "performance", "limitations", "model_sharing")
    parts.append(_table(("Topic", "Value"), ((TOPICS[t], answers.get(t, NOT_REPORTED)) for t in summary)))
    for name, items in CHECKLISTS.items():
        reported = sum(item.topic in answers for item in items)
        parts.append(f"## {name}\n\n{reported} of {len(items)} items have a value.\n")
        rows = ((item.number, item.title, answers.get(item.topic, NOT_REPORTED)) for item in items)
        parts.append(_table(("Item", "About", "Value"), rows))
    return "\n".join(parts).encode()


def _table(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
