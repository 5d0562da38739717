"""Associations that the node asks for: they end, whatever the library that speaks them does."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pynetdicom import AE

from node.adapters.association import Context, PeerAddress, associate, close
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import VERIFICATION
from tests.tools import wait_for


@pytest.fixture
def association() -> Iterator[Any]:
    """One with a peer that answers; its requests time out after a second."""
    ae = AE("PEER")
    ae.add_supported_context(VERIFICATION)
    server: Any = ae.start_server(("127.0.0.1", 0), block=False)
    peer = PeerAddress("PEER", "PEER", "127.0.0.1", server.socket.getsockname()[1], 1)
    made = associate("PULMONODE", peer, [Context(VERIFICATION)])
    assert not isinstance(made, Rejected)
    yield made
    ae.shutdown()


def test_an_association_is_released(association: Any) -> None:
    close(association)
    assert association.is_released


def test_an_association_whose_thread_never_says_that_it_paused_is_ended(association: Any) -> None:
    # as it was found in a node that had run for an hour: the thread waits at its checkpoint and is not called paused
    association._reactor_checkpoint.clear()
    wait_for("the thread at its checkpoint", lambda: association._is_paused)
    time.sleep(0.05)
    association._is_paused = False
    closing = threading.Thread(target=close, args=(association,), daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
    assert not association.is_established
