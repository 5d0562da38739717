"""The Redis transport of kombu, which a message that nobody can read does not end."""

# kombu's classes have no annotations: this module is where they enter
# mypy: disable-error-code="no-untyped-call"

from typing import Any, Final

from kombu.transport import redis

from node.logs import Log

_LOG: Final = Log("redis_broker")
_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What a foreign text makes of parsers that expect a message."""


class Channel(redis.Channel):
    """Takes messages, and lets go of what is none.

    Whoever reads a list of Redis has taken the message out of it. kombu then parses it and ends with an exception, and
    with it the worker and the case that it computes.
    """

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, RecursionError) as fault:
            _dropped(fault)
            return True


class Transport(redis.Transport):
    """Connections to Redis."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        try:
            self._require_readable(message)
        except _UNREADABLE as fault:
            _dropped(fault)
            return
        super()._deliver(message, queue)

    def _require_readable(self, message: Any) -> None:
        """Look up all that kombu and Celery do, before they know whether it is any good."""
        properties = message["properties"]
        if not isinstance(properties["delivery_tag"], str):
            raise TypeError("a delivery tag that is no text")
        delivery = properties["delivery_info"]
        hash((delivery["exchange"], delivery["routing_key"], message["content-type"], message["content-encoding"]))
        hash(dict(message["headers"]).get("task"))
        encoding, body = properties.get("body_encoding"), message["body"]
        if not isinstance(body, str):
            raise TypeError("a body that is no text")
        if encoding and encoding.lower() != "utf-8":
            self.Channel.codecs[encoding].decode(body)


def _dropped(fault: Exception) -> None:
    # the ledger knows the case, should there be one behind it, and has it queued again
    _LOG.error("broker_message_dropped", traceback=True, fault=type(fault).__name__)
