"""Which addresses may connect, and how often: the rules of the door that need no DICOM."""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

_REMEMBERED: Final = 4096
"""Addresses whose pace is known; the one that was silent longest is forgotten first."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressList:
    """Networks that may connect. This machine always may.

    Parameters
    ----------
    networks
        As `10.1.0.0/16`, `192.168.3.4` or `fd00::/8`.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(one, strict=False) for one in networks)

    def __contains__(self, address: str) -> bool:
        asked = ipaddress.ip_address(address.partition("%")[0])
        # a socket for both families writes 10.1.2.3 as ::ffff:10.1.2.3
        mapped = getattr(asked, "ipv4_mapped", None)
        asked = mapped or asked
        return asked.is_loopback or any(asked in network for network in self._networks)


class Pace:
    """Lets each address through so many times a minute, with as many at once as it saved up.

    Parameters
    ----------
    per_minute
        0 lets everything through.
    now
        Seconds on a clock that never goes back.
    """

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._now = now
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """True, and counted, when `address` is not too fast."""
        if not self._per_minute:
            return True
        now = self._now()
        with self._lock:
            left, at = self._left.pop(address, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
            allowed = left >= 1
            self._left[address] = (left - 1 if allowed else left, now)
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        return allowed
