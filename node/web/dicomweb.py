"""DICOMweb: QIDO-RS, WADO-RS and STOW-RS over what the node holds (PS3.18 10.4 to 10.6)."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from pydicom import DataElement, Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.encaps import generate_frames
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from node.adapters.archive_index import ArchiveIndex, HeldInstance, HeldStudy
from node.adapters.incoming import part10
from node.adapters.matching import matches
from node.logs import Log
from node.ports import Sender, StoredFile
from node.services.receive import COERCION, SUCCESS, Announced, Receiver
from node.web.headers import (
    INSTANCE_KEYWORDS,
    SERIES_KEYWORDS,
    STUDY_KEYWORDS,
    Headers,
    as_json,
    attributes,
)
from node.web.multipart import BadMultipart, encoded, new_boundary, parts
from pipelines.domain.identifiers import is_uid
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.imaging.damaged import READ_FAULTS
from pipelines.imaging.header import file_meta, parse_ref

_JSON: Final = "application/dicom+json"
_MOST_RESULTS: Final = 200
_AT_ONCE: Final = 100
_CHUNK: Final = 1 << 20
_PROCESSING_FAILURE: Final = 0x0110
_LONGEST_NUMBER: Final = 9
_NOT_ATTRIBUTES: Final = frozenset({"limit", "offset", "includefield", "fuzzymatching"})
_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request."""


class Readers(Protocol):
    """Who hears of those that read."""

    def searched(self, address: str, keys: Dataset) -> None:
        """Somebody searched by these keys."""

    def read(self, address: str, study: str, *, whole: bool) -> None:
        """Somebody was given instances of a study, or parts of them."""


