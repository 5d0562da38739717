"""Who may connect, and how often."""

import pytest

from node.adapters.guard import AddressList, Pace


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ((), "127.0.0.1", True),
        ((), "::1", True),
        ((), "::ffff:127.0.0.1", True),
        ((), "10.1.2.3", False),
        (("10.1.0.0/16",), "10.1.2.3", True),
        (("10.1.0.0/16",), "::ffff:10.1.2.3", True),
        (("10.1.0.0/16",), "10.2.2.3", False),
        (("10.1.2.3",), "10.1.2.3", True),
        (("10.1.2.3",), "10.1.2.4", False),
        (("fd00::/8",), "fd12::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "203.0.113.9", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
    ],
)
def test_an_address_is_let_in_when_a_network_holds_it(networks: tuple[str, ...], address: str, allowed: bool) -> None:
    assert (address in AddressList(networks)) is allowed


def test_each_address_has_its_own_pace_and_earns_new_tries_with_time() -> None:
    now = 0.0
    pace = Pace(60, lambda: now)
    assert [pace.allows("10.0.0.1") for _ in range(61)] == [True] * 60 + [False]
    assert pace.allows("10.0.0.2")
    now = 1.0
    assert [pace.allows("10.0.0.1") for _ in range(2)] == [True, False]


def test_no_limit_lets_everything_through() -> None:
    pace = Pace(0, lambda: 0.0)
    assert all(pace.allows("10.0.0.1") for _ in range(10_000))


def test_only_so_many_addresses_are_remembered() -> None:
    pace = Pace(1, lambda: 0.0)
    for number in range(10_000):
        pace.allows(f"2001:db8::{number:x}")
    assert len(pace._left) <= 4096
