"""Whether a model knows cases like this one: the case beside what the model was trained on."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Place
from pipelines.scoring.acquired import Acquired
from pipelines.scoring.model import Model
from pipelines.scoring.reference import Acquisition, ClassScores, Quantiles, Reference
from pipelines.scoring.summary import mahalanobis

_READ_WITH_CARE: Final = "Read the score with care: the model has not learned from cases like this one."
_THICKNESS_TOLERANCE_MM: Final = 0.01
_KVP_TOLERANCE: Final = 0.5


def warnings(model: Model, values: NDArray[np.float64], taken: Acquired) -> tuple[Rejected, ...]:
    """In what a case is unlike the training data of `model`.

    Parameters
    ----------
    values
        The model's features of the scored lesion, in the model's order, shape (features,).

    Returns
    -------
    tuple of Rejected
        `MODEL-011` for features beyond the smallest or largest of the training data, `MODEL-012` when they all together
        lie further from its middle than 99 of 100 training cases, `MODEL-013` to `MODEL-016` for the acquisition, as
        far as both sides are known; `MODEL-017` alone when the model says nothing.
    """
    reference = model.reference
    if reference is None:
        return (
            Rejected(
                "MODEL-017",
                f"Model {model.name} {model.version} holds no numbers of its training data: the case was not compared.",
                "Ask the maker of the model for a package that does.",
            ),
        )
    names = [feature.name for feature in model.features]
    return (*_of_features(reference, names, values), *_of_acquisition(reference.acquisition, taken))


def place(reference: Reference, signature: float) -> Place:
    """Where `signature` lies among the training cases of either class."""
    positive, negative = reference.positive, reference.negative
    return Place(
        positive_percentile=_percentile(positive, signature),
        negative_percentile=_percentile(negative, signature),
        positives=positive.n,
        negatives=negative.n,
        lowest=min(positive.ecdf[0], negative.ecdf[0]),
        highest=max(positive.ecdf[-1], negative.ecdf[-1]),
    )


def _percentile(scores: ClassScores, signature: float) -> float:
    ecdf = np.array(scores.ecdf)
    if signature <= ecdf[0]:
        return 0.0
    if signature >= ecdf[-1]:
        return 100.0
    # of equal quantiles the last one counts: all cases up to there score no more
    upper = int(np.searchsorted(ecdf, signature, side="right"))
    low, high = float(ecdf[upper - 1]), float(ecdf[upper])
    return 100.0 * (upper - 1 + (signature - low) / (high - low)) / (len(ecdf) - 1)


def _of_features(reference: Reference, names: Sequence[str], values: NDArray[np.float64]) -> Iterator[Rejected]:
    outside = [
        f"{name} is {value:.4g}, in training {of.min:.4g} to {of.max:.4g}"
        for name, value, of in zip(names, values.tolist(), reference.features, strict=True)
        if not of.min <= value <= of.max
    ]
    if outside:
        yield Rejected("MODEL-011", f"{'; '.join(outside)}.", _READ_WITH_CARE)
    if reference.distance is None:
        return
    distance = float(mahalanobis(reference.distance, values[np.newaxis])[0])
    training = reference.distance.training
    if distance > training.p99:
        yield Rejected(
            "MODEL-012",
            f"The features lie {distance:.3g} from the middle of the training data (Mahalanobis distance), 99 of 100 "
            f"training cases within {training.p99:.3g}.",
            _READ_WITH_CARE,
        )


def _of_acquisition(trained: Acquisition, taken: Acquired) -> Iterator[Rejected]:
    thickness, of = taken.slice_thickness_mm, trained.slice_thickness_mm
    if thickness is not None and of is not None and _outside(thickness, of, _THICKNESS_TOLERANCE_MM):
        yield _unlike("MODEL-013", f"The slices are {thickness:g} mm thick, in training {of.min:g} to {of.max:g} mm.")
    if taken.kernel is not None and trained.kernels and not _listed(taken.kernel, trained.kernels):
        known = ", ".join(trained.kernels)
        yield _unlike(
            "MODEL-014", f"The CT was reconstructed with kernel {taken.kernel}, those in training with {known}."
        )
    if taken.kvp is not None and trained.kvp and all(abs(taken.kvp - kvp) > _KVP_TOLERANCE for kvp in trained.kvp):
        known = ", ".join(f"{kvp:g}" for kvp in trained.kvp)
        yield _unlike("MODEL-015", f"The CT was taken at {taken.kvp:g} kV, those in training at {known} kV.")
    days, interval = taken.days_before_therapy, trained.days_before_therapy
    if days is not None and interval is not None and _outside(days, interval, 0.5):
        yield _unlike(
            "MODEL-016",
            f"The CT was taken {days:g} days before therapy, those in training {interval.min:g} to {interval.max:g}.",
        )


def _unlike(code: str, detail: str) -> Rejected:
    return Rejected(code, detail, _READ_WITH_CARE)


def _outside(value: float, of: Quantiles, tolerance: float) -> bool:
    return not of.min - tolerance <= value <= of.max + tolerance


def _listed(kernel: str, kernels: Sequence[str]) -> bool:
    return _plain(kernel) in {_plain(one) for one in kernels}


def _plain(kernel: str) -> tuple[str, ...]:
    # scanners pad and spell the parts of a kernel in more than one way
    return tuple(part.strip().casefold() for part in kernel.split("\\"))
