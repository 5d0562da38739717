"""Signs of life of the node's processes: a file for each role, touched while it works."""

import time
from collections.abc import Collection
from pathlib import Path


class Heartbeat:
    """Files in one folder.

    Parameters
    ----------
    folder
        In the data folder, so that all who share it see each other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def beat(self, role: str) -> None:
        """Show that a process of `role` works; raises `OSError` when the disk is unwell."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        (self._folder / role).touch()

    def set_restarting(self, processes: Collection[str]) -> None:
        """Tell which processes end again and again; raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        made = self._folder / "restarting.new"
        made.write_text("\n".join(sorted(processes)), "ascii")
        made.replace(self._folder / "restarting")

    def restarting(self) -> frozenset[str]:
        """The processes that end again and again."""
        try:
            return frozenset((self._folder / "restarting").read_text("ascii").split())
        except FileNotFoundError:
            return frozenset()

    def age_s(self, role: str) -> float | None:
        """Seconds since any process of `role` gave a sign; None when none ever did."""
        try:
            return max(0.0, time.time() - (self._folder / role).stat().st_mtime)
        except FileNotFoundError:
            return None
