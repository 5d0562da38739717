"""Lesions of two readers find each other, and features agree as they were made to."""

import numpy as np
import pytest

from pipelines.cohort.readers import Outlined, Pair, agreement, largest, overlap, paired, sample
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Mask


def block(start: int, length: int = 4) -> Mask:
    return Mask((start, 2, 2), np.ones((length, 4, 4), dtype=np.bool_))


def lesion(start: int, uid: str = "", volume: float = 1.0, **features: float) -> Outlined:
    return Outlined(uid, block(start), volume, features)


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 0.75), (3, 0.25), (4, 0.0), (40, 0.0)])
def test_dice_of_masks_that_lie_apart_needs_no_grid(shift: int, expected: float) -> None:
    assert overlap(block(3), block(3 + shift)) == overlap(block(3 + shift), block(3)) == expected


def test_a_tracking_uid_counts_more_than_overlap_and_each_lesion_once() -> None:
    first = [lesion(0, "1.2.3"), lesion(10), lesion(30)]
    second = [lesion(11), lesion(12), lesion(0), lesion(1, "1.2.3"), lesion(60)]
    found = paired("P", first, second)
    assert [(pair.evidence, pair.dice) for pair in found] == [("tracking UID", 0.75), ("overlap", 0.75)]
    assert found[1].second is second[0]


def test_the_largest_lesion_of_each_patient_counts() -> None:
    pairs = [
        Pair(patient, lesion(0, volume=volume), lesion(0), "overlap", 1.0)
        for patient, volume in [("A", 1.0), ("A", 3.0), ("B", 2.0)]
    ]
    assert largest(pairs) == (pairs[1], pairs[2])


def test_a_feature_that_readers_share_is_kept_and_noise_or_a_gap_is_not() -> None:
    rng = np.random.default_rng(4)
    pairs = []
    for n in range(20):
        one = lesion(0, same=float(n), noise=rng.normal(), gap=float(n))
        two = lesion(0, same=n + 0.01 * rng.normal(), noise=rng.normal(), gap=np.nan if n == 3 else float(n))
        pairs.append(Pair(f"P{n}", one, two, "overlap", 1.0))
    found = agreement(pairs)
    assert not isinstance(found, Rejected)
    assert (found.features.kept_names, found.missing, found.features.icc.form) == (("same",), ("gap",), "ICC2")
    by_feature, by_lesion = found.tables()
    assert [row[-1] for row in by_feature.rows] == ["yes", "no", "no"]
    assert len(by_lesion.rows) == 20


def test_one_lesion_is_too_few() -> None:
    found = agreement([Pair("P", lesion(0, a=1.0), lesion(0, a=1.0), "overlap", 1.0)])
    assert isinstance(found, Rejected) and found.code == "COH-009"


def test_the_same_seed_chooses_the_same_cases_in_their_order() -> None:
    chosen = sample(range(100), 20, 7)
    assert chosen == sample(range(100), 20, 7) == tuple(sorted(set(chosen)))
    assert chosen != sample(range(100), 20, 8)
    assert sample(range(3), 20, 7) == (0, 1, 2)
