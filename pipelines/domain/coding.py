"""The codes that the node writes into DICOM objects: one table for each family."""

from dataclasses import dataclass
from typing import Final

PRIVATE_SCHEME: Final = "99PULMONODE"
PRIVATE_SCHEME_NAME: Final = "pulmonode private codes"
PRIVATE_SCHEME_UID: Final = "2.25.315354113922480088208430584686265549488"
"""The UID that `derived_uid` makes of the words "coding scheme"."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry: Code Value, Coding Scheme Designator, Code Meaning (PS3.3 section 8)."""

    value: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        if not 0 < len(self.value) <= 16:
            raise ValueError(f"code value {self.value!r} does not fit VR SH")
        if not 0 < len(self.meaning) <= 64:
            raise ValueError(f"code meaning {self.meaning!r} does not fit VR LO")


def _private(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


# units of UCUM
NO_UNITS: Final = Code("1", "UCUM", "no units")
MM: Final = Code("mm", "UCUM", "millimeter")
MM2: Final = Code("mm2", "UCUM", "square millimeter")
MM3: Final = Code("mm3", "UCUM", "cubic millimeter")
CM3: Final = Code("cm3", "UCUM", "cubic centimeter")
PER_MM: Final = Code("/mm", "UCUM", "per millimeter")
HU: Final = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
HU2: Final = Code("[hnsf'U]2", "UCUM", "square Hounsfield unit")
HU_MM3: Final = Code("[hnsf'U].mm3", "UCUM", "Hounsfield unit cubic millimeter")
HU2_MM3: Final = Code("[hnsf'U]2.mm3", "UCUM", "square Hounsfield unit millimeter")
ZERO_TO_ONE: Final = Code("{0:1}", "UCUM", "range: 0:1")
PERCENT: Final = Code("%", "UCUM", "Percent")
VOXELS: Final = Code("{voxels}", "UCUM", "voxels")
FEATURES: Final = Code("{features}", "UCUM", "features")
LOG_ODDS: Final = Code("{logit}", "UCUM", "log-odds")
STANDARD_DEVIATIONS: Final = Code("{SD}", "UCUM", "standard deviations")

# The frame of a report (PS3.16 TID 1500, 1204, 1002, 1004)
ONCOLOGY_MEASUREMENT_REPORT: Final = Code("126001", "DCM", "Oncology Measurement Report")
IMAGING_MEASUREMENT_REPORT: Final = Code("126000", "DCM", "Imaging Measurement Report")
IMAGING_MEASUREMENTS: Final = Code("126010", "DCM", "Imaging Measurements")
LANGUAGE: Final = Code("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH: Final = Code("en-US", "RFC5646", "English (United States)")
PROCEDURE_REPORTED: Final = Code("121058", "DCM", "Procedure reported")
CT_PROCEDURE: Final = Code("25045-6", "LN", "CT unspecified body region")
OBSERVER_TYPE: Final = Code("121005", "DCM", "Observer Type")
DEVICE: Final = Code("121007", "DCM", "Device")
DEVICE_UID: Final = Code("121012", "DCM", "Device Observer UID")
DEVICE_NAME: Final = Code("121013", "DCM", "Device Observer Name")
DEVICE_MANUFACTURER: Final = Code("121014", "DCM", "Device Observer Manufacturer")
DEVICE_MODEL: Final = Code("121015", "DCM", "Device Observer Model Name")

# A group of measurements (TID 1411, 1419, 1501, 4019)
MEASUREMENT_GROUP: Final = Code("125007", "DCM", "Measurement Group")
TRACKING_IDENTIFIER: Final = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID: Final = Code("112040", "DCM", "Tracking Unique Identifier")
FINDING: Final = Code("121071", "DCM", "Finding")
NEOPLASM: Final = Code("108369006", "SCT", "Neoplasm")
REFERENCED_SEGMENT: Final = Code("121191", "DCM", "Referenced Segment")
SOURCE_SERIES: Final = Code("121232", "DCM", "Source series for segmentation")
EQUIVALENT_MEANING: Final = Code("121050", "DCM", "Equivalent Meaning of Concept Name")
COMMENT: Final = Code("121106", "DCM", "Comment")
ALGORITHM_NAME: Final = Code("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION: Final = Code("111003", "DCM", "Algorithm Version")
ALGORITHM_PARAMETERS: Final = Code("111002", "DCM", "Algorithm Parameters")
ALGORITHM_FAMILY: Final = Code("111000", "DCM", "Algorithm Family")
ARTIFICIAL_INTELLIGENCE: Final = Code("123110", "DCM", "Artificial Intelligence")
VOLUME: Final = Code("118565006", "SCT", "Volume")
LONG_AXIS: Final = Code("103339001", "SCT", "Long axis")
SHORT_AXIS: Final = Code("103340004", "SCT", "Short axis")
PATH: Final = Code("121055", "DCM", "Path")

# Key objects (TID 2010)
OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")
KEY_OBJECT_DESCRIPTION: Final = Code("113012", "DCM", "Key Object Description")

# Why a measured value is missing (CID 42)
NOT_A_NUMBER: Final = Code("114000", "DCM", "Not a number")
NEGATIVE_INFINITY: Final = Code("114001", "DCM", "Negative Infinity")
POSITIVE_INFINITY: Final = Code("114002", "DCM", "Positive Infinity")

# Segmentations and maps
MORPHOLOGICALLY_ABNORMAL: Final = Code("49755003", "SCT", "Morphologically Abnormal Structure")
SEGMENTATION_DERIVATION: Final = Code("113076", "DCM", "Segmentation")
SEGMENTATION_SOURCE: Final = Code("121322", "DCM", "Source image for image processing operation")
PROCESSING_EQUIPMENT: Final = Code("109102", "DCM", "Processing Equipment")
# readers look for the literal meaning "Quantity" (CID 9000)
QUANTITY: Final = Code("246205007", "SCT", "Quantity")
FEATURE_MAP_DERIVATION: Final = _private("FEATUREMAP", "Voxel-wise radiomics feature")
KERNEL_RADIUS: Final = _private("KERNELRADIUS", "Radius of the neighbourhood")

# Tasks (Unified Procedure Step)
RADIOMICS_WORKITEM: Final = _private("RADIOMICS", "Measurement of lesions by radiomics")
DISCONTINUED: Final = Code("110513", "DCM", "Discontinued for unspecified reason")

BODY_REGIONS: Final[dict[str, Code]] = {
    "CHEST": Code("816094009", "SCT", "Chest"),
    "ABDOMEN": Code("818981001", "SCT", "Abdomen"),
    "PELVIS": Code("816092008", "SCT", "Pelvis"),
    "HEAD": Code("69536005", "SCT", "Head"),
    "NECK": Code("45048000", "SCT", "Neck"),
    "HEADNECK": Code("774007", "SCT", "Head and Neck"),
    "NECKCHEST": Code("417437006", "SCT", "Neck and Chest"),
    "CHESTABDOMEN": Code("416550000", "SCT", "Chest and Abdomen"),
    "ABDOMENPELVIS": Code("818982008", "SCT", "Abdomen and Pelvis"),
    "CHESTABDPELVIS": Code("416775004", "SCT", "Chest, Abdomen and Pelvis"),
    "NECKCHESTABDOMEN": Code("416152001", "SCT", "Neck, Chest and Abdomen"),
    "NECKCHESTABDPELV": Code("416319003", "SCT", "Neck, Chest, Abdomen and Pelvis"),
    "WHOLEBODY": Code("38266002", "SCT", "Entire body"),
}
"""Anatomic region by the defined term of Body Part Examined (PS3.16 annex L, CID 4031), as far as a CT covers it."""

# What a model says about a case
RAD_SIGNATURE: Final = _private("RADSIGNATURE", "Radiomics signature (linear predictor)")
PROBABILITY: Final = _private("PROBABILITY", "Predicted probability of the positive class")
CUT_OFF: Final = _private("CUTOFF", "Cut-off of the predicted probability")
CUT_OFF_RULE: Final = _private("CUTOFFRULE", "Rule that set the cut-off")
PREDICTED_CLASS: Final = _private("CLASS", "Predicted class")
POSITIVE_CLASS: Final = _private("POSITIVE", "Positive (probability at or above the cut-off)")
NEGATIVE_CLASS: Final = _private("NEGATIVE", "Negative (probability below the cut-off)")
CLASS_MEANING: Final = _private("CLASSMEANING", "Meaning of the predicted class")
SCALED_SCORE: Final = _private("SCALEDSCORE", "Score on the scale of the model")
POSITIVE_PERCENTILE: Final = _private("PCTPOSITIVE", "Percentile among the positive training cases")
NEGATIVE_PERCENTILE: Final = _private("PCTNEGATIVE", "Percentile among the negative training cases")
APPLICABILITY: Final = _private("APPLICABILITY", "Case beside the training data of the model")
WITHIN_TRAINING: Final = _private("WITHIN", "Like the training data, as far as it was compared")
OUTSIDE_TRAINING: Final = _private("OUTSIDE", "Unlike the training data")
NOT_COMPARED: Final = _private("NOTCOMPARED", "Not compared with the training data")
LESION_USED: Final = _private("LESIONUSED", "Lesion that the prediction is based on")
CONTRIBUTION: Final = _private("CONTRIBUTION", "Contribution to the radiomics signature")
STANDARDISED_VALUE: Final = _private("STANDARDISED", "Standardised feature value")
MODEL: Final = _private("MODEL", "Model")
INTENDED_USE: Final = _private("INTENDEDUSE", "Intended use of the model")
MODEL_LICENCE: Final = _private("LICENCE", "Licence of the model")
NO_PREDICTION: Final = _private("NOPREDICTION", "No prediction")
LESION_LABEL: Final = _private("LESIONLABEL", "Label in the segmentation")
FEATURE_COUNT: Final = _private("FEATURECOUNT", "Number of radiomics features")
NOT_MEASURED: Final = _private("NOTMEASURED", "Lesion not measured")
MEASUREMENT_METHOD: Final = _private("METHOD", "How the features were measured")
