"""What this machine has of its own: a clock, an account, a folder of packaged files, a UID."""

import os
import pwd
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from node.settings import Settings


def utc_now() -> datetime:
    """The clock of the running node."""
    return datetime.now(UTC)


def account() -> str:
    """Name of the account that this process runs under."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def packaged_config() -> Path:
    """Folder of the packaged configuration: beside the package in a checkout, else where the wheel put it."""
    checkout = Path(__file__).parents[2] / "config"
    return checkout if (checkout / "node.toml").is_file() else Path(sys.prefix) / "share" / "pulmonode"


def device_uid(settings: Settings) -> str:
    """UID of this installation; made at the first start and kept in the data folder."""
    path = settings.data_dir / "device-uid"
    if not path.exists():
        made = settings.data_dir / f"device-uid.{uuid.uuid4().hex}"
        made.write_text(f"2.25.{uuid.uuid4().int}\n", "ascii")
        # a link appears whole or not at all, and of processes that start together one wins
        with suppress(FileExistsError):
            path.hardlink_to(made)
        made.unlink()
    return path.read_text("ascii").strip()
