"""What a result has in common with its CT: the patient, the study and what holds for everything made from it."""

from typing import Final

from pydicom import DataElement, Dataset, Sequence, config
from pydicom.errors import BytesLengthException

# PS3.3 C.7.1.1 and C.7.1.3, with the retired attributes that archives still match on
_PATIENT: Final = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "QualityControlSubject",
    "OtherPatientIDs",
    "OtherPatientNames",
    "OtherPatientIDsSequence",
    "EthnicGroup",
    "EthnicGroupCodeSequence",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientComments",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "IssuerOfClinicalTrialProtocolID",
    "OtherClinicalTrialProtocolIDsSequence",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "IssuerOfClinicalTrialSiteID",
    "ClinicalTrialSubjectID",
    "IssuerOfClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "IssuerOfClinicalTrialSubjectReadingID",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
)
# PS3.3 C.7.2.1, C.7.2.2 and C.7.2.3
_STUDY: Final = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence",
    "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence",
    "StudyID",
    "StudyDescription",
    "ProcedureCodeSequence",
    "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence",
    "NameOfPhysiciansReadingStudy",
    "PhysiciansReadingStudyIdentificationSequence",
    "ReferencedStudySequence",
    "RequestingService",
    "RequestingServiceCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientSizeCodeSequence",
    "PatientBodyMassIndex",
    "MeasuredAPDimension",
    "MeasuredLateralDimension",
    "PatientWeight",
    "MedicalAlerts",
    "Allergies",
    "Occupation",
    "SmokingStatus",
    "AdditionalPatientHistory",
    "PregnancyStatus",
    "LastMenstrualDate",
    "PatientSexNeutered",
    "ReasonForVisit",
    "ReasonForVisitCodeSequence",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID",
    "ServiceEpisodeDescription",
    "IssuerOfServiceEpisodeIDSequence",
    "PatientState",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
    "ClinicalTrialTimePointTypeCodeSequence",
    "IssuerOfClinicalTrialTimePointID",
    "ConsentForClinicalTrialUseSequence",
)
# PS3.3 C.12.1
_COMMON: Final = ("SyntheticData", "TimezoneOffsetFromUTC", "LongitudinalTemporalInformationModified")
INHERITED: Final = (*_PATIENT, *_STUDY, *_COMMON)
"""Keywords of the attributes that a result takes over from its CT."""
_TYPE_2: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)


def inherited(header: Dataset) -> Dataset:
    """Patient, study and common attributes of `header`, text decoded, ready to be written in UTF-8.

    Attributes of type 2 are there even when the CT has none; one whose value cannot be decoded counts as absent.
    """
    made = _decoded(header, INHERITED)
    for keyword in _TYPE_2:
        if keyword not in made:
            setattr(made, keyword, None)
    return made


def request_attributes(header: Dataset) -> list[Dataset]:
    """Items of the Request Attributes Sequence of `header`, text decoded; none when it has none."""
    made = _decoded(header, ("RequestAttributesSequence",))
    return list(made.get("RequestAttributesSequence") or ())


def _decoded(source: Dataset, keywords: tuple[str, ...] | None = None) -> Dataset:
    made = Dataset()
    for tag in source.keys() if keywords is None else (k for k in keywords if k in source):
        try:
            element = source[tag]
        except (BytesLengthException, EOFError, NotImplementedError, ValueError):
            # a number of three bytes or an unknown VR is not worth a patient's results
            continue
        if not element.tag.is_private:
            made.add(_decoded_element(element))
    return made


def _decoded_element(element: DataElement) -> DataElement:
    if element.VR == "SQ":
        return DataElement(element.tag, "SQ", Sequence([_decoded(item) for item in element.value]))
    if element.VR != "PN" or element.is_empty:
        return element
    # a person name keeps the bytes that it was read from; as text it is encoded anew
    names = [str(name) for name in element.value] if element.VM > 1 else str(element.value)
    return DataElement(element.tag, "PN", names, validation_mode=config.IGNORE)
