"""The training data of a model in numbers: what a new case is compared with before its score is believed."""

from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator

from pipelines.scoring.parts import Count, Number, Part, Positive, Text

QUANTILES: Final = {
    "min": 0.0,
    "p1": 0.01,
    "p5": 0.05,
    "p25": 0.25,
    "median": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "p99": 0.99,
    "max": 1.0,
}
"""The quantiles that describe a distribution, in ascending order, each with its probability."""


class Quantiles(Part):
    """How a number is distributed in the training data: its smallest and largest value and quantiles between."""

    min: Number
    p1: Number
    p5: Number
    p25: Number
    median: Number
    p75: Number
    p95: Number
    p99: Number
    max: Number

    @property
    def values(self) -> tuple[float, ...]:
        """All of them in ascending order, as `QUANTILES` names them."""
        return self.min, self.p1, self.p5, self.p25, self.median, self.p75, self.p95, self.p99, self.max

    @model_validator(mode="after")
    def _ascend(self) -> "Quantiles":
        if list(self.values) != sorted(self.values):
            raise ValueError("the quantiles do not ascend")
        return self


class ClassScores(Part):
    """Linear predictors of the training cases of one class.

    Attributes
    ----------
    n
        How many cases.
    ecdf
        Linear predictor at equally spaced probabilities from 0 (the smallest) to 1 (the largest).
    """

    n: Count
    ecdf: Annotated[tuple[Number, ...], Field(min_length=2, max_length=1001)]

    @field_validator("ecdf")
    @classmethod
    def _ascends(cls, ecdf: tuple[float, ...]) -> tuple[float, ...]:
        if list(ecdf) != sorted(ecdf):
            raise ValueError("does not ascend")
        return ecdf


class Distance(Part):
    """How far a case lies from the middle of the training data, over all features of the model at once.

    The squared distance is d' P d, where d = (value - centre) / scale for each feature in the model's order.

    Attributes
    ----------
    centre, scale
        Robust location and scale of each feature.
    precision
        P, inverse of the robust correlation matrix, shape (features, features), row by row.
    training
        Distances of the training cases themselves.
    """

    method: Text
    centre: tuple[Number, ...]
    scale: tuple[Positive, ...]
    precision: tuple[tuple[Number, ...], ...]
    training: Quantiles

    @model_validator(mode="after")
    def _shapes_fit(self) -> "Distance":
        n = len(self.centre)
        if len(self.scale) != n or len(self.precision) != n or any(len(row) != n for row in self.precision):
            raise ValueError("centre, scale and precision are of different sizes")
        return self


class Scanner(Part):
    """Manufacturer (0008,0070) and Manufacturer's Model Name (0008,1090)."""

    manufacturer: str
    model: str


class Acquisition(Part):
    """How the training images were taken; what is empty or None was not recorded, and is not compared.

    Attributes
    ----------
    slice_thickness_mm
        Slice Thickness (0018,0050).
    kernels
        Convolution Kernel (0018,1210), as written.
    kvp
        KVP (0018,0060).
    days_before_therapy
        From the CT to the first dose; negative for a CT after it.
    """

    slice_thickness_mm: Quantiles | None = None
    kernels: tuple[Text, ...] = ()
    kvp: tuple[Number, ...] = ()
    scanners: tuple[Scanner, ...] = ()
    days_before_therapy: Quantiles | None = None


class Reference(Part):
    """What a case is compared with before its score is believed: the training data in numbers.

    Attributes
    ----------
    features
        Distribution of each feature of the model, in the model's order.
    distance
        None where the cases are too few for it.
    positive, negative
        Scores of the training cases by the class that they truly belong to.
    """

    features: tuple[Quantiles, ...]
    distance: Distance | None
    acquisition: Acquisition
    positive: ClassScores
    negative: ClassScores
