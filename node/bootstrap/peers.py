"""Other DICOM applications: who they are, and what calls them."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from node.adapters.association import PeerAddress
from node.adapters.commitment import CommitmentScu
from node.adapters.storage_scu import StorageScu
from node.adapters.stow import Archives, StowClient, WebArchive
from node.adapters.tls import Tls, TlsFiles
from node.ports import Archive, Destination
from node.settings import Peer, Settings, read_secret


def make_tls(settings: Settings, *, check_names: bool = True) -> Tls | None:
    """TLS as it is configured; None when its files are not named."""
    files = settings.tls
    if files.certificate_file is None or files.key_file is None or files.authorities_file is None:
        return None
    return Tls(
        TlsFiles(files.certificate_file, files.key_file, files.authorities_file),
        require_client_certificate=files.require_client_certificate,
        check_names=check_names,
    )


def allowed_addresses(settings: Settings) -> tuple[str, ...]:
    """Who may connect: the networks that are configured, and the peers where their names are known."""
    allowed = list(settings.receive.addresses)
    for peer in settings.peers:
        # a peer whose name nobody knows now can still be called later
        with suppress(OSError):
            found = socket.getaddrinfo(peer.host, None, type=socket.SOCK_STREAM)
            allowed += sorted({str(address[0]).partition("%")[0] for *_, address in found})
    return tuple(dict.fromkeys(allowed))


def peer_address(settings: Settings, peer: Peer) -> PeerAddress:
    """A configured peer as the sending adapters know it."""
    return PeerAddress(
        peer.name,
        peer.ae_title,
        peer.host,
        peer.port,
        peer.timeout_s,
        deflate=peer.deflate,
        charset=peer.charset or "",
        tls=make_tls(settings) if peer.tls else None,
        tls_name=peer.tls_name,
        associations=peer.associations,
    )


def destination(settings: Settings, name: str) -> Destination:
    """What the peer of that name shall get."""
    peer = next(peer for peer in settings.peers if peer.name == name)
    return Destination(name, frozenset(peer.outputs))


def make_scu(settings: Settings, locate: Callable[..., Path]) -> StorageScu:
    """The sending service; `locate` finds the file of a result."""
    return StorageScu(settings.node.ae_title, [peer_address(settings, peer) for peer in settings.peers], locate)


def make_archive(settings: Settings, locate: Callable[..., Path]) -> Archive:
    """Every peer by the protocol that it is configured for."""
    scu = make_scu(settings, locate)
    archives = [
        WebArchive(peer.name, peer.stow_url, peer.timeout_s, read_secret(peer.stow_token_file))
        for peer in settings.peers
        if peer.stow_url
    ]
    stow = StowClient(archives, locate)
    return Archives({archive.name: stow for archive in archives}, scu)


def make_commitment_scu(settings: Settings) -> CommitmentScu:
    """The service that asks and answers about storage commitment on associations of its own."""
    addresses = [peer_address(settings, peer) for peer in settings.peers]
    return CommitmentScu(settings.node.ae_title, addresses, hold_s=settings.delivery.commitment_hold_s)
