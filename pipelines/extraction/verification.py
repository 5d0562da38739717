"""The fast engine against PyRadiomics: when to compare them, and how far apart they are."""

from hashlib import sha256
from importlib import metadata
from typing import Final

import numpy as np

from pipelines.domain.features import FeatureVector
from pipelines.domain.identifiers import digest_of
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from pipelines.extraction import native
from pipelines.extraction.oracle import software

FLOOR: Final = 1e-9
"""Smaller values are compared as if they were as large as this.

Sums of numbers around 1 keep 1e-16 of rounding; below this floor that alone would be a relative deviation.
"""

EVERY_CASE: Final = "every case is verified"
FIRST_CASE: Final = "first case with this software"


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


def why_verify(inputs_digest: str, *, every: int, known: bool) -> str | None:
    """Why a case is computed by both engines; None when the fast engine is enough.

    The choice depends on the inputs of the case alone, so that it falls the same way when the case is run again.

    Parameters
    ----------
    inputs_digest
        SHA-256 (hex) of the inputs.
    every
        One case in so many; 1 for all, 0 for none.
    known
        True when a case has been verified with the software that runs now.

    Examples
    --------
    >>> why_verify("1f", every=1, known=True), why_verify("1f", every=0, known=False)
    ('every case is verified', None)
    """
    if every == 0:
        return None
    if every == 1:
        return EVERY_CASE
    if not known:
        return FIRST_CASE
    drawn = int(digest_of("verification", inputs_digest)[:16], 16) % every == 0
    return f"one case in {every}" if drawn else None


def software_identity() -> str:
    """Name and version of all that the numbers come from; a change of any of them calls for a new verification."""
    named = (("pulmonode", metadata.version("pulmonode")), *software(), ("kernels", _kernels_digest()))
    return ", ".join(f"{name} {version}" for name, version in named)


def _kernels_digest() -> str:
    """Start of the SHA-256 of the compiled kernels: another compiler makes other kernels of the same version."""
    path = native.kernels_path()
    return "not built" if path is None else sha256(path.read_bytes()).hexdigest()[:12]
