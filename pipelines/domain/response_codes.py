"""The codes that a report of response to treatment is written with."""

from typing import Final

from pipelines.domain.coding import PRIVATE_SCHEME, Code

RECIST_1_1: Final = Code("126081", "DCM", "RECIST 1.1")
RESPONSE_EVALUATION_METHOD: Final = Code("112021", "DCM", "Response Evaluation Method")
CURRENT_RESPONSE: Final = Code("112048", "DCM", "Current Response")
BEST_OVERALL_RESPONSE: Final = Code("112049", "DCM", "Best Overall Response")
BASELINE_CATEGORY: Final = Code("112016", "DCM", "Baseline Category")
TARGET_AT_BASELINE: Final = Code("112074", "DCM", "Target Lesion at Baseline")
NON_TARGET_AT_BASELINE: Final = Code("112075", "DCM", "Non-Target Lesion at Baseline")
SUBJECT_TIME_POINT: Final = Code("126070", "DCM", "Subject Time Point Identifier")
PROTOCOL_TIME_POINT: Final = Code("126071", "DCM", "Protocol Time Point Identifier")
TIME_POINT_TYPE: Final = Code("126072", "DCM", "Time Point Type")
TIME_POINT_ORDER: Final = Code("126073", "DCM", "Time Point Order")

# CID 6144, RECIST Defined Lesion Response
TARGET_CR: Final = Code("112041", "DCM", "Target Lesion Complete Response")
TARGET_PR: Final = Code("112042", "DCM", "Target Lesion Partial Response")
TARGET_PD: Final = Code("112043", "DCM", "Target Lesion Progressive Disease")
TARGET_SD: Final = Code("112044", "DCM", "Target Lesion Stable Disease")
NON_TARGET_CR: Final = Code("112045", "DCM", "Non-Target Lesion Complete Response")
NON_TARGET_PERSISTS: Final = Code("112046", "DCM", "Non-Target Lesion Incomplete Response or Stable Disease")
NON_TARGET_PD: Final = Code("112047", "DCM", "Non-Target Lesion Progressive Disease")


def _private(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


# DICOM codes the response of lesions, and none of the patient
OVERALL_CR: Final = _private("RESPONSECR", "Complete response")
OVERALL_PR: Final = _private("RESPONSEPR", "Partial response")
OVERALL_SD: Final = _private("RESPONSESD", "Stable disease")
OVERALL_PD: Final = _private("RESPONSEPD", "Progressive disease")
OVERALL_NEITHER: Final = _private("RESPONSENONE", "Non-CR/non-PD")
NOT_EVALUABLE: Final = _private("RESPONSENE", "Not evaluable")
IMMUNE_CR: Final = _private("RESPONSEICR", "Complete response (iRECIST)")
IMMUNE_PR: Final = _private("RESPONSEIPR", "Partial response (iRECIST)")
IMMUNE_SD: Final = _private("RESPONSEISD", "Stable disease (iRECIST)")
IMMUNE_NEITHER: Final = _private("RESPONSEINONE", "Non-iCR/non-iUPD")
IMMUNE_UPD: Final = _private("RESPONSEIUPD", "Unconfirmed progressive disease (iRECIST)")
IMMUNE_CPD: Final = _private("RESPONSEICPD", "Confirmed progressive disease (iRECIST)")
IRECIST: Final = _private("IRECIST", "iRECIST")
NEW_LESION: Final = _private("NEWLESION", "New lesion")
SUM_OF_DIAMETERS: Final = _private("SUMDIAMETERS", "Sum of the diameters of the target lesions")
CHANGE_FROM_BASELINE: Final = _private("FROMBASELINE", "Change of the sum from baseline")
CHANGE_FROM_NADIR: Final = _private("FROMNADIR", "Change of the sum from its nadir")

PROGRESSION_PATTERN: Final = _private("PATTERN", "Pattern of progression")
PATTERN_OLIGO: Final = _private("OLIGO", "Oligoprogression")
PATTERN_SYSTEMIC: Final = _private("SYSTEMIC", "Systemic progression")
RESISTANCE: Final = _private("RESISTANCE", "Resistance to immunotherapy")
RESISTANCE_PRIMARY: Final = _private("PRIMARY", "Primary resistance")
RESISTANCE_ACQUIRED: Final = _private("ACQUIRED", "Acquired resistance")
RESISTANCE_OFF_TREATMENT: Final = _private("OFFTREATMENT", "Progression after the end of treatment")
INDETERMINATE: Final = _private("INDETERMINATE", "Indeterminate")
NO_PROGRESSION: Final = _private("NOPROGRESSION", "No progression")
FOLLOW_UP_DUE: Final = _private("FOLLOWUP", "Window in which the next scan is due")