class DicomWeb:
    """The routes of one DICOMweb service.

    Parameters
    ----------
    path
        Where a file of the spool lies.
    max_request_bytes
        Largest request body that is taken.
    readers
        Hears of what is searched for and read, and from which address.
    """

    def __init__(
        self,
        index: ArchiveIndex,
        receiver: Receiver,
        path: Callable[[StoredFile], Path],
        log: Log,
        *,
        max_request_bytes: int,
        readers: Readers | None = None,
    ) -> None:
        self._index = index
        self._readers = readers
        self._receiver = receiver
        self._path = path
        self._log = log
        self._max_request_bytes = max_request_bytes
        self._headers = Headers()

    def routes(self) -> list[Route]:
        study, series = "/studies/{study}", "/studies/{study}/series/{series}"
        instance = series + "/instances/{instance}"
        retrieved: dict[str, Handler] = {
            study + "/series": self.find_series,
            study + "/instances": self.find_instances,
            series + "/instances": self.find_instances,
            **{level + "/metadata": self.metadata for level in (study, series, instance)},
            instance + "/frames/{frames}": self.frames,
            instance + "/bulkdata/{tag}": self.bulk_data,
            **dict.fromkeys((study, series, instance), self.retrieve),
        }
        return [
            Route("/studies", self.store, methods=["POST"]),
            Route(study, _of_uids(self.store), methods=["POST"]),
            Route("/studies", self.find_studies),
            *(Route(path, _of_uids(handler)) for path, handler in retrieved.items()),
        ]

    # QIDO-RS

    async def find_studies(self, request: Request) -> Response:
        return await run_in_threadpool(self._find_studies, request)

    def _find_studies(self, request: Request) -> Response:
        query, limit, offset = self._query(request)
        named = _listed(query.get("StudyInstanceUID"))
        # what the ledger does not know is looked for in the files, so more studies are read than are answered
        filtered = any(key.keyword != "StudyInstanceUID" and not key.is_empty for key in query)
        held = self._index.studies(studies=named, limit=10_000 if filtered else limit, offset=0 if filtered else offset)
        answers: list[dict[str, Any]] = []
        skipped = 0
        for found in self._studies(held):
            if not matches(query, found):
                continue
            if filtered and skipped < offset:
                skipped += 1
                continue
            answers.append(as_json(found, _no_uri))
            if len(answers) == limit:
                break
        return _json(answers)

    def _studies(self, held: Sequence[HeldStudy]) -> Iterator[Dataset]:
        """What the node knows of each study, as far as it is asked for."""
        for first in range(0, len(held), _AT_ONCE):
            some = held[first : first + _AT_ONCE]
            series = self._index.one_of_each_series([one.study for one in some])
            for one in some:
                found = self._study(one, series[one.study])
                if found is not None:
                    yield found

    def _study(self, held: HeldStudy, series: Sequence[HeldInstance]) -> Dataset | None:
        headers = [header for header in map(self._beginning, series) if header is not None]
        header = headers[0] if headers else self._first_header(self._index.instances(held.study))
        if header is None:
            return None
        found = attributes(header, STUDY_KEYWORDS)
        found.StudyInstanceUID = held.study
        found.ModalitiesInStudy = sorted({str(one.get("Modality", "")) for one in headers} - {""})
        found.NumberOfStudyRelatedSeries = held.series
        found.NumberOfStudyRelatedInstances = held.instances
        return found

    async def find_series(self, request: Request) -> Response:
        return await run_in_threadpool(self._find_series, request)

    def _find_series(self, request: Request) -> Response:
        query, limit, offset = self._query(request)
        instances = self._index.instances(request.path_params["study"])
        answers = []
        for first in _one_of_each_series(instances):
            header = self._header(first)
            if header is None:
                continue
            found = attributes(header, [*STUDY_KEYWORDS, *SERIES_KEYWORDS])
            found.StudyInstanceUID, found.SeriesInstanceUID = first.study, first.series
            found.NumberOfSeriesRelatedInstances = sum(one.series == first.series for one in instances)
            if matches(query, found):
                answers.append(as_json(found, _no_uri))
        return _json(answers[offset : offset + limit])

    async def find_instances(self, request: Request) -> Response:
        return await run_in_threadpool(self._find_instances, request)

    def _find_instances(self, request: Request) -> Response:
        query, limit, offset = self._query(request)
        answers = []
        for one in self._asked(request):
            header = self._header(one)
            if header is None:
                continue
            found = attributes(header, [*INSTANCE_KEYWORDS, *SERIES_KEYWORDS])
            found.StudyInstanceUID, found.SeriesInstanceUID = one.study, one.series
            if matches(query, found):
                answers.append(as_json(found, _no_uri))
        return _json(answers[offset : offset + limit])

    # WADO-RS

    async def metadata(self, request: Request) -> Response:
        return await run_in_threadpool(self._metadata, request)

    def _metadata(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/") + str(request.scope.get("root_path", ""))
        found = []
        for one in self._asked(request):
            header = self._header(one)
            if header is None:
                continue
            where = f"{base}/studies/{one.study}/series/{one.series}/instances/{one.sop_instance}/bulkdata"
            found.append(as_json(header, _uri_below(where)))
        self._read(request, whole=False)
        return _json(found) if found else _missing()

    async def retrieve(self, request: Request) -> Response:
        asked = await run_in_threadpool(self._asked, request)
        if not asked:
            return _missing()
        await run_in_threadpool(partial(self._read, request, whole=True))
        boundary = new_boundary()
        bodies = (
            (f"application/dicom; transfer-syntax={one.transfer_syntax}", _pieces(self._path(one.file)))
            for one in asked
        )
        return _multipart("application/dicom", boundary, encoded(boundary, bodies))

    async def frames(self, request: Request) -> Response:
        return await run_in_threadpool(self._frames, request)

    def _frames(self, request: Request) -> Response:
        asked = self._asked(request)
        try:
            numbers = [int(number) for number in request.path_params["frames"].split(",")]
        except ValueError:
            return _problem(400, "Frame numbers are whole numbers, divided by commas.")
        if not asked:
            return _missing()
        try:
            dataset = dcmread(self._path(asked[0].file))
            frames = _frame_bytes(dataset, numbers)
        except READ_FAULTS:
            return _problem(404, "The pixel data cannot be read.")
        if frames is None:
            return _problem(404, "The instance has no such frame.")
        self._read(request, whole=False)
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        kind = "application/octet-stream" if not dataset.file_meta.TransferSyntaxUID.is_encapsulated else _image(syntax)
        boundary = new_boundary()
        bodies = ((f"{kind}; transfer-syntax={syntax}", (frame,)) for frame in frames)
        return _multipart(kind, boundary, encoded(boundary, bodies))

    async def bulk_data(self, request: Request) -> Response:
        return await run_in_threadpool(self._bulk_data, request)

    def _bulk_data(self, request: Request) -> Response:
        asked = self._asked(request)
        if not asked:
            return _missing()
        try:
            dataset = dcmread(self._path(asked[0].file))
            value = dataset[int(request.path_params["tag"], 16)].value
            # a sequence is decoded when it is written out
            data = value if isinstance(value, bytes) else str(value).encode()
        except READ_FAULTS:
            return _missing()
        self._read(request, whole=False)
        boundary = new_boundary()
        return _multipart(
            "application/octet-stream", boundary, encoded(boundary, [("application/octet-stream", (data,))])
        )

    # STOW-RS

    async def store(self, request: Request) -> Response:
        stored: list[Dataset] = []
        failed: list[Dataset] = []
        address = _address(request)
        only = request.path_params.get("study")
        try:
            async for _, data in parts(request.headers.get("content-type", ""), self._limited(request)):
                taken, item = await run_in_threadpool(self._store, data, only, address)
                (stored if taken else failed).append(item)
        except BadMultipart as fault:
            return _problem(400, f"{fault}.")
        except _TooLarge:
            return _problem(413, "The request is larger than web.max_request_mb.")
        answer = Dataset()
        if stored:
            answer.ReferencedSOPSequence = stored
        if failed:
            answer.FailedSOPSequence = failed
        status = 409 if not stored else 202 if failed else 200
        return Response(_dumps(as_json(answer, _no_uri)), status, media_type=_JSON)

    def _store(self, data: bytes, only: str | None, address: str) -> tuple[bool, Dataset]:
        item = Dataset()
        read = _read(data)
        if isinstance(read, Rejected):
            self._log.warning("instance_refused", code=read.code, reason=read.detail, address=address)
            item.FailureReason = 0xC000
            return False, item
        ref, dataset = read
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ref.sop_class, ref.sop_instance
        if only is not None and ref.key.study != only:
            item.FailureReason = 0xA900
            return False, item
        announced = Announced(ref.sop_class, ref.sop_instance)
        file = part10(announced, ref.transfer_syntax, dataset)
        status = self._receiver.receive(file, announced, Sender("STOW-RS", ""))
        if status not in (SUCCESS, COERCION):
            item.FailureReason = status
            return False, item
        if status == COERCION:
            item.WarningReason = COERCION
        return True, item

    async def _limited(self, request: Request) -> AsyncIterator[bytes]:
        taken = 0
        async for chunk in request.stream():
            taken += len(chunk)
            if taken > self._max_request_bytes:
                raise _TooLarge
            yield chunk

    def _query(self, request: Request) -> tuple[Dataset, int, int]:
        query, limit, offset = _query(request)
        if self._readers is not None:
            self._readers.searched(_address(request), _with_path(query, request))
        return query, limit, offset

    def _read(self, request: Request, *, whole: bool) -> None:
        if self._readers is not None:
            self._readers.read(_address(request), request.path_params["study"], whole=whole)

    def _asked(self, request: Request) -> Sequence[HeldInstance]:
        named = request.path_params
        return self._index.instances(named["study"], series=named.get("series"), sop_instance=named.get("instance"))

    def _header(self, one: HeldInstance) -> Dataset | None:
        return self._readable(self._headers.read, one)

    def _beginning(self, one: HeldInstance) -> Dataset | None:
        return self._readable(self._headers.begin, one)

    def _readable(self, read: Callable[[Path], Dataset], one: HeldInstance) -> Dataset | None:
        try:
            return read(self._path(one.file))
        except READ_FAULTS:
            self._log.warning("file_unreadable", sop=one.sop_instance)
            return None

    def _first_header(self, instances: Sequence[HeldInstance]) -> Dataset | None:
        headers = map(self._beginning, instances)
        return next((header for header in headers if header is not None), None)


class _TooLarge(Exception):
    """The request is larger than it may be."""


def _of_uids(handler: Handler) -> Handler:
    """The handler of a path with UIDs in it; what is none is looked for nowhere."""

    async def handle(request: Request) -> Response:
        named = request.path_params
        if all(is_uid(named[level]) for level in ("study", "series", "instance") if level in named):
            return await handler(request)
        return _missing()

    return handle


def _query(request: Request) -> tuple[Dataset, int, int]:
    """Keys, limit and offset of a search; parameters that are no attributes are left out (PS3.18 8.3.4)."""
    query = Dataset()
    for name, value in request.query_params.items():
        if name in _NOT_ATTRIBUTES:
            continue
        try:
            tag = tag_for_keyword(name) or int(name, 16)
            query.add_new(tag, dictionary_VR(tag), [] if dictionary_VR(tag) == "SQ" else value)
        except (ValueError, KeyError, OverflowError, TypeError):
            continue
    limit = min(_number(request.query_params.get("limit"), _MOST_RESULTS), 10_000)
    return query, limit, _number(request.query_params.get("offset"), 0)


def _with_path(query: Dataset, request: Request) -> Dataset:
    """The keys of a search with those that stand in its path."""
    told = Dataset()
    told.update(query)
    for name, keyword in (("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID")):
        if name in request.path_params:
            setattr(told, keyword, request.path_params[name])
    return told


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _number(text: str | None, default: int) -> int:
    if text is None or not (text.isascii() and text.isdecimal()):
        return default
    # beyond what the ledger can count there is nothing to be found
    return int(text) if len(text) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _listed(value: Any) -> tuple[str, ...]:
    """The UIDs of a list in a query, divided by commas or backslashes."""
    if not value:
        return ()
    texts = [str(one) for one in value] if not isinstance(value, str) else [value]
    return tuple(part for text in texts for part in text.replace("\\", ",").split(",") if part)


def _one_of_each_series(instances: Sequence[HeldInstance]) -> Iterable[HeldInstance]:
    return {one.series: one for one in reversed(instances)}.values()


def _frame_bytes(dataset: Dataset, numbers: Sequence[int]) -> list[bytes] | None:
    """Frames by number from 1, encoded as they are stored; None when one is not there."""
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if any(not 1 <= number <= count for number in numbers):
        return None
    keyword = next((keyword for keyword in _PIXELS if keyword in dataset), None)
    if keyword is None:
        return None
    data: bytes = dataset[keyword].value
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = list(generate_frames(data, number_of_frames=count))
        return [frames[number - 1] for number in numbers]
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated) * int(dataset.SamplesPerPixel)
    if bits % 8:
        # frames of single bits need not start at a byte (PS3.5 8.1.1); such an instance is retrieved as a whole
        return None
    size = bits // 8
    return [data[(number - 1) * size : number * size] for number in numbers]


