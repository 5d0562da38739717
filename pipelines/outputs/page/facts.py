"""What the page says about a case, as text: patient, warnings, lesions in the order in which they are shown."""

import re
from typing import Final

from pydicom import Dataset
from pydicom.valuerep import PersonName

from pipelines.domain.case import Findings, MeasuredLesion
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Place, Score
from pipelines.outputs.case_report import probability_digits
from pipelines.outputs.page.words import Words

FURTHER_VIEWS: Final = 4
UNKNOWN: Final = "\N{EN DASH}"


def shown_lesions(findings: Findings) -> tuple[MeasuredLesion, ...]:
    """The lesions that get a picture: the scored one, or the largest without a score; then the next largest."""
    scored = findings.score.lesion_number if isinstance(findings.score, Score) else None
    order = sorted(findings.lesions, key=lambda m: (m.lesion.number != scored, -m.lesion.mask.count, m.lesion.number))
    return tuple(order[: 1 + FURTHER_VIEWS])


def warnings(findings: Findings) -> list[Rejected]:
    """Everything that a reader of the page should know; one warning of each code stands before all others."""
    score = [findings.score] if isinstance(findings.score, Rejected) else []
    refused = [measured.features for measured in findings.lesions if isinstance(measured.features, Rejected)]
    every = [*score, *refused, *findings.case.notes]
    codes = [warning.code for warning in every]
    first = [codes.index(code) for code in dict.fromkeys(codes)]
    return [every[n] for n in (*first, *(n for n in range(len(every)) if n not in first))]


def warning_text(warning: Rejected, words: Words) -> str:
    """A warning in one line, with its meaning in the language of the page before its details."""
    meaning = words.meanings.get(warning.code)
    return (
        f"{warning.code} {warning.detail} {warning.remedy}"
        if meaning is None
        else (f"{warning.code} {meaning}。{warning.detail} {warning.remedy}")
    )


def warning_counts(rest: list[Rejected]) -> str:
    """The codes of warnings for which there is no room, each with its number."""
    codes = [warning.code for warning in rest]
    return ", ".join(f"{code} ({codes.count(code)})" for code in dict.fromkeys(codes))


def probability_text(score: Score) -> tuple[str, str]:
    """Probability and cut-off with as many digits as the case report gives them."""
    digits = probability_digits(score.probability, score.cut_off)
    return f"{score.probability:.{digits}g}", f"{score.cut_off:.{digits}g}"


def percentile_line(place: Place, words: Words) -> str:
    """Where the score lies among the training cases."""
    return words.percentiles.format(
        positive=f"{place.positive_percentile:.0f}",
        negative=f"{place.negative_percentile:.0f}",
        positives=place.positives,
        negatives=place.negatives,
    )


def score_lines(score: Score, words: Words) -> list[str]:
    """The score on the model's own scale, and its place among the training cases, as far as the model says."""
    scaled, place = score.scaled, score.place
    return [
        *(() if scaled is None else (f"{scaled.name}: {scaled.value:.4g}",)),
        *(() if place is None else (percentile_line(place, words),)),
    ]


def person(name: PersonName | str | None) -> str:
    """A person's name in reading order, in Latin letters and then in the person's own script (PS3.5 6.2)."""
    groups = str(name or "").split("=")
    latin = ", ".join(part for part in (groups[0].split("^")[0].strip(), _given(groups[0])) if part)
    others = [re.sub(r"[\s^]+", " ", group).strip() for group in groups[1:2]]
    return "  ".join(part for part in (latin, *others) if part) or UNKNOWN


def _given(group: str) -> str:
    return re.sub(r"\s+", " ", " ".join(part for part in group.split("^")[1:] if part)).strip()


def day(value: object) -> str:
    """A date (VR DA) as 2026-03-01; anything else as it stands."""
    text = str(value or "").strip()
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if re.fullmatch(r"\d{8}", text) else text or UNKNOWN


def age(value: object) -> str:
    """An age (VR AS) as 75 Y; anything else as it stands."""
    text = str(value or "").strip()
    return f"{int(text[:3])} {text[3]}" if re.fullmatch(r"\d{3}[DWMY]", text) else text or UNKNOWN


def term_text(term: float) -> str:
    """A term of the Rad-signature with its sign."""
    return f"{term:+.3f}" if abs(term) < 1000 else f"{term:+.2g}"


def value_of(header: Dataset, keyword: str) -> str:
    """An attribute as text; a dash where there is none."""
    return str(header.get(keyword) or "").strip() or UNKNOWN
