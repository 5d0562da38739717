"""The numbers of a lesion beside those of a reference: when they are compared, and what came out."""

from dataclasses import dataclass
from typing import Final

from pipelines.domain.identifiers import digest_of

EVERY_CASE: Final = "every case is verified"
FIRST_CASE: Final = "first case with this software"


@dataclass(frozen=True, slots=True)
class Verification:
    """The fast engine beside PyRadiomics, on one lesion.

    Attributes
    ----------
    compared
        How many features; 0 when both refused the lesion.
    deviation
        Largest relative deviation of a feature; infinite when one engine has a number where the other has none.
    feature
        The feature that deviates most; empty when all are equal, or only one engine measured the lesion.
    tolerance
        Largest deviation at which the numbers of the fast engine are reported.
    """

    compared: int
    deviation: float
    feature: str
    tolerance: float

    @property
    def failed(self) -> bool:
        """True when PyRadiomics' numbers were reported instead."""
        return self.deviation > self.tolerance

    def __str__(self) -> str:
        worst = f" ({self.feature})" if self.feature else ""
        reported = "PyRadiomics" if self.failed else "the fast engine"
        return (
            f"{self.compared} features compared with PyRadiomics, largest relative deviation "
            f"{self.deviation:.2g}{worst}, tolerance {self.tolerance:g}, reported as {reported} computed them"
        )


def why_verify(inputs_digest: str, *, every: int, known: bool, before: str | None, attempt: int = 1) -> str | None:
    """Why a case is computed by both engines; None when the fast engine is enough.

    A case that is run again with the same inputs and software gets the same answer, and with it the same objects: the
    draw depends on the inputs alone, and what was verified once is verified again. A run that is not the first attempt
    is not picked for verification: PyRadiomics takes longer and holds up the process, which may be what ended the last.

    Parameters
    ----------
    inputs_digest
        SHA-256 (hex) of the inputs.
    every
        One case in so many; 1 for all, 0 for none.
    known
        True when a case has been verified with the software that runs now.
    before
        Why this case was verified when it was run before with the same inputs and software; None when it was not.
    attempt
        Runs of the case since it was complete, with this one.

    Examples
    --------
    >>> why_verify("1f", every=1, known=True, before=None), why_verify("1f", every=0, known=False, before=None)
    ('every case is verified', None)
    """
    if every == 0:
        return None
    if every == 1:
        return EVERY_CASE
    if before is not None:
        return before
    if attempt > 1:
        return None
    if not known:
        return FIRST_CASE
    drawn = int(digest_of("verification", inputs_digest)[:16], 16) % every == 0
    return f"one case in {every}" if drawn else None
