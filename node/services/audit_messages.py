"""DICOM audit messages: what happened, as the XML of PS3.15 A.5 and as lines of RFC 5424."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final
from xml.etree import ElementTree as Xml

_DCM: Final = "DCM"
_RFC_3881: Final = "RFC-3881"
# facility 10, security and authorisation; notice and warning (RFC 5424 6.2.1)
_NOTICE, _WARNING = 10 * 8 + 5, 10 * 8 + 4
_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value."""

    value: str
    scheme: str
    meaning: str


class EventId(Enum):
    """What kind of event (CID 400)."""

    APPLICATION_ACTIVITY = Code("110100", _DCM, "Application Activity")
    BEGIN_TRANSFERRING = Code("110102", _DCM, "Begin Transferring DICOM Instances")
    INSTANCES_ACCESSED = Code("110103", _DCM, "DICOM Instances Accessed")
    INSTANCES_TRANSFERRED = Code("110104", _DCM, "DICOM Instances Transferred")
    STUDY_DELETED = Code("110105", _DCM, "DICOM Study Deleted")
    PROCEDURE_RECORD = Code("110111", _DCM, "Procedure Record")
    QUERY = Code("110112", _DCM, "Query")
    SECURITY_ALERT = Code("110113", _DCM, "Security Alert")
    USER_AUTHENTICATION = Code("110114", _DCM, "User Authentication")


class EventType(Enum):
    """More exactly (CID 401)."""

    APPLICATION_START = Code("110120", _DCM, "Application Start")
    APPLICATION_STOP = Code("110121", _DCM, "Application Stop")
    LOGIN = Code("110122", _DCM, "Login")
    NODE_AUTHENTICATION = Code("110126", _DCM, "Node Authentication")


class Role(Enum):
    """What a participant did (CID 402)."""

    APPLICATION = Code("110150", _DCM, "Application")
    LAUNCHER = Code("110151", _DCM, "Application Launcher")
    DESTINATION = Code("110152", _DCM, "Destination Role ID")
    SOURCE = Code("110153", _DCM, "Source Role ID")


class Outcome(Enum):
    """How it ended."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"


STUDY: Final = Code("110180", _DCM, "Study Instance UID")
SOP_CLASS: Final = Code("110181", _DCM, "SOP Class UID")
NODE: Final = Code("110182", _DCM, "Node ID")
PATIENT: Final = Code("2", _RFC_3881, "Patient Number")


@dataclass(frozen=True, slots=True)
class Participant:
    """A person or a process that took part.

    Attributes
    ----------
    address
        IP address, or name of the machine, where it is known.
    """

    user: str
    role: Role | None = None
    requestor: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What it happened to.

    Attributes
    ----------
    type_code, role
        Participant Object Type Code and Type Code Role (PS3.15 A.5.1.2).
    instances
        Number of instances of each SOP class.
    query
        A data set as it was sent, in place of a name.
    details
        More about it, by name.
    """

    kind: Code
    id: str
    type_code: str
    role: str
    name: str = ""
    instances: Mapping[str, int] = field(default_factory=dict)
    query: bytes | None = None
    details: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry of the audit trail.

    Attributes
    ----------
    action
        C, R, U, D or E: create, read, update, delete, execute.
    """

    id: EventId
    action: str
    at: datetime
    participants: Sequence[Participant]
    subjects: Sequence[Subject] = ()
    type: EventType | None = None
    outcome: Outcome = Outcome.SUCCESS
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AuditSource:
    """Who reports.

    Attributes
    ----------
    site
        Name of the hospital or department; may be empty.
    """

    id: str
    host: str
    process: int
    site: str = ""


def study(uid: str, instances: Mapping[str, int]) -> Subject:
    """A study with the number of instances of each SOP class."""
    return Subject(STUDY, uid, "2", "3", name=uid, instances=instances)


def patient(number: str, name: str = "") -> Subject:
    """A patient; `number` may be a pseudonym."""
    return Subject(PATIENT, number, "1", "1", name=name or number)


def xml_of(event: AuditEvent, source: AuditSource) -> str:
    """The message in the schema of PS3.15 A.5.1.1, on one line."""
    root = Xml.Element("AuditMessage")
    what = _sub(
        root,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=event.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=event.outcome.value,
    )
    _coded(what, "EventID", event.id.value)
    if event.type is not None:
        _coded(what, "EventTypeCode", event.type.value)
    if event.detail:
        Xml.SubElement(what, "EventOutcomeDescription").text = event.detail
    for one in event.participants:
        _participant(root, one)
    told = {"AuditEnterpriseSiteID": source.site} if source.site else {}
    told["AuditSourceID"] = source.id
    # 4: an application server process
    Xml.SubElement(Xml.SubElement(root, "AuditSourceIdentification", told), "AuditSourceTypeCode", {"csd-code": "4"})
    for subject in event.subjects:
        _subject(root, subject)
    return Xml.tostring(root, encoding="unicode")


def syslog_line(event: AuditEvent, source: AuditSource) -> bytes:
    """The message as RFC 5424 sends it (PS3.15 A.7); it holds no line feed."""
    priority = _NOTICE if event.outcome is Outcome.SUCCESS else _WARNING
    at = event.at.isoformat(timespec="milliseconds")
    head = f"<{priority}>1 {at} {source.host} pulmonode {source.process} DICOM+RFC3881 - "
    return (head + _BYTE_ORDER_MARK + xml_of(event, source)).encode()


def _participant(root: Xml.Element, one: Participant) -> None:
    told = {"UserID": one.user, "UserIsRequestor": str(one.requestor).lower()}
    if one.address:
        is_number = ":" in one.address or one.address.replace(".", "").isdigit()
        told |= {"NetworkAccessPointID": one.address, "NetworkAccessPointTypeCode": "2" if is_number else "1"}
    made = Xml.SubElement(root, "ActiveParticipant", told)
    if one.role is not None:
        _coded(made, "RoleIDCode", one.role.value)


def _subject(root: Xml.Element, subject: Subject) -> None:
    made = _sub(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=subject.id,
        ParticipantObjectTypeCode=subject.type_code,
        ParticipantObjectTypeCodeRole=subject.role,
    )
    _coded(made, "ParticipantObjectIDTypeCode", subject.kind)
    if subject.query is None:
        Xml.SubElement(made, "ParticipantObjectName").text = subject.name
    else:
        Xml.SubElement(made, "ParticipantObjectQuery").text = base64.b64encode(subject.query).decode()
    for name, value in subject.details.items():
        told = {"type": name, "value": base64.b64encode(value).decode()}
        Xml.SubElement(made, "ParticipantObjectDetail", told)
    if subject.instances:
        description = Xml.SubElement(made, "ParticipantObjectDescription")
        for uid, number in sorted(subject.instances.items()):
            _sub(description, "SOPClass", UID=uid, NumberOfInstances=str(number))


def _coded(parent: Xml.Element, name: str, code: Code) -> None:
    told = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    Xml.SubElement(parent, name, told)


def _sub(parent: Xml.Element, name: str, **told: str) -> Xml.Element:
    return Xml.SubElement(parent, name, told)
