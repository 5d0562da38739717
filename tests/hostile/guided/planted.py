"""A parser with a fault behind two comparisons, which nobody meets by chance."""

from pathlib import Path

from tests.hostile.guided.catalogue import Read


class PlantedFault(Exception):
    """What a fuzzer has to find."""


def planted(own: Path, shared: Path) -> Read:
    def read(data: bytes) -> None:
        if len(data) < 8 or data[:4] != b"\x8aQ\x1fz":
            return
        # of all 2**32 continuations, one
        if data[4:8] == b"\x5e\xed\x1e\x57":
            raise PlantedFault

    return read
