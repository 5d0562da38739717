"""The running node on this machine, seen as a peer."""

from pathlib import Path
from typing import Final

from node.adapters.association import PeerAddress
from node.adapters.storage_scu import StorageScu
from node.bootstrap.peers import make_tls
from node.settings import Settings

NAME: Final = "this node"
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})


def own_address(settings: Settings) -> PeerAddress:
    """Where the node listens, as a client on this machine reaches it."""
    host = "127.0.0.1" if settings.node.bind in _ANY_ADDRESS else settings.node.bind
    # its certificate need not name this machine as we call it
    tls = make_tls(settings, check_names=False) if settings.receive.tls else None
    return PeerAddress(NAME, settings.node.ae_title, host, settings.node.port, timeout_s=10, tls=tls)


def own_scu(settings: Settings) -> StorageScu:
    """A client that knows the node alone; it calls under an AE title that the node lets in."""
    allowed = settings.receive.calling_ae_titles
    return StorageScu(allowed[0] if allowed else "PULMONODE_CLI", [own_address(settings)], lambda file: Path(file.path))
