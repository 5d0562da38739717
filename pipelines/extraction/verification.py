"""How far the fast engine lies from PyRadiomics, and with which software that was found."""

from hashlib import sha256
from importlib import metadata
from typing import Final

import numpy as np

from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from pipelines.extraction import native
from pipelines.extraction.oracle import software

FLOOR: Final = 1e-9
"""Smaller values are compared as if they were as large as this.

Sums of numbers around 1 keep 1e-16 of rounding; below this floor that alone would be a relative deviation.
"""


def compare(fast: FeatureVector | Rejected, reference: FeatureVector | Rejected, *, tolerance: float) -> Verification:
    """How far `fast` lies from `reference`.

    The deviation of a feature is |fast - reference| / max(|fast|, |reference|, `FLOOR`). It is infinite where one is
    NaN and the other is not, and where infinities differ; two NaN are equal.

    Examples
    --------
    >>> one, other = (FeatureVector(("a", "b"), np.array([1.0, value])) for value in (4.0, 5.0))
    >>> compare(one, other, tolerance=1e-9).deviation, compare(one, other, tolerance=1e-9).feature
    (0.2, 'b')
    """
    if isinstance(fast, Rejected) or isinstance(reference, Rejected):
        agree = isinstance(fast, Rejected) and isinstance(reference, Rejected)
        return Verification(0, 0.0 if agree else np.inf, "", tolerance)
    if fast.names != reference.names:
        raise ValueError("only the same features can be compared")
    one, other = fast.values, reference.values
    alike = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(np.maximum(np.abs(one), np.abs(other)), FLOOR)
    apart = np.where(alike, 0.0, np.where(np.isfinite(apart), apart, np.inf))
    worst = int(apart.argmax())
    deviation = float(apart[worst])
    return Verification(len(fast), deviation, fast.names[worst] if deviation else "", tolerance)


def software_identity() -> str:
    """Name and version of all that the numbers come from; a change of any of them calls for a new verification."""
    named = (("pulmonode", metadata.version("pulmonode")), *software(), ("kernels", _kernels_digest()))
    return ", ".join(f"{name} {version}" for name, version in named)


def _kernels_digest() -> str:
    """Start of the SHA-256 of the compiled kernels: another compiler makes other kernels of the same version."""
    path = native.kernels_path()
    return "not built" if path is None else sha256(path.read_bytes()).hexdigest()[:12]
