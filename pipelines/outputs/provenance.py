"""What every result says about its patient, its study and the equipment that made it, and how it is written to bytes."""

import re
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from pydicom import DataElement, Dataset, Sequence, config
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipelines.domain.case import Findings
from pipelines.domain.coding import PRIVATE_SCHEME, PRIVATE_SCHEME_NAME, PROCESSING_EQUIPMENT, Code
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, derived_uid
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import ModelIdentity, Score

MANUFACTURER: Final = "pulmonode"
MODEL_NAME: Final = "pulmonode"
# derived_uid("implementation class")
IMPLEMENTATION_CLASS_UID: Final = "2.25.191239639320153146865608559875189663488"
IMPLEMENTATION_VERSION_NAME: Final = "PULMONODE"
UTF_8: Final = "ISO_IR 192"

DEMONSTRATION_NOTICE: Final = "DEMONSTRATION MODEL trained on synthetic data - not for clinical use"

# PS3.3 C.7.1.1, C.7.1.3 and the retired attributes that archives still match on
_PATIENT: Final = (
    "PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence PatientBirthDate "
    "PatientBirthTime PatientSex QualityControlSubject OtherPatientIDs OtherPatientNames OtherPatientIDsSequence "
    "EthnicGroup EthnicGroupCodeSequence PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription "
    "PatientBreedCodeSequence BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization "
    "PatientComments PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence "
    "ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName IssuerOfClinicalTrialProtocolID "
    "OtherClinicalTrialProtocolIDsSequence ClinicalTrialSiteID ClinicalTrialSiteName IssuerOfClinicalTrialSiteID "
    "ClinicalTrialSubjectID IssuerOfClinicalTrialSubjectID ClinicalTrialSubjectReadingID "
    "IssuerOfClinicalTrialSubjectReadingID ClinicalTrialProtocolEthicsCommitteeName "
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber"
).split()
# PS3.3 C.7.2.1, C.7.2.2, C.7.2.3
_STUDY: Final = (
    "StudyInstanceUID StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence ReferringPhysicianName "
    "ReferringPhysicianIdentificationSequence ConsultingPhysicianName ConsultingPhysicianIdentificationSequence StudyID "
    "StudyDescription ProcedureCodeSequence PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence "
    "NameOfPhysiciansReadingStudy PhysiciansReadingStudyIdentificationSequence ReferencedStudySequence RequestingService "
    "RequestingServiceCodeSequence ReasonForPerformedProcedureCodeSequence AdmittingDiagnosesDescription "
    "AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientSizeCodeSequence PatientBodyMassIndex "
    "MeasuredAPDimension MeasuredLateralDimension PatientWeight MedicalAlerts Allergies Occupation SmokingStatus "
    "AdditionalPatientHistory PregnancyStatus LastMenstrualDate PatientSexNeutered ReasonForVisit "
    "ReasonForVisitCodeSequence AdmissionID IssuerOfAdmissionIDSequence ServiceEpisodeID ServiceEpisodeDescription "
    "IssuerOfServiceEpisodeIDSequence PatientState ClinicalTrialTimePointID ClinicalTrialTimePointDescription "
    "LongitudinalTemporalOffsetFromEvent LongitudinalTemporalEventType ClinicalTrialTimePointTypeCodeSequence "
    "IssuerOfClinicalTrialTimePointID ConsentForClinicalTrialUseSequence"
).split()
# PS3.3 C.12.1: what holds for every object derived from the CT
_COMMON: Final = ("SyntheticData", "TimezoneOffsetFromUTC", "LongitudinalTemporalInformationModified")
COPIED: Final = (*_PATIENT, *_STUDY, *_COMMON)
"""Keywords of the attributes that a result has in common with its CT."""
_TYPE_2: Final = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber ReferringPhysicianName StudyID"
).split()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object of a case something is, and the series that it stands in.

    Attributes
    ----------
    kind, lesion_number
        As in `ResultObject`.
    description
        Series Description.
    """

    kind: str
    lesion_number: int | None
    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    series: SeriesUID
    series_number: int
    modality: str
    description: str


def result_uid(findings: Findings, *what: str) -> str:
    """UID of something in the results of `findings`; the same findings always have the same UIDs.

    Parameters
    ----------
    what
        Tells the thing apart from the others of this case.
    """
    method = findings.method
    match findings.score:
        case Score():
            model = findings.score.model.sha256
        case Rejected():
            # a report that says why there is no score must not share its UID with one that has another reason
            model = str(findings.score)
        case None:
            model = ""
    made_of = (findings.case.inputs_digest, method.pipeline, method.pipeline_version, method.settings_digest, model)
    return derived_uid("result", *made_of, *what)


def copied(header: Dataset) -> Dataset:
    """Patient, study and common attributes of `header`, text decoded, ready to be written in UTF-8.

    Attributes of type 2 are there even when the CT has none; one whose value cannot be decoded counts as absent.
    """
    made = _decoded(header, COPIED)
    for keyword in _TYPE_2:
        if keyword not in made:
            setattr(made, keyword, None)
    return made


def coded(code: Code) -> Dataset:
    """`code` as the item of a code sequence (PS3.3 section 8.8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    return item


def clipped(text: str, length: int = 64) -> str:
    """`text` as it fits a VR of `length` characters such as LO; a backslash would divide it in two."""
    return text.replace("\\", "/")[:length].strip()


def result_header(findings: Findings, producer: Producer, identity: Identity) -> Dataset:
    """Everything above the content: SOP common, patient, study, series and equipment (PS3.3 C.12.1, C.7.1 to C.7.5)."""
    made = copied(findings.case.header)
    made.SpecificCharacterSet = UTF_8
    made.SOPClassUID = identity.sop_class
    made.SOPInstanceUID = identity.sop_instance
    made.InstanceCreatorUID = producer.device_uid
    made.Modality = identity.modality
    made.SeriesInstanceUID = identity.series
    made.SeriesNumber = identity.series_number
    made.SeriesDescription = clipped(identity.description)
    made.InstanceNumber = 1
    moment = _moment(findings.case.header, producer)
    for when in ("InstanceCreation", "Series", "Content"):
        setattr(made, f"{when}Date", moment.strftime("%Y%m%d"))
        setattr(made, f"{when}Time", moment.strftime("%H%M%S"))
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = MODEL_NAME
    made.StationName = producer.station
    made.DeviceSerialNumber = producer.device_uid
    made.SoftwareVersions = _versions(findings, producer)
    made.ContributingEquipmentSequence = _contributing(findings, producer, moment)
    made.CodingSchemeIdentificationSequence = [_private_scheme()]
    return made


def result_object(identity: Identity, dataset: Dataset, *tail: bytes | memoryview) -> ResultObject:
    """`dataset` as a Part 10 file in Explicit VR Little Endian.

    Parameters
    ----------
    tail
        Encoded data elements that follow those of `dataset`, whole or in parts; their tags are higher.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(identity.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(identity.sop_instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    head = DicomBytesIO()
    head.is_little_endian = True
    head.is_implicit_VR = False
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, meta, enforce_standard=True)
    write_dataset(head, dataset)
    if tail:
        group, number = struct.unpack_from("<HH", tail[0])
        if max(dataset.keys()) >= group << 16 | number:
            raise ValueError(f"element ({group:04X},{number:04X}) does not follow the data set")
    return ResultObject(
        kind=identity.kind,
        lesion_number=identity.lesion_number,
        sop_class=identity.sop_class,
        sop_instance=identity.sop_instance,
        series=identity.series,
        transfer_syntax=str(ExplicitVRLittleEndian),
        data=b"".join((head.getvalue(), *tail)),
    )


def _decoded(source: Dataset, keywords: tuple[str, ...] | None = None) -> Dataset:
    made = Dataset()
    for tag in source.keys() if keywords is None else (k for k in keywords if k in source):
        try:
            element = source[tag]
        except (ValueError, TypeError, KeyError, NotImplementedError):
            # a weight of "70,5" or an unknown VR stops at pydicom; it is not worth a patient's results
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


def _moment(header: Dataset, producer: Producer) -> datetime:
    """Time of production in the zone that the other times of the study are in."""
    offset = re.fullmatch(r"([+-])(\d\d)(\d\d)", str(header.get("TimezoneOffsetFromUTC", "")).strip())
    if offset is None:
        return producer.produced_at
    sign, hours, minutes = offset.groups()
    shift = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return producer.produced_at.astimezone(timezone(shift))


def _versions(findings: Findings, producer: Producer) -> list[str]:
    method = findings.method
    return [clipped(producer.software_version), clipped(f"{method.pipeline} {method.pipeline_version}")]


def _contributing(findings: Findings, producer: Producer, moment: datetime) -> list[Dataset]:
    node = _equipment(MANUFACTURER, MODEL_NAME, _versions(findings, producer))
    node.StationName = producer.station
    node.DeviceSerialNumber = producer.device_uid
    node.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S%z")
    node.ContributionDescription = clipped(
        f"Measured with profile {findings.method.profile}, settings SHA-256 {findings.method.settings_digest}", 1024
    )
    software = [_equipment(name, name, [clipped(version)]) for name, version in findings.method.software]
    model = [_model(findings.score.model)] if isinstance(findings.score, Score) else []
    return [node, *software, *model]


def _model(model: ModelIdentity) -> Dataset:
    item = _equipment(f"Model {model.name}", model.name, [clipped(model.version)])
    notice = f"{DEMONSTRATION_NOTICE}. " if model.demonstration else ""
    item.ContributionDescription = clipped(f"{notice}Model package SHA-256 {model.sha256}", 1024)
    return item


def _equipment(manufacturer: str, model: str, versions: list[str]) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(PROCESSING_EQUIPMENT)]
    item.Manufacturer = clipped(manufacturer)
    item.ManufacturerModelName = clipped(model)
    item.SoftwareVersions = versions
    return item


def _private_scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = PRIVATE_SCHEME_NAME
    item.CodingSchemeVersion = "1"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
