"""Bodies of many parts, as DICOMweb sends and takes them (PS3.18 8.6.1.2, RFC 2387)."""

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header


class BadMultipart(ValueError):
    """The body is not what its Content-Type says."""


@dataclass(slots=True)
class _Part:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


async def parts(content_type: str, body: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, bytes]]:
    """Content-Type and bytes of each part of `body`; one part at a time is held in memory.

    Raises
    ------
    BadMultipart
        If the body is cut short or malformed.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/related" or not boundary:
        raise BadMultipart("Content-Type must be multipart/related with a boundary")
    done: list[_Part] = []
    present = _Part()
    name, value = bytearray(), bytearray()
    ended = False

    def begin() -> None:
        nonlocal present
        present = _Part()

    def header_end() -> None:
        present.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        name.clear()
        value.clear()

    def end() -> None:
        nonlocal ended
        ended = True

    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": begin,
                "on_header_field": lambda data, start, stop: name.extend(data[start:stop]),
                "on_header_value": lambda data, start, stop: value.extend(data[start:stop]),
                "on_header_end": header_end,
                "on_part_data": lambda data, start, stop: present.body.extend(data[start:stop]),
                "on_part_end": lambda: done.append(present),
                "on_end": end,
            },
        )
        async for chunk in body:
            parser.write(chunk)
            while done:
                part = done.pop(0)
                yield part.headers.get("content-type", ""), bytes(part.body)
        parser.finalize()
    except FormParserError as fault:
        raise BadMultipart("the multipart body is malformed") from fault
    if not ended:
        raise BadMultipart("the multipart body ends before its closing boundary")


def new_boundary() -> str:
    """A boundary that no body contains but by an accident that never happens."""
    return secrets.token_hex(16)


def encoded(boundary: str, bodies: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A body of the given (Content-Type, pieces) parts."""
    for content_type, pieces in bodies:
        yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
        yield from pieces
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
