"""What is done to the steps of the node's own worklist stands in the audit trail, and no patient does."""

from xml.etree import ElementTree as Xml

import pytest

from node.adapters.steps.audit import StepAudit
from node.adapters.steps.scp import PULL, PUSH, WATCH
from node.adapters.steps.store import ALL_STEPS
from node.services.trail import StepAccess
from pipelines.domain.identifiers import patient_key_of
from tests.node.adapters.steps.conftest import Worklist, new_step
from tests.node.adapters.steps.test_scp import UID, change, create, get, item, update

RECORD = "110111"
PERSON, SYSTEM = "1", "2"


def told(worklist: Worklist) -> list[tuple[str, str, str, str, str]]:
    """Of each message: event, action, outcome, step, and patient."""
    return [
        (
            _of(one, "EventIdentification/EventID", "csd-code"),
            _of(one, "EventIdentification", "EventActionCode"),
            _of(one, "EventIdentification", "EventOutcomeIndicator"),
            one.findtext(f"{_object(SYSTEM)}/ParticipantObjectName") or "",
            _of(one, _object(PERSON), "ParticipantObjectID"),
        )
        for one in worklist.trail()
    ]


def _object(kind: str) -> str:
    return f"ParticipantObjectIdentification[@ParticipantObjectTypeCode='{kind}']"


def _of(message: Xml.Element, path: str, name: str) -> str:
    found = message.find(path)
    return "" if found is None else found.get(name, "")


def test_who_creates_reads_and_changes_a_step_is_told_with_whom_it_is_about(worklist: Worklist) -> None:
    with worklist.called("RIS") as association:
        assert (
            create(association, new_step(PatientID="SENTINEL-7", PatientName="ZZ^SENTINEL", IssuerOfPatientID="H")) == 0
        )
        assert get(association)[0] == 0
        assert change(association, "IN PROGRESS") == 0
        assert update(association, ProcedureStepLabel="SENTINEL-LABEL") == 0
    patient = f"sha256:{patient_key_of('SENTINEL-7', 'H')}"
    assert told(worklist) == [(RECORD, action, "0", UID, patient) for action in "CRUU"]
    for message in worklist.trail():
        who, node = message.findall("ActiveParticipant")
        assert (who.get("UserID"), who.get("UserIsRequestor")) == ("RIS", "true")
        assert who.get("NetworkAccessPointID") == "127.0.0.1"
        assert (node.get("UserID"), node.get("UserIsRequestor")) == ("NODE", "false")
        assert _of(message, _object(SYSTEM), "ParticipantObjectID") == PUSH
        assert "SENTINEL" not in Xml.tostring(message, encoding="unicode")


def test_a_step_that_is_named_by_the_node_is_told_by_that_name(worklist: Worklist) -> None:
    with worklist.called() as association:
        assert create(association, new_step(), uid=None) == 0
    ((_, action, outcome, step, _),) = told(worklist)
    assert (action, outcome, step) == ("C", "0", worklist.steps.all()[0][0])


def test_what_is_refused_is_told_as_a_failure(worklist: Worklist) -> None:
    with worklist.called() as association:
        assert create(association, new_step(ProcedureStepState="COMPLETED")) != 0
        assert get(association, "1.2.3")[0] != 0
        assert create(association, new_step()) == 0
        assert change(association, "IN PROGRESS") == 0
        assert update(association, "9.9", ProcedureStepLabel="X") != 0
    found = told(worklist)
    assert [(action, outcome) for _, action, outcome, _, _ in found] == [
        ("C", "4"),
        ("R", "4"),
        ("C", "0"),
        ("U", "0"),
        ("U", "4"),
    ]
    # of what is not there nobody is told
    assert [bool(patient) for *_, patient in found] == [False, False, True, True, True]
    assert worklist.trail()[0].findtext("EventIdentification/EventOutcomeDescription", "").startswith("status 0x")


def test_wishes_to_cancel_and_to_be_told_are_told(worklist: Worklist) -> None:
    with worklist.called() as association:
        assert create(association, new_step()) == 0
        wish = item(ReceivingAE="WATCHER", DeletionLock="FALSE")
        for uid in (UID, ALL_STEPS):
            assert association.send_n_action(wish, 3, PUSH, uid, meta_uid=WATCH)[0].Status == 0
        assert (
            association.send_n_action(item(ReasonForCancellation="Enough"), 2, PUSH, UID, meta_uid=WATCH)[0].Status == 0
        )
        assert association.send_n_action(None, 99, PUSH, UID, meta_uid=PULL)[0].Status == 0x0123
    assert [(action, step) for _, action, _, step, _ in told(worklist)] == [
        ("C", UID),
        ("E", UID),
        ("E", ALL_STEPS),
        ("U", UID),
        ("E", UID),
    ]


@pytest.mark.parametrize("identify", [True, False])
def test_a_patient_is_named_where_the_site_wants_that_alone(worklist: Worklist, identify: bool) -> None:
    with worklist.called() as association:
        assert create(association, new_step(PatientID="4711", PatientName="王^小东")) == 0
    heard: list[StepAccess] = []
    audit = StepAudit(worklist.steps, heard.append, identify=identify)
    held = worklist.steps.get(UID)
    assert held is not None
    named = audit._patient(held)
    assert (named.id, named.name) == (("4711", "王^小东") if identify else ("", ""))


def test_a_step_whose_patient_cannot_be_read_is_told_all_the_same(worklist: Worklist) -> None:
    with worklist.called() as association:
        broken = new_step(PatientID="P-1")
        broken.SpecificCharacterSet = "GB18030"
        broken.add_new(0x00100010, "PN", b"\xff\xff\xff")
        assert create(association, broken) == 0
    ((_, action, outcome, step, patient),) = told(worklist)
    assert (action, outcome, step) == ("C", "0", UID)
    assert patient == f"sha256:{patient_key_of('P-1')}"
