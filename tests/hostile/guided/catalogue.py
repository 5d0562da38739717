"""What is fuzzed: each reader by its name, with the modules whose branches guide the search.

Nothing of the product is imported here: it has to be imported where it is instrumented.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Read = Callable[[bytes], None]
"""Gives bytes to a reader; returns when it does what it promises, and raises when it does not."""

_LIBRARIES = ("pydicom.filereader", "pydicom.fileutil", "pydicom.dataset", "pydicom.dataelem", "pydicom.values")
_CHARSETS = ("pipelines.imaging.charsets", "pipelines.domain.charsets")
_HEADER = ("pipelines.imaging.header", "pipelines.domain.charsets", "pipelines.domain.instance")
_CASE = (*_HEADER, *_CHARSETS, "pipelines.imaging", "pipelines.domain.lesion_rule", "pydicom.dataset", "pydicom.values")
_STORING = ("node.adapters.upper_layer", "node.adapters.dimse", "node.services.receive", "node.adapters.incoming")


@dataclass(frozen=True, slots=True)
class Target:
    """A reader.

    Attributes
    ----------
    entry
        `module:function`; the function takes a folder of its own, and the folder of what all share, and gives a `Read`.
    instrumented
        Modules and packages whose branches are counted.
    elements
        True where the bytes are a Part 10 file, which is changed element by element as well.
    most_bytes
        Longest input that is tried.
    quick_runs
        How many inputs take about a second, for a quick look.
    """

    name: str
    entry: str
    instrumented: tuple[str, ...]
    elements: bool = False
    most_bytes: int = 8192
    quick_runs: int = 500

    def load(self, own: Path, shared: Path) -> Read:
        """Import the reader, and make what it needs."""
        module, _, function = self.entry.partition(":")
        read: Read = getattr(importlib.import_module(f"tests.hostile.guided.{module}"), function)(own, shared)
        return read


PLANTED = Target("planted", "planted:planted", ("tests.hostile.guided.planted",), most_bytes=16)
"""A parser with a fault in it, by which it is proved that faults are found."""

TARGETS = {
    target.name: target
    for target in (
        Target("header", "objects:header", _HEADER, elements=True, quick_runs=1500),
        Target("oracle", "objects:oracle", (*_HEADER, *_LIBRARIES), elements=True, quick_runs=700),
        Target("deflated", "objects:deflated", _HEADER, quick_runs=1000),
        Target("segmentation", "objects:segmentation", _CASE, elements=True, quick_runs=40),
        Target("structures", "objects:structures", _CASE, elements=True, quick_runs=100),
        Target("image", "objects:image", _CASE, elements=True, quick_runs=60),
        Target(
            "report",
            "objects:report",
            (*_HEADER, "pipelines.clinical", "node.services.read_reports", *_LIBRARIES),
            elements=True,
            most_bytes=16384,
            quick_runs=150,
        ),
        Target("charset", "texts:charset", _CHARSETS, most_bytes=256, quick_runs=500),
        Target(
            "table", "texts:table", ("pipelines.clinical.tables", "pipelines.domain.clinical_fields"), quick_runs=500
        ),
        Target(
            "cohort-table",
            "texts:cohort_table",
            ("pipelines.cohort.table_file", "pipelines.cohort.dictionary"),
            quick_runs=300,
        ),
        Target("bundle", "texts:bundle", ("pipelines.clinical.fhir", "pipelines.domain.scan_date"), quick_runs=1000),
        Target("users", "network:users", ("node.adapters.users",), most_bytes=1024, quick_runs=150),
        Target(
            "request",
            "network:request",
            (*_STORING, "node.adapters.front_door", "node.adapters.users", "pynetdicom.pdu", "pynetdicom.pdu_items"),
            quick_runs=1000,
        ),
        Target(
            "association",
            "network:association",
            (*_STORING, *_HEADER, "node.adapters.store_association"),
            quick_runs=800,
        ),
        Target("command", "network:command", ("node.adapters.dimse",), most_bytes=1024, quick_runs=5000),
        Target(
            "acceptance",
            "network:acceptance",
            ("node.adapters.store_client", "node.adapters.upper_layer", "pynetdicom.pdu", "pynetdicom.pdu_items"),
            quick_runs=300,
        ),
        Target(
            "response", "network:response", (*_STORING, "node.adapters.store_client"), most_bytes=1024, quick_runs=800
        ),
        Target(
            "query",
            "network:query",
            ("node.adapters.matching", "node.adapters.steps", "pynetdicom.dsutils", *_LIBRARIES),
            most_bytes=2048,
            quick_runs=150,
        ),
        Target(
            "answer",
            "network:answer",
            ("node.adapters.query_retrieve", "node.adapters.worklist", "pipelines.imaging.order", *_LIBRARIES),
            most_bytes=2048,
            quick_runs=200,
        ),
        Target(
            "step",
            "requests:step",
            ("node.adapters.steps", "node.adapters.identifiers", *_CHARSETS, "pynetdicom.dsutils", *_LIBRARIES),
            most_bytes=2048,
            quick_runs=20,
        ),
        Target(
            "commitment",
            "requests:commitment",
            ("node.adapters.commitment", "pynetdicom.dsutils", *_LIBRARIES),
            most_bytes=1024,
            quick_runs=500,
        ),
        Target(
            "model",
            "files:model",
            ("pipelines.scoring.model", "pipelines.scoring.keys", "pipelines.domain.model_facts", "json"),
            quick_runs=500,
        ),
        Target("settings", "files:settings", ("node.settings", "tomllib"), most_bytes=2048, quick_runs=200),
        Target(
            "parameters",
            "files:parameters",
            ("pipelines.extraction.parameters", "pykwalify", "ruamel.yaml"),
            most_bytes=1024,
            quick_runs=20,
        ),
        Target("printed", "files:printed", ("pipelines.audit", "tomllib"), most_bytes=2048, quick_runs=500),
        Target("training-cohort", "files:cohort", ("pipelines.cohort.folder",), most_bytes=2048, quick_runs=500),
        Target(
            "deidentified",
            "files:deidentified",
            (*_HEADER, "pipelines.cohort.deidentify", *_LIBRARIES, "pydicom.filewriter"),
            elements=True,
            quick_runs=100,
        ),
        Target("task", "files:task", ("node.adapters.sqlite_broker", "json", "kombu.utils.json"), most_bytes=2048),
        Target("stow", "web:stow", ("node.web", "python_multipart", *_HEADER), quick_runs=300),
        Target("search", "web:search", ("node.web", "node.adapters.matching"), most_bytes=512, quick_runs=250),
        Target(
            "metadata",
            "web:metadata",
            ("node.web", *_HEADER, *_LIBRARIES, "pydicom.jsonrep"),
            elements=True,
            quick_runs=250,
        ),
    )
}
