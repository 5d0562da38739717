"""Why something was not done: the one table of message codes, and the value that carries a reason."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rejected:
    """A case, an instance or a lesion that cannot be used, with the reason a person can act on.

    Attributes
    ----------
    code
        A key of `CODES`.
    detail
        What is wrong with which object; UIDs and numbers, never a patient's name.
    remedy
        What to do about it.
    """

    code: str
    detail: str
    remedy: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown message code {self.code}")

    def __str__(self) -> str:
        return f"{self.code} {self.detail} {self.remedy}"


CODES: Final[dict[str, str]] = {
    # receiving an instance
    "RCV-001": "The instance is malformed",
    "RCV-002": "The instance is not what the C-STORE request announced",
    "RCV-003": "The spool has no space left",
    "RCV-004": "Another instance with this SOP Instance UID is already stored",
    "RCV-005": "The spool or the ledger could not be written",
    "RCV-006": "The association was refused",
    "RCV-007": "A storage commitment could not be answered",
    "RCV-008": "The spool is not there",
    # the CT series
    "CT-001": "The CT slices do not belong to one volume",
    "CT-002": "CT slices are missing",
    "CT-003": "The CT geometry is not supported",
    "CT-004": "The pixel data of a CT instance is damaged or cannot be decoded",
    "CT-005": "The series holds no CT image that can be measured",
    "CT-006": "The CT slices were shifted onto an upright grid",
    "CT-007": "The CT slices were interpolated to equal steps",
    "CT-008": "The CT was compressed with loss",
    "CT-009": "The lesion reaches beyond what the CT measured",
    "CT-010": "Images of the CT series were left out",
    "CT-011": "The CT values are not Hounsfield units",
    # text
    "TXT-001": "Text of the patient or the study cannot be decoded",
    "TXT-002": "The label of a segment cannot be decoded",
    "TXT-003": "Text cannot be written in the character set of a peer",
    # the segmentation
    "SEG-001": "The CT series of the segmentation has not arrived",
    "SEG-002": "The CT series of the segmentation cannot be told",
    "SEG-003": "The segmentation is drawn on another frame of reference",
    "SEG-004": "The segmentation holds no lesion",
    "SEG-005": "The segmentation belongs to another patient",
    "SEG-006": "The segmentation cannot be decoded",
    "SEG-007": "The segmentation does not lie on the CT",
    "SEG-008": "The segmentation was carried over to the grid of the CT",
    # files of volumes, and lists of them
    "VOL-001": "The image or the mask cannot be read",
    "VOL-002": "The row of the list cannot be used",
    "VOL-003": "The image of the mask cannot be told",
    "SEG-009": "The fractional segmentation was cut at a threshold",
    "SEG-010": "A part of the segmentation was left out",
    "SEG-011": "Some segments are no lesions, or were taken without saying so",
    # one lesion
    "ROI-001": "The lesion is too small to measure",
    "ROI-002": "The segment is empty",
    "ROI-003": "The features of the lesion could not be computed",
    "ROI-004": "The lesion was measured by PyRadiomics itself",
    # feature maps
    "MAP-001": "A feature map was left out",
    "ROI-010": "The fast engine deviated from PyRadiomics",
    # the engines
    "ENG-001": "PyRadiomics is missing or another one",
    "ENG-002": "The parameter file cannot be used",
    # the model package
    "MODEL-001": "The model package is damaged or altered",
    "MODEL-002": "The model package needs features that the node does not compute",
    "MODEL-003": "The model package was trained with other extraction settings",
    "MODEL-004": "The model package cannot be read",
    "MODEL-005": "The case cannot be scored",
    "MODEL-006": "The model package is not signed",
    "MODEL-007": "The model package is signed with a key that is not trusted",
    "MODEL-008": "The model was retired",
    "MODEL-009": "No model is active",
    "MODEL-010": "The key cannot be used",
    "MODEL-011": "A feature lies outside the range of the training data",
    "MODEL-012": "The features together lie far from the training data",
    "MODEL-013": "The slice thickness lies outside that of the training data",
    "MODEL-014": "The convolution kernel is none of the training data",
    "MODEL-015": "The tube voltage is none of the training data",
    "MODEL-016": "The CT was taken at another time before therapy than the training data",
    "MODEL-017": "The model does not say in numbers what it was trained on",
    "MODEL-018": "Another package of this name and version is known",
    "MODEL-019": "The record of models cannot be used",
    # training a model
    "TRAIN-001": "The cohort cannot be read",
    "TRAIN-002": "The cohort is too small to train on",
    "TRAIN-003": "No feature was selected",
    "TRAIN-004": "The results of the training cannot be written",
    "TRAIN-005": "The cohort does not say what a model package needs",
    # tables of a cohort
    "COH-001": "A cell of the cohort's table cannot be used",
    "COH-002": "A column of the cohort's table is missing or there twice",
    "COH-003": "The cohort's table cannot be read",
    "COH-004": "The matched groups are not balanced",
    "COH-005": "A part of the analysis could not be done",
    "COH-006": "The cohort, or what it needs, is not there",
    "COH-007": "The features of the cohort do not fit together",
    "COH-008": "An image cannot be de-identified",
    "COH-009": "The readings of a second reader cannot be compared",
    "COH-010": "The cohort's table and the node's records differ",
    # lesions over time
    "RSP-001": "Lesions of two time points cannot be matched",
    "RSP-002": "The time points of a patient contradict each other",
    "RSP-003": "The choice of lesions contradicts what was seen",
    "RSP-004": "Lesions were measured in different ways",
    "RSP-005": "A decision of a reader is missing",
    "RSP-006": "A decision of a reader cannot be used",
    "RSP-007": "A reader's report cannot be read from the disk",
    # what people enter about patients
    "CLN-001": "A table of clinical data cannot be imported",
    "CLN-002": "A clinical record was not understood in full",
    # results and their delivery
    "OUT-001": "A result did not pass its self-check",
    "NET-001": "The peer cannot be reached",
    "NET-002": "The peer rejected the association",
    "NET-003": "The peer refused the object",
    "NET-004": "The peer does not accept this kind of object",
    "NET-005": "The peer broke off the transfer",
    "NET-006": "The peer does not promise to keep the object",
    "NET-007": "The peer cannot give what it was asked for",
    "NET-008": "The peer's worklist names no order",
    # the node itself
    "CFG-001": "The configuration is wrong",
    "LDG-001": "The ledger belongs to a newer release",
    "LDG-002": "The ledger cannot be upgraded",
    "LDG-003": "A file of the spool is missing",
    "LDG-004": "A file of the spool has changed",
    "LDG-005": "Nobody knows a file of the spool",
    "LDG-006": "The backup is not whole",
    "RUN-001": "The work was interrupted too often",
    "RUN-002": "Internal error",
    "RUN-003": "The queue cannot be reached",
    "RUN-004": "The computation took too long",
    "RUN-005": "The computation needed too much memory",
    "MON-001": "A process gives no sign of life",
    "MON-002": "The monitoring port cannot be opened",
    "MON-003": "An audit message could not be recorded",
    "MON-004": "The audit repository cannot be reached",
    "MON-005": "An alert could not be sent",
}
"""Every message code with its meaning. A code is never used again for something else."""
