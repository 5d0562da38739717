"""The form that every pipeline fills in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.domain.case import Case, Findings
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.outputs.check import check

OutputBuilder = Callable[[Findings, Producer], Iterator[ResultObject]]
"""Makes the objects of one kind; nothing when the findings give no reason for any."""


@dataclass(frozen=True, slots=True)
class Accepts:
    """Which objects start a case of the pipeline: a segmentation of a series of images."""

    images: frozenset[SopClassUID]
    segmentations: frozenset[SopClassUID]


@dataclass(frozen=True, slots=True)
class Verifiable:
    """How a pipeline checks its own numbers.

    Attributes
    ----------
    measure
        As the pipeline does, but every lesion twice; the findings say how far the numbers lie apart.
    every
        One case in so many is to be verified; 1 for all, 0 for none.
    software
        Everything that the numbers come from; when it changes, the next case is to be verified.
    """

    measure: Callable[[Case], Findings | Rejected]
    every: int
    software: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From a case to the objects that go back to the PACS.

    Attributes
    ----------
    measure
        Makes the findings, or tells why there are none.
    outputs
        Builders, in the order in which their objects are sent.
    maps
        Which features are mapped and why, for people to read; empty when none.
    verifiable
        None when the numbers come from the reference itself.
    lesions
        Which segments are lesions.
    """

    name: str
    version: str
    accepts: Accepts
    measure: Callable[[Case], Findings | Rejected]
    outputs: tuple[OutputBuilder, ...]
    maps: str = ""
    verifiable: Verifiable | None = None
    lesions: LesionRule = DEFAULT_RULE


def build_objects(pipeline: Pipeline, findings: Findings, producer: Producer) -> Iterator[ResultObject | Rejected]:
    """Build the objects of `findings` one after the other, each checked before it is handed out.

    One object at a time is held, because a Parametric Map of a long CT fills 100 MB. The first object that fails its
    self-check ends the iteration with the reason.
    """
    for build in pipeline.outputs:
        for made in build(findings, producer):
            fault = check(made, findings)
            if fault is not None:
                yield fault
                return
            yield made
