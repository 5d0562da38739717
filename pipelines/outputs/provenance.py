"""What every result says about itself, its patient and the equipment that made it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from pydicom import Dataset

from pipelines.domain.case import Findings
from pipelines.domain.coding import (
    PRIVATE_SCHEME,
    PRIVATE_SCHEME_NAME,
    PRIVATE_SCHEME_UID,
    PROCESSING_EQUIPMENT,
    Code,
)
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, derived_uid
from pipelines.domain.outcome import Producer
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import ModelIdentity, Score
from pipelines.outputs.inherited import inherited
from pipelines.outputs.request import place_request

MANUFACTURER: Final = "pulmonode"
MODEL_NAME: Final = "pulmonode"
UTF_8: Final = "ISO_IR 192"
DEMONSTRATION_NOTICE: Final = "DEMONSTRATION MODEL trained on synthetic data - not for clinical use"


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
    # another version of a library may give other numbers, and other numbers need another UID
    software = (f"{name} {version}" for name, version in (*method.settings, *method.software))
    # the report says which maps were chosen
    maps = [method.maps] if method.maps else []
    # what a comparison of the engines found stands in the report, and decides whose numbers it holds
    verified = (f"{m.lesion.number} {m.verification!r}" for m in findings.lesions if m.verification is not None)
    return derived_uid("result", *made_of, *software, *maps, *verified, *what)


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
    made = inherited(findings.case.header)
    made.SpecificCharacterSet = UTF_8
    made.SOPClassUID = identity.sop_class
    made.SOPInstanceUID = identity.sop_instance
    made.InstanceCreatorUID = producer.device_uid
    made.Modality = identity.modality
    made.SeriesInstanceUID = identity.series
    made.SeriesNumber = identity.series_number
    made.SeriesDescription = clipped(identity.description)
    made.InstanceNumber = 1
    moment = moment_of(findings.case.header, producer)
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
    place_request(made, findings.case.header)
    return made


def moment_of(header: Dataset, producer: Producer) -> datetime:
    """Time of production in the zone that the other times of the study are in."""
    offset = re.fullmatch(r"([+-])([01]\d)([0-5]\d)", str(header.get("TimezoneOffsetFromUTC", "")).strip())
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
    node.DeviceUID = producer.device_uid
    node.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S%z")
    node.ContributionDescription = clipped(
        f"Measured with profile {findings.method.profile}, settings SHA-256 {findings.method.settings_digest}", 1024
    )
    software = [_equipment(name, name, [clipped(version)]) for name, version in findings.method.software]
    model = [_model(findings.score.model)] if isinstance(findings.score, Score) else []
    return [node, *software, *model]


def model_device_uid(model: ModelIdentity) -> str:
    """Device UID of a model: whoever holds the same package, on whatever node, gets the same one.

    References
    ----------
    PS3.3 C.12.1 (Contributing Equipment Sequence).
    """
    return derived_uid("model", model.sha256)


def _model(model: ModelIdentity) -> Dataset:
    item = _equipment(f"Model {model.name}", model.name, [clipped(model.version)])
    item.DeviceUID = model_device_uid(model)
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
    item.CodingSchemeUID = PRIVATE_SCHEME_UID
    item.CodingSchemeName = PRIVATE_SCHEME_NAME
    item.CodingSchemeVersion = "1"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
