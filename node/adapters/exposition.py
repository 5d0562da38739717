"""The numbers of the node as Prometheus reads them: those that processes count, and those that are looked up."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from node.adapters.ledger_meters import SqlMeters
from node.errors import TransientError
from node.ports import Clock


class LookedUp(Collector):
    """What the ledger, the queue and the disk know at the moment of the question.

    Parameters
    ----------
    depth
        Messages that no worker has taken; raises `TransientError`.
    spool
        Raises `TransientError` when the spool is not there.
    """

    def __init__(
        self,
        ledger: SqlMeters,
        depth: Callable[[], int],
        data_dir: Path,
        clock: Clock,
        *,
        spool: Callable[[], None],
        version: str,
    ) -> None:
        self._ledger = ledger
        self._depth = depth
        self._spool = spool
        self._data_dir = data_dir
        self._clock = clock
        self._version = version

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("pulmonode", "The version that runs.", value={"version": self._version})
        with suppress(OSError):  # a disk that is away has no size
            usage = disk_usage(self._data_dir)
            yield GaugeMetricFamily("pulmonode_disk_free_bytes", "Free on the disk of data_dir.", value=usage.free)
            yield GaugeMetricFamily("pulmonode_disk_size_bytes", "Size of the disk of data_dir.", value=usage.total)
        yield from self._or_nothing("spool", self._from_spool)
        yield from self._or_nothing("ledger", self._from_ledger)
        yield from self._or_nothing("queue", self._from_queue)

    def _or_nothing(self, name: str, look: Callable[[], Sequence[Metric]]) -> Iterator[Metric]:
        """What can be seen, and whether: one that is away hides nothing but its own numbers."""
        try:
            found = look()
        except TransientError:
            found = []
            up = 0.0
        else:
            up = 1.0
        yield GaugeMetricFamily(f"pulmonode_{name}_up", f"1 when the {name} answers.", value=up)
        yield from found

    def _from_spool(self) -> Sequence[Metric]:
        self._spool()
        return []

    def _from_queue(self) -> Sequence[Metric]:
        told = "Cases that wait for a worker."
        return [GaugeMetricFamily("pulmonode_queue_depth", told, value=self._depth())]

    def _from_ledger(self) -> Sequence[Metric]:
        now = self._clock()
        cases = GaugeMetricFamily("pulmonode_cases", "Cases by state.", labels=["state"])
        for state, number in self._ledger.cases().items():
            cases.add_metric([state.value], number)
        oldest = GaugeMetricFamily(
            "pulmonode_oldest_case_seconds", "Seconds since the longest waiting case moved.", labels=["state"]
        )
        for state, since in self._ledger.oldest().items():
            oldest.add_metric([state.value], (now - since).total_seconds())
        deliveries = GaugeMetricFamily(
            "pulmonode_deliveries", "Results by destination and state.", labels=["destination", "state"]
        )
        for destination, delivered, number in self._ledger.deliveries():
            deliveries.add_metric([destination, delivered.value], number)
        commitments = GaugeMetricFamily(
            "pulmonode_commitments", "Delivered results by what is known of their keeping.", labels=["state"]
        )
        for name, number in self._ledger.commitments():
            commitments.add_metric([name], number)
        return [cases, oldest, deliveries, commitments]


def exposition(collectors: Sequence[Collector]) -> bytes:
    """All numbers in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    for one in collectors:
        registry.register(one)
    return generate_latest(registry)
