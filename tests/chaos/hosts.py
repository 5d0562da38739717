"""Hosts of their own on this machine: network namespaces (ip-netns(8)), each behind a cable that can be pulled."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools import kill_tree, tool


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace and the cable from it to the machine itself.

    Attributes
    ----------
    server
        Address of the machine at its end of the cable.
    """

    name: str
    cable: str
    server: str

    def cut_off(self) -> None:
        """Pull the cable: nothing is refused, and nothing arrives any more."""
        _ip("link", "set", self.cable, "down")

    def connect(self) -> None:
        _ip("link", "set", self.cable, "up")

    @contextmanager
    def running(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """`python ARGUMENTS` on that host until the block ends."""
        command = [tool("ip", "iproute2"), "netns", "exec", self.name, sys.executable, *arguments]
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=stream, env=os.environ | dict(environment), start_new_session=True
            )
        try:
            yield process
        finally:
            kill_tree(process)


@contextmanager
def host(number: int) -> Iterator[Host]:
    """A host; the test is skipped where none may be made."""
    # the name of an interface has 15 characters at most
    name, cable = f"pulmonode-{os.getpid()}-{number}", f"pn{os.getpid() % 1_000_000}-{number}"
    network = f"10.{200 + number}.{os.getpid() % 250}"
    server, address = f"{network}.1", f"{network}.2"
    if os.geteuid() != 0:
        pytest.skip("making network namespaces needs root")
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as fault:
        pytest.skip(f"network namespaces are not permitted here: {fault.stderr}")
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", "uplink", "netns", name)
        _ip("address", "add", f"{server}/24", "dev", cable)
        _ip("link", "set", cable, "up")
        for arguments in (
            ("address", "add", f"{address}/24", "dev", "uplink"),
            ("link", "set", "uplink", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *arguments)
        yield Host(name, cable, server)
    finally:
        # the cable would go with the namespace, but some time later, and the next host may want its name
        with suppress(subprocess.CalledProcessError):
            _ip("link", "delete", cable)
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run([tool("ip", "iproute2"), *arguments], check=True, capture_output=True, text=True)
