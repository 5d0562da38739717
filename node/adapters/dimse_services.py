"""DIMSE services that share one listening application entity, and who answers which request."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pynetdicom import evt

NO_SUCH_SERVICE: Final = 0x0211
"""Unrecognised operation."""


@dataclass(frozen=True, slots=True)
class DimseService:
    """A service beside Verification and Storage.

    Attributes
    ----------
    sop_classes
        Abstract syntaxes that it accepts.
    handlers
        What answers a request of an intervention event, such as `evt.EVT_N_ACTION`.
    reversed_roles
        Abstract syntaxes in which the one who calls may be the SCP, as for notifications.
    """

    sop_classes: tuple[str, ...]
    handlers: Mapping[Any, Callable[[Any], Any]]
    reversed_roles: frozenset[str] = frozenset()


def handlers_of(services: Sequence[DimseService]) -> list[tuple[Any, Callable[[Any], Any]]]:
    """One handler for each event, which asks the service that the presentation context belongs to."""
    events = {event for service in services for event in service.handlers}
    return [(event, _by_context(event, services)) for event in sorted(events, key=lambda event: str(event.name))]


def _by_context(event: Any, services: Iterable[DimseService]) -> Callable[[Any], Any]:
    by_class = {
        sop_class: service.handlers[event]
        for service in services
        if event in service.handlers
        for sop_class in service.sop_classes
    }

    def handle(happened: Any) -> Any:
        return by_class[str(happened.context.abstract_syntax)](happened)

    def refuse(_: Any) -> Any:
        return NO_SUCH_SERVICE, None

    def dispatch(happened: Any) -> Any:
        known = str(happened.context.abstract_syntax) in by_class
        return handle(happened) if known else refuse(happened)

    if event is evt.EVT_C_FIND:
        # pynetdicom iterates over the answers of a query

        def find(happened: Any) -> Any:
            if str(happened.context.abstract_syntax) in by_class:
                yield from handle(happened)
            else:
                yield NO_SUCH_SERVICE, None

        return find
    return dispatch
