"""What two readers drew on the same CT: which lesions are the same, how far they overlap, which features agree."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

from pipelines.cohort.sheet import Sheet, sheet
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Mask
from pipelines.statistics.agreement import FeatureAgreement, Form, Rule, dice, feature_agreement

Evidence = Literal["tracking UID", "overlap"]
_One = TypeVar("_One")
LEAST_DICE: Final = 0.1
"""Lesions that overlap less are not taken for the same one."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """A lesion as one reader drew it.

    Attributes
    ----------
    tracking_uid
        Empty when the segmentation has none.
    mask
        On the grid of the CT, which both readers share.
    """

    tracking_uid: str
    mask: Mask
    volume_ml: float
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One lesion, drawn twice."""

    patient: str
    first: Outlined
    second: Outlined
    evidence: Evidence
    dice: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of two readers over all pairs.

    Attributes
    ----------
    missing
        Features that a lesion lacks; they are not kept.
    """

    pairs: tuple[Pair, ...]
    features: FeatureAgreement
    missing: tuple[str, ...]

    def tables(self) -> tuple[Sheet, Sheet]:
        """The coefficient of every feature, and the overlap of every lesion."""
        found = self.features
        icc = found.icc
        by_feature = [
            (
                name,
                *(_known(one[place]) for one in (icc.estimate, icc.lower, icc.upper, icc.f, icc.p)),
                _yes(found.kept[place]),
            )
            for place, name in enumerate(found.names)
        ] + [(name, None, None, None, None, None, "no") for name in self.missing]
        by_lesion = [
            (pair.patient, pair.evidence, pair.first.volume_ml, pair.second.volume_ml, pair.dice) for pair in self.pairs
        ]
        heads = ["feature", "icc|.3f", "lower|.3f", "upper|.3f", "f|.2f", "p|p", "kept"]
        return (
            sheet(
                "agreement",
                f"{icc.form} of {len(found.names)} features, {icc.subjects} lesions, 2 readers",
                heads,
                by_feature,
            ),
            sheet(
                "overlap",
                "Lesions drawn twice",
                ["patient", "matched by", "first ml|.2f", "second ml|.2f", "dice|.3f"],
                by_lesion,
            ),
        )

    @property
    def median_dice(self) -> float:
        return float(np.median([pair.dice for pair in self.pairs]))


def overlap(first: Mask, second: Mask) -> float:
    """Dice coefficient of two masks on one grid, without the rest of the grid."""
    low = np.minimum(first.offset, second.offset)
    high = np.maximum(np.add(first.offset, first.voxels.shape), np.add(second.offset, second.voxels.shape))
    boxes = []
    for mask in (first, second):
        box = np.zeros(tuple(high - low), dtype=np.bool_)
        start = np.subtract(mask.offset, low)
        box[tuple(slice(a, a + n) for a, n in zip(start, mask.voxels.shape, strict=True))] = mask.voxels
        boxes.append(box)
    return dice(boxes[0], boxes[1])


def paired(patient: str, first: Sequence[Outlined], second: Sequence[Outlined]) -> tuple[Pair, ...]:
    """The lesions that both drew: those of one tracking UID, then those that overlap most; each lesion once."""
    pairs = []
    rest_first, rest_second = list(first), list(second)
    for one in first:
        same = next((two for two in rest_second if one.tracking_uid and two.tracking_uid == one.tracking_uid), None)
        if same is not None:
            pairs.append(Pair(patient, one, same, "tracking UID", overlap(one.mask, same.mask)))
            rest_first.remove(one)
            rest_second.remove(same)
    candidates = [
        (overlap(one.mask, two.mask), i, j) for i, one in enumerate(rest_first) for j, two in enumerate(rest_second)
    ]
    taken_first, taken_second = set[int](), set[int]()
    for value, i, j in sorted(candidates, key=lambda found: (-found[0], found[1], found[2])):
        if value >= LEAST_DICE and i not in taken_first and j not in taken_second:
            taken_first.add(i)
            taken_second.add(j)
            pairs.append(Pair(patient, rest_first[i], rest_second[j], "overlap", value))
    return tuple(pairs)


def largest(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Of each patient the pair whose lesion is largest as the first reader drew it."""
    best: dict[str, Pair] = {}
    for pair in pairs:
        if pair.patient not in best or pair.first.volume_ml > best[pair.patient].first.volume_ml:
            best[pair.patient] = pair
    return tuple(best.values())


def agreement(
    pairs: Sequence[Pair], *, form: Form = "ICC2", rule: Rule = "estimate", threshold: float = 0.8
) -> Agreement | Rejected:
    """Intraclass correlation of every feature over all pairs.

    Returns
    -------
    Rejected
        `COH-009` with fewer than two pairs, or when no feature was measured in all of them.
    """
    if len(pairs) < 2:
        return _incomparable(f"{len(pairs)} lesions were drawn by two readers and measured both times; 2 are needed.")
    names = tuple(pairs[0].first.features)
    tables = [
        np.array([[side.features.get(name, np.nan) for name in names] for side in sides], dtype=np.float64)
        for sides in ([pair.first for pair in pairs], [pair.second for pair in pairs])
    ]
    whole = np.isfinite(np.stack(tables)).all(axis=(0, 1)).reshape(-1)
    if not whole.any():
        return _incomparable("No feature was measured in every lesion by both readers.")
    kept = [name for name, there in zip(names, whole, strict=True) if there]
    found = feature_agreement(tables[0][:, whole], tables[1][:, whole], kept, form=form, rule=rule, threshold=threshold)
    missing = tuple(name for name, there in zip(names, whole, strict=True) if not there)
    return Agreement(tuple(pairs), found, missing)


def sample(items: Sequence[_One], n: int, seed: int) -> tuple[_One, ...]:
    """`n` of the items at random, in their order; the same seed chooses the same of the same items."""
    places = sorted(random.Random(seed).sample(range(len(items)), min(n, len(items))))
    return tuple(items[place] for place in places)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _yes(kept: bool) -> str:
    return "yes" if kept else "no"


def _incomparable(why: str) -> Rejected:
    return Rejected(
        "COH-009", why, "Draw the cases of `pulmonode cohort sample` a second time on the same CT, and send them."
    )
