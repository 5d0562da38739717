"""The SOP classes that the project reads and writes (PS3.4 B.5, PS3.6 A)."""

from typing import Final

from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedCTImageStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    LegacyConvertedEnhancedCTImageStorage,
    ParametricMapStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from pipelines.domain.identifiers import SopClassUID

VERIFICATION: Final = SopClassUID("1.2.840.10008.1.1")
STORAGE_COMMITMENT: Final = SopClassUID("1.2.840.10008.1.20.1")
STUDY_ROOT_FIND: Final = SopClassUID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_ROOT_MOVE: Final = SopClassUID("1.2.840.10008.5.1.4.1.2.2.2")
STUDY_ROOT_GET: Final = SopClassUID("1.2.840.10008.5.1.4.1.2.2.3")
MODALITY_WORKLIST: Final = SopClassUID("1.2.840.10008.5.1.4.31")
CT_IMAGE: Final = SopClassUID(CTImageStorage)
ENHANCED_CT_IMAGE: Final = SopClassUID(EnhancedCTImageStorage)
LEGACY_CONVERTED_ENHANCED_CT_IMAGE: Final = SopClassUID(LegacyConvertedEnhancedCTImageStorage)
SEGMENTATION: Final = SopClassUID(SegmentationStorage)
# newer than pydicom's dictionary
LABEL_MAP_SEGMENTATION: Final = SopClassUID("1.2.840.10008.5.1.4.1.1.66.7")
RT_STRUCTURE_SET: Final = SopClassUID(RTStructureSetStorage)
COMPREHENSIVE_3D_SR: Final = SopClassUID(Comprehensive3DSRStorage)
PARAMETRIC_MAP: Final = SopClassUID(ParametricMapStorage)
KEY_OBJECT_SELECTION: Final = SopClassUID(KeyObjectSelectionDocumentStorage)
ENCAPSULATED_PDF: Final = SopClassUID(EncapsulatedPDFStorage)
SECONDARY_CAPTURE: Final = SopClassUID(SecondaryCaptureImageStorage)

CT_IMAGES: Final = frozenset({CT_IMAGE, ENHANCED_CT_IMAGE, LEGACY_CONVERTED_ENHANCED_CT_IMAGE})
SEGMENTATIONS: Final = frozenset({SEGMENTATION, LABEL_MAP_SEGMENTATION, RT_STRUCTURE_SET})
READER_REPORTS: Final = frozenset(
    SopClassUID(uid) for uid in (EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage)
)
"""Structured Reports that a reader's workstation may hold its decisions in."""
RESULT_CLASSES: Final = frozenset(
    {COMPREHENSIVE_3D_SR, PARAMETRIC_MAP, SEGMENTATION, KEY_OBJECT_SELECTION, ENCAPSULATED_PDF, SECONDARY_CAPTURE}
)
