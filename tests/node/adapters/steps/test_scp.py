"""The node's worklist as a pushing PACS, a pulling performer and a watching viewer see it, over real associations."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from pydicom import DataElement, Dataset
from pynetdicom.dimse_primitives import C_FIND

from node.adapters.association import PeerAddress
from node.adapters.steps.boards import send_event
from node.adapters.steps.scp import PULL, PUSH, QUERY, WATCH
from node.adapters.steps.store import ALL_STEPS, MATCHING_STEPS
from node.logs import Log
from node.services.notify import Notifier
from tests.node.adapters.steps.conftest import Worklist, new_step

UID = "2.25.4711"


def create(association: Any, step: Dataset, uid: str | None = UID) -> int:
    status, _ = association.send_n_create(step, PUSH, uid)
    return int(status.Status)


def change(association: Any, state: str, transaction_uid: str = "1.2.3", uid: str = UID, **extra: object) -> int:
    information = Dataset()
    information.ProcedureStepState = state
    if transaction_uid:
        information.TransactionUID = transaction_uid
    status, _ = association.send_n_action(information, 1, PUSH, uid, meta_uid=PULL)
    return int(status.Status)


def update(association: Any, transaction_uid: str = "1.2.3", **attributes: object) -> int:
    modifications = Dataset()
    if transaction_uid:
        modifications.TransactionUID = transaction_uid
    for keyword, value in attributes.items():
        setattr(modifications, keyword, value)
    status, _ = association.send_n_set(modifications, PUSH, UID, meta_uid=PULL)
    return int(status.Status)


def get(association: Any, uid: str = UID) -> tuple[int, Dataset | None]:
    status, found = association.send_n_get([], PUSH, uid, meta_uid=WATCH)
    return int(status.Status), found


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def code(value: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator="99X", CodeMeaning=value)


PERFORMED = {
    "UnifiedProcedureStepPerformedProcedureSequence": [
        item(
            PerformedStationNameCodeSequence=[code("PERFORMER")],
            PerformedProcedureStepStartDateTime="20260301100000",
            PerformedProcedureStepEndDateTime="20260301100100",
            PerformedWorkitemCodeSequence=[code("WORK")],
            OutputInformationSequence=[],
        )
    ]
}


def test_a_step_goes_from_creation_to_completion(worklist: Worklist) -> None:
    with worklist.called() as association:
        assert create(association, new_step()) == 0x0000
        assert change(association, "IN PROGRESS") == 0x0000
        progress = [item(ProcedureStepProgress="40", ProcedureStepProgressDescription="Measuring.")]
        assert update(association, ProcedureStepProgressInformationSequence=progress) == 0x0000
        assert change(association, "COMPLETED") == 0xC304
        assert update(association, **PERFORMED) == 0x0000
        assert change(association, "COMPLETED") == 0x0000
        status, found = get(association)
    assert status == 0x0000
    assert found is not None
    assert found.ProcedureStepState == "COMPLETED"
    assert found.ProcedureStepProgressInformationSequence[0].ProcedureStepProgress == "40"
    assert found.PatientName == "王^小东"
    assert "TransactionUID" not in found


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, 0xC309),
        ({"ProcedureStepState": ""}, 0xC309),
        ({"TransactionUID": "1.2"}, 0x0106),
        ({"ProcedureStepLabel": ""}, 0x0120),
        ({"ScheduledProcedureStepPriority": ""}, 0x0120),
    ],
)
def test_a_step_that_lacks_what_the_standard_demands_is_not_created(
    worklist: Worklist, attributes: dict[str, object], status: int
) -> None:
    with worklist.called() as association:
        assert create(association, new_step(**attributes)) == status
        assert get(association)[0] == 0xC307


def test_a_step_is_created_once(worklist: Worklist) -> None:
    with worklist.called() as association:
        assert [create(association, new_step()) for _ in range(2)] == [0x0000, 0x0111]


def test_a_step_without_a_uid_gets_one(worklist: Worklist) -> None:
    with worklist.called() as association:
        status, _ = association.send_n_create(new_step(), PUSH, None)
    assert int(status.Status) == 0x0000
    ((uid, step),) = worklist.steps.all()
    assert step.SOPInstanceUID == uid


def test_only_who_claimed_a_step_may_change_it(worklist: Worklist) -> None:
    with worklist.called() as association:
        create(association, new_step())
        assert change(association, "IN PROGRESS", "") == 0xC301
        assert change(association, "IN PROGRESS", "1.1") == 0x0000
        assert change(association, "IN PROGRESS", "1.2") == 0xC302
        assert update(association, "1.2", ProcedureStepLabel="Other") == 0xC301
        assert change(association, "COMPLETED", "1.2") == 0xC301
        assert change(association, "CANCELED", "") == 0xC301
        assert update(association, "1.1", ProcedureStepState="COMPLETED") == 0xC303
        assert change(association, "NONSENSE", "1.1") == 0x0106


def test_of_many_that_claim_a_step_at_the_same_time_exactly_one_wins(worklist: Worklist) -> None:
    with worklist.called() as association:
        create(association, new_step())
    answers: list[int] = []
    together = threading.Barrier(8)

    def claim(number: int) -> None:
        with worklist.called(f"CLAIM{number}") as association:
            together.wait()
            answers.append(change(association, "IN PROGRESS", f"1.2.{number}"))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [0x0000, *[0xC302] * 7]


@pytest.mark.parametrize("model", [PULL, QUERY, WATCH])
def test_steps_are_found_by_their_attributes(worklist: Worklist, model: str) -> None:
    with worklist.called() as association:
        create(association, new_step(), "2.25.1")
        create(association, new_step(PatientID="P-2"), "2.25.2")
        change(association, "IN PROGRESS", "1.2", "2.25.2")
        found = {}
        for state in ("SCHEDULED", "IN PROGRESS", "COMPLETED"):
            query = item(ProcedureStepState=state, PatientID="", ProcedureStepLabel="Radio*")
            answers = list(association.send_c_find(query, model))
            found[state] = [step.PatientID for status, step in answers if status.Status == 0xFF00]
            assert answers[-1][0].Status == 0x0000
    assert found == {"SCHEDULED": ["P-1"], "IN PROGRESS": ["P-2"], "COMPLETED": []}


def test_a_step_that_waits_is_cancelled_on_request(worklist: Worklist) -> None:
    with worklist.called() as association:
        create(association, new_step())
        status, _ = association.send_n_action(None, 2, PUSH, UID, meta_uid=PUSH)
        assert status.Status == 0x0000
        _, found = get(association)
        assert found is not None
        assert found.ProcedureStepState == "CANCELED"
        status, _ = association.send_n_action(None, 2, PUSH, UID, meta_uid=PUSH)
        assert status.Status == 0xB304


def test_whoever_asks_to_cancel_a_running_step_learns_that_its_performer_cannot_be_asked(worklist: Worklist) -> None:
    with worklist.called("STRANGER") as association:
        create(association, new_step())
        change(association, "IN PROGRESS")
        status, _ = association.send_n_action(None, 2, PUSH, UID, meta_uid=PUSH)
    assert status.Status == 0xC312


def test_a_performer_that_has_subscribed_is_told_that_somebody_wants_to_cancel(worklist: Worklist) -> None:
    with worklist.called("PERFORMER") as association:
        create(association, new_step())
        change(association, "IN PROGRESS")
        subscribe(association, "PERFORMER")
    with worklist.called("DOCTOR") as association:
        status, _ = association.send_n_action(item(ReasonForCancellation="Wrong patient"), 2, PUSH, UID, meta_uid=PUSH)
    assert status.Status == 0x0000
    events = worklist.steps.due_events(at=datetime.now(UTC))
    assert [(event.receiving_ae_title, event.event_type) for event in events] == [("PERFORMER", 1), ("PERFORMER", 2)]
    assert events[-1].dataset.RequestingAE == "DOCTOR"
    assert events[-1].dataset.ReasonForCancellation == "Wrong patient"


def subscribe(association: Any, receiver: str, uid: str = UID) -> int:
    information = item(ReceivingAE=receiver, DeletionLock="FALSE")
    status, _ = association.send_n_action(information, 3, PUSH, uid, meta_uid=WATCH)
    return int(status.Status)


def test_an_unknown_receiver_cannot_be_subscribed(worklist: Worklist) -> None:
    with worklist.called() as association:
        create(association, new_step())
        assert subscribe(association, "NOBODY") == 0xC308
        assert subscribe(association, "WATCHER", "2.25.99") == 0xC307


@pytest.mark.parametrize("about", [UID, ALL_STEPS, MATCHING_STEPS])
def test_a_subscriber_is_told_of_each_change_in_order(
    worklist: Worklist, watcher: tuple[PeerAddress, Callable[[], list[tuple[str, int, Dataset]]]], about: str
) -> None:
    address, told = watcher
    with worklist.called() as association:
        if about == UID:
            create(association, new_step())
        assert subscribe(association, "WATCHER", about) == 0x0000
        if about != UID:
            create(association, new_step())
        change(association, "IN PROGRESS")
        update(association, ProcedureStepProgressInformationSequence=[item(ProcedureStepProgress="50")])
        update(association, **PERFORMED)
        change(association, "COMPLETED")
    notifier = Notifier(
        worklist.steps, lambda event: send_event("NODE", address, event), lambda: datetime.now(UTC), Log("test")
    )
    notifier.tick()
    assert [(uid, event) for uid, event, _ in told()] == [(UID, 1), (UID, 1), (UID, 3), (UID, 1)]
    assert [information.get("ProcedureStepState") for _, _, information in told()] == [
        "SCHEDULED",
        "IN PROGRESS",
        None,
        "COMPLETED",
    ]
    assert list(worklist.steps.due_events(at=datetime.now(UTC))) == []


def test_who_has_unsubscribed_is_told_no_more(worklist: Worklist) -> None:
    with worklist.called() as association:
        subscribe(association, "WATCHER", ALL_STEPS)
        information = item(ReceivingAE="WATCHER")
        association.send_n_action(information, 4, PUSH, ALL_STEPS, meta_uid=WATCH)
        create(association, new_step())
    assert list(worklist.steps.due_events(at=datetime.now(UTC))) == []


def test_an_unknown_action_is_refused(worklist: Worklist) -> None:
    with worklist.called() as association:
        create(association, new_step())
        status, _ = association.send_n_action(None, 9, PUSH, UID, meta_uid=PUSH)
    assert status.Status == 0x0123


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\0\x05\0\x04\0\0\0IS\0O",  # a character set with a zero
        b"\x28\0\x10\0\x03\0\0\0abc",  # three bytes of a number of two
        b"\x40\0\x00\x01\x04\0\0\0abcd",  # a sequence of something else than items
    ],
)
def test_a_query_that_cannot_be_decoded_is_answered_and_the_association_lives_on(
    worklist: Worklist, data: bytes
) -> None:
    request = C_FIND()
    request.MessageID, request.AffectedSOPClassUID, request.Priority = 1, QUERY, 2
    request.Identifier = BytesIO(data)
    with worklist.called() as association:
        create(association, new_step())
        context = next(one for one in association.accepted_contexts if one.abstract_syntax == QUERY)
        association._reactor_checkpoint.clear()
        while not association._is_paused:
            time.sleep(0.001)
        association.dimse.send_msg(request, context.context_id)
        _, response = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        assert response.Status == 0xC000
        assert [status.Status for status, _ in association.send_c_find(item(PatientID="P-1"), QUERY)] == [
            0xFF00,
            0x0000,
        ]


def test_a_data_set_that_cannot_be_read_is_refused_and_changes_nothing(worklist: Worklist) -> None:
    # two bytes of a number of eight; Implicit VR does not say what it is
    half = DataElement(0x00409224, "OB", b"\1\0")
    with worklist.called() as association:
        broken = new_step()
        broken.add(half)
        assert create(association, broken) == 0x0106
        assert worklist.steps.all() == []
        assert create(association, new_step()) == 0
        modifications = Dataset()
        modifications.ProcedureStepLabel = "changed"
        modifications.add(half)
        status, _ = association.send_n_set(modifications, PUSH, UID, meta_uid=PULL)
        assert status.Status == 0x0106
        held = worklist.steps.get(UID)
        assert held is not None and held.ProcedureStepLabel == "Radiomics"
