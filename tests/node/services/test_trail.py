"""The audit trail: what stands in it, checked against the schema of PS3.15 A.5.1.1 by libxml2."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from node.adapters.audit_record import AuditRecord
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_audit import SqlAudit, nobody
from node.adapters.ledger_erasure import SqlErasure
from node.keeping import Why
from node.logs import Log
from node.ports import Claim, Delivery, RefusedAssociation
from node.services.audit_messages import AuditSource
from node.services.trail import AuditedErasure, Trail
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.listeners import schema_faults
from tests.node.refs import SENDER, file_of, image, images, result, segmentation


class Kept:
    """A trail with what lies behind it."""

    def __init__(self, folder: Path, *, identify: Callable[[str], tuple[str, str]] = nobody) -> None:
        self.clock = SetClock()
        engine = open_engine(f"sqlite:///{folder / 'ledger.sqlite3'}")
        self.ledger = SqlLedger(engine, pipeline="test")
        self.erasure = SqlErasure(engine)
        self.folder = folder / "audit"
        self.trail = Trail(
            AuditRecord(self.folder),
            SqlAudit(engine, identify),
            self.clock,
            Log("audit"),
            source=AuditSource("PULMONODE", "node.example", 17, "Ward 3"),
            ae_title="PULMONODE",
            user="operator",
        )

    def receive(self) -> CaseId:
        """A CT of three slices and a segmentation; the case that they make."""
        for ref in (*images(3), segmentation()):
            self.ledger.received(ref, file_of(ref), SENDER, at=self.clock())
        return self.ledger.collecting()[0].case

    def claim(self) -> Claim:
        case = self.receive()
        self.ledger.complete(case, image().key, "3 slices.", at=self.clock())
        claim = self.ledger.claim(case, "worker", at=self.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        return claim

    def lines(self) -> list[str]:
        return [line for path in sorted(self.folder.glob("*.log")) for line in path.read_text("utf-8").splitlines()]

    def messages(self) -> list[Xml.Element]:
        return [Xml.fromstring(line.partition("\ufeff")[2]) for line in self.lines()]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def event_of(message: Xml.Element) -> tuple[str, str]:
    code, what = message.find("EventIdentification/EventID"), message.find("EventIdentification")
    assert code is not None
    assert what is not None
    return code.get("csd-code", ""), what.get("EventActionCode", "")


def everything(kept: Kept) -> None:
    """One of each kind of event."""
    kept.trail.started()
    kept.trail.received()
    kept.clock.forward(60)
    claim = kept.claim()
    kept.clock.forward(60)
    kept.trail.received()
    kept.trail.opened(claim)
    kept.trail.sending("PACS", [Delivery(1, claim.case, result(claim.case, "sr-case"), 1, kept.clock())])
    kept.trail.queried("PACS", "1.2.840.10008.5.1.4.1.2.2.1", b"\x08\x00\x52\x00", "1.2.840.10008.1.2")
    kept.trail.turned_away(RefusedAssociation("STRANGER", "PULMONODE", "192.0.2.7", "It may not.", "Let it in."))
    kept.trail.turned_away(RefusedAssociation("", "", "fd00::7", 'No TLS <&> "\n', ""))
    kept.trail.denied("192.0.2.8")
    kept.trail.deleting(claim.case)()
    kept.trail.stopped()


def test_every_message_is_what_the_schema_of_the_standard_wants(kept: Kept, tmp_path: Path) -> None:
    everything(kept)
    found = kept.lines()
    assert len(found) == 10
    assert [fault for line in found if (fault := schema_faults(line, tmp_path))] == []


def test_the_schema_refuses_what_the_standard_does_not_know(kept: Kept, tmp_path: Path) -> None:
    kept.trail.started()
    good = kept.lines()[0]
    for wrong in (
        good.replace('EventActionCode="E"', 'EventActionCode="X"'),
        good.replace(' UserIsRequestor="false"', ""),
        re.sub(r"<AuditSourceIdentification.*</AuditSourceIdentification>", "", good),
    ):
        assert wrong != good
        assert schema_faults(wrong, tmp_path)


def test_the_kinds_of_events_and_their_actions(kept: Kept) -> None:
    everything(kept)
    assert [event_of(one) for one in kept.messages()] == [
        ("110100", "E"),
        ("110104", "C"),
        ("110103", "R"),
        ("110102", "E"),
        ("110112", "E"),
        ("110113", "E"),
        ("110113", "E"),
        ("110114", "E"),
        ("110105", "D"),
        ("110100", "E"),
    ]


def test_a_line_is_what_syslog_wants(kept: Kept) -> None:
    kept.trail.started()
    header = r"<85>1 2026-03-01T10:20:30\.400\+00:00 node\.example pulmonode 17 DICOM\+RFC3881 - \ufeff<AuditMessage>"
    assert re.match(header, kept.lines()[0])
    kept.trail.denied("192.0.2.8")
    assert kept.lines()[1].startswith("<84>1 ")


def test_what_arrived_is_told_once_by_sender_and_study_with_the_number_of_instances(kept: Kept) -> None:
    kept.trail.received()
    kept.clock.forward(60)
    kept.receive()
    assert kept.trail.received() == 0  # more may come
    kept.clock.forward(31)
    assert kept.trail.received() == 1
    assert kept.trail.received() == 0
    told = kept.messages()[0]
    classes = {one.get("UID"): one.get("NumberOfInstances") for one in told.iter("SOPClass")}
    assert classes == {image().sop_class: "3", segmentation().sop_class: "1"}
    users = [one.get("UserID") for one in told.iter("ActiveParticipant")]
    assert users == [SENDER.calling_ae_title, SENDER.called_ae_title]


def test_what_is_told_survives_a_restart(tmp_path: Path) -> None:
    first = Kept(tmp_path)
    first.trail.received()
    first.clock.forward(60)
    first.receive()
    second = Kept(tmp_path)
    second.clock.forward(120)
    assert second.trail.received() == 1
    assert Kept(tmp_path).trail.received() == 0


def test_a_patient_is_a_pseudonym_unless_the_trail_shall_identify(tmp_path: Path) -> None:
    def objects(kept: Kept) -> set[str]:
        everything(kept)
        found = set()
        for message in kept.messages():
            for one in message.iter("ParticipantObjectIdentification"):
                if one.get("ParticipantObjectTypeCode") == "1":
                    found |= {one.get("ParticipantObjectID", ""), one.findtext("ParticipantObjectName", "")}
        return found

    key = image().patient_key
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert objects(Kept(tmp_path / "a")) == {f"sha256:{key}"}
    assert objects(Kept(tmp_path / "b", identify=lambda path: ("4711", "ZZ^SENTINEL"))) == {"4711", "ZZ^SENTINEL"}


def test_a_case_that_is_not_deleted_is_not_told_of(kept: Kept) -> None:
    claim = kept.claim()  # a worker computes it
    erasure = AuditedErasure(kept.erasure, kept.trail)
    assert erasure.erase(claim.case, Why.PERSON, "test", at=kept.clock()) == "running"
    assert kept.messages() == []
    assert kept.ledger.rejected(claim, Rejected("ROI-001", "Nothing is drawn.", "Draw."), at=kept.clock())
    assert erasure.erase(claim.case, Why.PERSON, "test", at=kept.clock()) is None
    assert [event_of(one) for one in kept.messages()] == [("110105", "D")]


def test_an_attacker_does_not_fill_the_disk(kept: Kept) -> None:
    refused = RefusedAssociation("STRANGER", "PULMONODE", "192.0.2.7", "It may not.", "Let it in.")
    for _ in range(500):
        kept.trail.turned_away(refused)
    assert len(kept.lines()) == 60
    kept.clock.forward(61)
    kept.trail.turned_away(refused)
    assert len(kept.lines()) == 61


def test_the_node_goes_on_when_the_trail_cannot_be_written(kept: Kept, logged: Callable[[], str]) -> None:
    kept.folder.write_text("in the way")
    kept.trail.started()
    assert "MON-003" in logged()


def test_only_the_account_of_the_node_can_read_the_trail(kept: Kept) -> None:
    kept.trail.started()
    (path,) = kept.folder.glob("*.log")
    assert path.stat().st_mode & 0o077 == 0
    assert kept.folder.stat().st_mode & 0o077 == 0


def test_a_time_that_was_marked_is_read_back(tmp_path: Path) -> None:
    record = AuditRecord(tmp_path / "new")
    assert record.mark() is None
    at = datetime(2026, 3, 1, 10, 20, 30, 400_000, tzinfo=UTC)
    record.set_mark(at)
    assert record.mark() == at
