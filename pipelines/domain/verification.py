"""What came out when the numbers of a lesion were compared with those of a reference."""

from dataclasses import dataclass


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
