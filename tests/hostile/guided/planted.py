"""A parser with a fault behind two comparisons, which nobody meets by chance."""

from pathlib import Path

from tests.hostile.guided.catalogue import Read


class PlantedFault(Exception):
    """What a fuzzer has to find."""


def planted(own: Path, shared: Path) -> Read:
    def read(data: bytes) -> None:
        if len(data) < 12 or data[:4] != b"\x8aQ\x1fz":
            return
        # of all 2**64 continuations, one
        if int.from_bytes(data[4:12], "big") == 0x5EED_0FF5_1E57_A11E:
            raise PlantedFault

    return read
