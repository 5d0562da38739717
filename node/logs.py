"""Log lines that are an event's name and its fields, never a patient's data."""

import json
import logging
import sys
import threading
import traceback
import warnings
from datetime import UTC, datetime
from typing import Literal, TextIO

Field = str | int | float | bool | None


class Log:
    """Thin wrapper over a standard logger: `log.info("case_delivered", case=17, objects=2)`.

    Fields are case numbers, UIDs, AE titles, codes, counts and durations. A name, an ID, a date of birth, free text
    or a feature value is never a field.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"pulmonode.{name}")

    def debug(self, event: str, **fields: Field) -> None:
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: Field) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Field) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, *, traceback: bool = False, **fields: Field) -> None:
        self._logger.error(event, extra={"fields": fields}, exc_info=traceback)


class JsonLines(logging.Formatter):
    """One JSON object a line, for programs."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "source": record.name.removeprefix("pulmonode."),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = _frames(record.exc_info[1])
        return json.dumps(entry, ensure_ascii=False)


class HumanLines(logging.Formatter):
    """Time, level, event and fields, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = "  ".join(f"{key}={value}" for key, value in getattr(record, "fields", {}).items())
        line = f"{at} {record.levelname.lower():7} {record.getMessage():24} {fields}".rstrip()
        return f"{line}\n{_frames(record.exc_info[1])}" if record.exc_info else line


def _frames(fault: BaseException | None) -> str:
    """Where an exception came from and of which kind it is; its message may quote a patient and is left out."""
    parts = []
    while fault is not None:
        parts.append(f"{type(fault).__qualname__}\n{''.join(traceback.format_tb(fault.__traceback__))}".rstrip())
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return "\ncaused by ".join(parts)


def configure(level: str, form: Literal["auto", "human", "json"], *, stream: TextIO | None = None) -> None:
    """Send all log lines of this process to `stream` (standard error by default)."""
    target = stream or sys.stderr
    human = form == "human" or (form == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(HumanLines() if human else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("pulmonode").setLevel(level.upper())
    # pydicom quotes wrong values of a header in its warnings
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    # Celery's page about root; the worker says it in a line of its own
    warnings.filterwarnings("ignore", module=r"celery\.platforms")
    # what these call an error, a silent peer or damaged pixels, is told by their caller with a code
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # these write URLs with passwords or whole settings below WARNING
    for name in ("highdicom", "radiomics", "celery", "kombu", "amqp", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.ERROR)


def watch_threads() -> None:
    """Log what ends a thread of this process; by itself Python writes it to standard error, with all that it quotes."""
    threading.excepthook = _thread_ended


def _thread_ended(what: threading.ExceptHookArgs) -> None:
    log, name = Log("threads"), type(what.thread).__name__
    if any(kind.__module__.partition(".")[0] == "pynetdicom" for kind in type(what.thread).__mro__):
        # whoever uses the association finds it broken, and tells of that with a code and what to do
        log.warning("association_thread_ended", code="NET-005", kind=name, reason=what.exc_type.__name__)
    elif not issubclass(what.exc_type, SystemExit):
        log.error("thread_failed", traceback=True, thread=what.thread.name if what.thread is not None else "")