def _image(transfer_syntax: str) -> str:
    """Media type of compressed frames (PS3.18 table 8.7.3-5)."""
    return {
        "1.2.840.10008.1.2.4.50": "image/jpeg",
        "1.2.840.10008.1.2.4.51": "image/jpeg",
        "1.2.840.10008.1.2.4.57": "image/jpeg",
        "1.2.840.10008.1.2.4.70": "image/jpeg",
        "1.2.840.10008.1.2.4.80": "image/jls",
        "1.2.840.10008.1.2.4.81": "image/jls",
        "1.2.840.10008.1.2.4.90": "image/jp2",
        "1.2.840.10008.1.2.4.91": "image/jp2",
        "1.2.840.10008.1.2.4.201": "image/jphc",
        "1.2.840.10008.1.2.4.202": "image/jphc",
        "1.2.840.10008.1.2.4.203": "image/jphc",
        "1.2.840.10008.1.2.5": "image/dicom-rle",
    }.get(transfer_syntax, "application/octet-stream")


def _read(data: bytes) -> tuple[InstanceRef, bytes] | Rejected:
    """What a Part 10 file is, and its data set, whatever its file meta information says of its own length."""
    meta = file_meta(data)
    if isinstance(meta, Rejected):
        return meta
    ref = parse_ref(data)
    return ref if isinstance(ref, Rejected) else (ref, data[meta.end :])


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _uri_below(base: str) -> Callable[[DataElement], str]:
    def uri(element: DataElement) -> str:
        return f"{base}/{int(element.tag):08X}"

    return uri


def _no_uri(_: DataElement) -> str:
    return ""


def _dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _json(found: list[dict[str, Any]]) -> Response:
    return Response(_dumps(found), media_type=_JSON)


def _multipart(kind: str, boundary: str, body: Iterator[bytes]) -> Response:
    return StreamingResponse(body, media_type=f'multipart/related; type="{kind}"; boundary={boundary}')


def _missing() -> Response:
    return _problem(404, "The node does not hold this.")


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)
