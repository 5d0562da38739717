"""Can the node do its work at this moment? Each check says what it found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.errors import TransientError

Probe = Callable[[], str]
"""Looks at one thing and tells what it found; raises `TransientError` when that is not well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    found: str


class Readiness:
    """Makes all checks, also when one of them fails."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = dict(probes)

    def look(self) -> tuple[Finding, ...]:
        return tuple(_finding(name, probe) for name, probe in self._probes.items())


def _finding(name: str, probe: Probe) -> Finding:
    try:
        return Finding(name, ok=True, found=probe())
    except TransientError as fault:
        return Finding(name, ok=False, found=f"{fault.code} {fault}")
    except OSError as fault:
        return Finding(name, ok=False, found=fault.strerror or "cannot be read")


def alive(role: str, age_s: float | None, *, longest_s: float) -> str:
    """What a sign of life says; raises `TransientError` when there was none for too long."""
    if age_s is None:
        raise TransientError("MON-001", f"No {role} has ever run.")
    if age_s > longest_s:
        raise TransientError("MON-001", f"No {role} gave a sign of life for {age_s:.0f} s.")
    return f"{age_s:.0f} s ago"


def enough_space(free_bytes: int, *, least_bytes: int) -> str:
    """What the free space says; raises `TransientError` when instances are refused for it."""
    told = f"{free_bytes // 2**20} MB free"
    if free_bytes < least_bytes:
        raise TransientError("RCV-003", f"{told}, instances are refused.")
    return told
