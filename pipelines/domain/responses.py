"""The categories of response of RECIST 1.1 and iRECIST, with the codes that they are written as."""

from enum import StrEnum
from typing import Final

from pipelines.domain import response_codes as codes
from pipelines.domain.coding import Code


class TargetResponse(StrEnum):
    """What the target lesions did; `NONE` where there are none."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NE = "NE"
    NONE = "none"

    @property
    def code(self) -> Code:
        return _TARGET[self]


class NonTargetResponse(StrEnum):
    """What the non-target lesions did; `NONE` where there are none."""

    CR = "CR"
    NON_CR_NON_PD = "NON-CR/NON-PD"
    PD = "PD"
    NE = "NE"
    NONE = "none"

    @property
    def code(self) -> Code:
        return _NON_TARGET[self]


class OverallResponse(StrEnum):
    """What the patient's disease did: of a visit, or the best of all visits."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    NON_CR_NON_PD = "NON-CR/NON-PD"
    PD = "PD"
    NE = "NE"

    @property
    def code(self) -> Code:
        return _OVERALL[self]


class ImmuneResponse(StrEnum):
    """The overall response of a visit in iRECIST."""

    ICR = "iCR"
    IPR = "iPR"
    ISD = "iSD"
    NON_ICR_NON_IUPD = "NON-iCR/NON-iUPD"
    IUPD = "iUPD"
    ICPD = "iCPD"
    NE = "NE"

    @property
    def code(self) -> Code:
        return _IMMUNE[self]


_TARGET: Final = {
    TargetResponse.CR: codes.TARGET_CR,
    TargetResponse.PR: codes.TARGET_PR,
    TargetResponse.SD: codes.TARGET_SD,
    TargetResponse.PD: codes.TARGET_PD,
    TargetResponse.NE: codes.NOT_EVALUABLE,
    TargetResponse.NONE: codes.NOT_EVALUABLE,
}
_NON_TARGET: Final = {
    NonTargetResponse.CR: codes.NON_TARGET_CR,
    NonTargetResponse.NON_CR_NON_PD: codes.NON_TARGET_PERSISTS,
    NonTargetResponse.PD: codes.NON_TARGET_PD,
    NonTargetResponse.NE: codes.NOT_EVALUABLE,
    NonTargetResponse.NONE: codes.NOT_EVALUABLE,
}
_OVERALL: Final = {
    OverallResponse.CR: codes.OVERALL_CR,
    OverallResponse.PR: codes.OVERALL_PR,
    OverallResponse.SD: codes.OVERALL_SD,
    OverallResponse.NON_CR_NON_PD: codes.OVERALL_NEITHER,
    OverallResponse.PD: codes.OVERALL_PD,
    OverallResponse.NE: codes.NOT_EVALUABLE,
}
_IMMUNE: Final = {
    ImmuneResponse.ICR: codes.IMMUNE_CR,
    ImmuneResponse.IPR: codes.IMMUNE_PR,
    ImmuneResponse.ISD: codes.IMMUNE_SD,
    ImmuneResponse.NON_ICR_NON_IUPD: codes.IMMUNE_NEITHER,
    ImmuneResponse.IUPD: codes.IMMUNE_UPD,
    ImmuneResponse.ICPD: codes.IMMUNE_CPD,
    ImmuneResponse.NE: codes.NOT_EVALUABLE,
}
