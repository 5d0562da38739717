"""Rules of the door as tests need them."""

from node.adapters.front_door import Rules


def rules(
    *,
    calling_ae_titles: tuple[str, ...] = (),
    require_called_ae_title: bool = True,
    max_associations: int = 10,
    max_pdu_bytes: int = 16384,
    max_object_bytes: int = 2**30,
    network_timeout_s: float = 30,
    addresses: tuple[str, ...] = (),
    connections_per_minute: int = 0,
) -> Rules:
    """Rules of a node called PULMONODE."""
    return Rules(
        ae_title="PULMONODE",
        calling_ae_titles=calling_ae_titles,
        require_called_ae_title=require_called_ae_title,
        max_associations=max_associations,
        max_pdu_bytes=max_pdu_bytes,
        max_object_bytes=max_object_bytes,
        network_timeout_s=network_timeout_s,
        addresses=addresses,
        connections_per_minute=connections_per_minute,
    )
