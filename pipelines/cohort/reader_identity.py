"""Who drew a segmentation, as far as it tells: two drawings of one reader are no agreement of two."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class Drawing:
    """A segmentation of a CT, in the order in which they arrived.

    Attributes
    ----------
    reader
        Digest of the reader's name, which is not kept itself; empty when no name is told.
    series
        Digest of its Series Instance UID: who saves a drawing once more usually does so in the same series.
    """

    case: int
    reader: str
    series: str


@dataclass(frozen=True, slots=True)
class TwoReaders:
    """Two drawings of one CT by different readers.

    Attributes
    ----------
    named
        Both tell their reader; else nothing says that they have the same one.
    """

    first: int
    second: int
    named: bool


def drawing_of(case: int, segmentation: Dataset) -> Drawing:
    """Read who drew it: Content Creator's Name (0070,0084) of a SEG, else Operators' Name (0008,1070), Reviewer Name
    (300E,0008), or ROI Interpreter (3006,00A6) of an RT Structure Set.

    References
    ----------
    PS3.3 table 10-12 (Content Creator), C.7.3.1, C.8.8.8 and C.8.8.16.
    """
    name = next((plain for text in _names(segmentation) if (plain := _plain(text))), "")
    series = str(segmentation.get("SeriesInstanceUID", ""))
    return Drawing(case, _digest(name) if name else "", _digest(series))


def two_readers(drawings: Sequence[Drawing], *, whoever: bool = False) -> TwoReaders | None:
    """The first two drawings of a CT that are not by the same reader; None when there are none.

    Parameters
    ----------
    whoever
        Take the first two whatever name they bear, for programs that write the same one for everybody.
    """
    pairs = [(one, two) for one, two in combinations(drawings, 2) if whoever or not _same(one, two)]
    # readers who are told are surer than those who are not
    found = min(pairs, key=lambda pair: not _named(*pair), default=None)
    return None if found is None else TwoReaders(found[0].case, found[1].case, _named(*found) and not _same(*found))


def _named(one: Drawing, two: Drawing) -> bool:
    return bool(one.reader and two.reader)


def _same(one: Drawing, two: Drawing) -> bool:
    return one.reader == two.reader if _named(one, two) else one.series == two.series


def _names(segmentation: Dataset) -> Iterator[str]:
    for keyword in ("ContentCreatorName", "OperatorsName", "ReviewerName"):
        if keyword in segmentation:
            element = segmentation[keyword]
            yield from (str(one) for one in (element.value if element.VM > 1 else [element.value or ""]))
    for observed in segmentation.get("RTROIObservationsSequence") or ():
        yield str(observed.get("ROIInterpreter") or "")


def _plain(name: str) -> str:
    """Without what two programs write differently: case, carets, and the second way of writing a name."""
    return re.sub(r"[\s^=]+", " ", name.split("=")[0] or name).strip().upper()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
