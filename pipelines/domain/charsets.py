"""Text of an instance from its bytes: in the character set that it declares, or not at all rather than wrongly.

pydicom puts a replacement for what it cannot decode, takes undeclared bytes for Latin-1, and divides values before it
decodes them, which cuts two-byte characters that end in the byte of a backslash. None of that may happen to a name.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

UTF_8: Final = "ISO_IR 192"

_SINGLE_BYTE: Final = {
    100: "iso8859-1",
    101: "iso8859-2",
    109: "iso8859-3",
    110: "iso8859-4",
    144: "iso8859-5",
    127: "iso8859-6",
    126: "iso8859-7",
    138: "iso8859-8",
    148: "iso8859-9",
    203: "iso8859-15",
    166: "iso8859-11",
}
_LATIN: Final = frozenset({100, 101, 109, 110, 148, 203})
ASSUMABLE: Final = {
    UTF_8: "utf-8",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    **{f"ISO_IR {number}": codec for number, codec in _SINGLE_BYTE.items()},
    "EUC-KR": "euc_kr",
    "Shift_JIS": "cp932",
    "Big5": "big5",
}
"""Character sets that a site may assume, with the codec of each; the last three are none of DICOM's and are met."""

_ROMAJI: Final = {0x5C: "¥", 0x7E: "‾"}
_ESCAPES: Final[dict[bytes, tuple[int, str]]] = {
    # (code element, character set), PS3.3 C.12.1.1.2
    b"\x1b(B": (0, "ascii"),
    b"\x1b(J": (0, "romaji"),
    b"\x1b$B": (0, "jis x 0208"),
    b"\x1b$@": (0, "jis x 0208"),
    b"\x1b$(D": (0, "jis x 0212"),
    b"\x1b)I": (1, "katakana"),
    b"\x1b$)C": (1, "ks x 1001"),
    b"\x1b$)A": (1, "gb 2312"),
    b"\x1b-A": (1, "iso8859-1"),
    b"\x1b-B": (1, "iso8859-2"),
    b"\x1b-C": (1, "iso8859-3"),
    b"\x1b-D": (1, "iso8859-4"),
    b"\x1b-L": (1, "iso8859-5"),
    b"\x1b-G": (1, "iso8859-6"),
    b"\x1b-F": (1, "iso8859-7"),
    b"\x1b-H": (1, "iso8859-8"),
    b"\x1b-M": (1, "iso8859-9"),
    b"\x1b-b": (1, "iso8859-15"),
    b"\x1b-T": (1, "iso8859-11"),
}
_TWO_BYTES: Final = {"ks x 1001": "euc_kr", "gb 2312": "gb2312", "jis x 0208": "euc_jp", "jis x 0212": "euc_jp"}
_FIRST_G1: Final = {**_SINGLE_BYTE, 13: "katakana", 149: "ks x 1001", 58: "gb 2312"}
_TERM: Final = re.compile(r"ISO[ _-]*(?:2022[ _-]*)?(?:IR)?[ _-]*(\d+)")


@dataclass(frozen=True, slots=True)
class _Declared:
    """Specific Character Set, understood.

    Attributes
    ----------
    whole
        Codec of a set that is used alone (UTF-8, GB 18030), else empty.
    numbers
        ISO registration numbers of the others, the first one first; 6 for the default repertoire.
    """

    whole: str
    numbers: tuple[int, ...]

    @property
    def first_g1(self) -> str | None:
        return _FIRST_G1.get(self.numbers[0])

    @property
    def lone_g1(self) -> str | None:
        """The one set of two bytes that is declared: some writers leave out the escape sequences to it."""
        found = {_FIRST_G1[number] for number in self.numbers[1:] if number in (58, 149)}
        return found.pop() if len(found) == 1 and self.first_g1 is None else None


def decode(
    data: bytes, declared: Sequence[str], *, assume: str = "", person_name: bool = False, divided: bool = True
) -> str | None:
    """Decode the value of a text attribute.

    Bytes are read as declared, if they can be. Bytes that cannot, and bytes that are plainly UTF-8 although that is not
    declared, are read as UTF-8; other ones in the character set that the site assumes. Latin-1 counts as unable to be
    what is declared where no European word looks like that, for most bytes are valid Latin-1.

    Parameters
    ----------
    declared
        Values of Specific Character Set (0008,0005).
    assume
        A key of `ASSUMABLE`, or empty.
    person_name, divided
        Whether `^` and `=`, or a backslash, divide the value; a divider ends the effect of escape sequences.

    Returns
    -------
    str
        The text without trailing padding.
    None
        When the bytes cannot be read without a guess.

    References
    ----------
    PS3.3 C.12.1.1.2, PS3.5 section 6.1 and annexes H to K.

    Examples
    --------
    >>> decode("王^小东".encode("gb18030"), ["GB18030"], person_name=True)
    '王^小东'
    >>> decode("王^小东".encode("gb18030"), ["ISO_IR 100"], person_name=True) is None
    True
    >>> decode("王^小东".encode("gb18030"), ["ISO_IR 100"], assume="GB18030", person_name=True)
    '王^小东'
    """
    data = data.rstrip(b"\0 ")
    as_declared = _declared(declared)
    dividers = (b"\\" if divided else b"") + (b"^=" if person_name else b"")
    if data.isascii() and b"\x1b" not in data and 13 not in as_declared.numbers[:1]:
        return data.decode("ascii")
    text = _as_declared(data, as_declared, dividers)
    if as_declared.whole != "utf-8" and _plainly_utf_8(data):
        if text is None or not as_declared.whole:
            return data.decode("utf-8")
        # valid in GB 18030 as declared, and yet plainly UTF-8: the site has to say
        text = None
    if text is not None:
        return text
    return _decoded(data, ASSUMABLE[assume]) if assume else None


def _declared(values: Sequence[str]) -> _Declared:
    numbers: list[int] = []
    for value in values or ("",):
        term = value.strip().upper()
        if term.replace("-", "") == "UTF8" or _number(term) == 192:
            return _Declared("utf-8", ())
        if term.replace(" ", "") in ("GB18030", "GBK", "GB2312"):
            return _Declared("gb18030", ())
        numbers.append(_number(term) or 6)
    return _Declared("", tuple(numbers))


def _number(term: str) -> int | None:
    found = _TERM.fullmatch(term)
    return int(found.group(1)) if found else None


def _as_declared(data: bytes, declared: _Declared, dividers: bytes) -> str | None:
    if declared.whole:
        return _decoded(data, declared.whole)
    if (
        b"\x1b" not in data
        and declared.numbers[0] in _LATIN
        and not _plausible(data, _SINGLE_BYTE[declared.numbers[0]])
    ):
        return None
    try:
        return _Switched(declared, dividers).decode(data)
    except UnicodeDecodeError:
        return None


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if any(0x7F <= ord(character) < 0xA0 for character in text) else text


class _Switched:
    """Text whose character sets change by escape sequences (PS3.5 section 6.1.2.5)."""

    def __init__(self, declared: _Declared, dividers: bytes) -> None:
        self._initial = ("romaji" if declared.numbers[0] == 13 else "ascii", declared.first_g1)
        self._lone_g1 = declared.lone_g1
        self._dividers = dividers

    def decode(self, data: bytes) -> str:
        """Decode `data`; raises UnicodeDecodeError where it cannot be."""
        text: list[str] = []
        g0, g1 = self._initial
        position = 0
        while position < len(data):
            byte = data[position]
            if byte == 0x1B:
                escape = next((e for e in _ESCAPES if data.startswith(e, position)), None)
                if escape is None:
                    raise _bad(data, position)
                element, chosen = _ESCAPES[escape]
                g0, g1 = (chosen, g1) if element == 0 else (g0, chosen)
                position += len(escape)
                continue
            if byte < 0x21:
                # a control character ends the effect of escape sequences, a space does not
                g0, g1 = (g0, g1) if byte == 0x20 else self._initial
                text.append(chr(byte))
                position += 1
                continue
            name = g0 if byte < 0x80 else g1 or self._lone_g1
            if name is None:
                raise _bad(data, position)
            size = 2 if name in _TWO_BYTES else 1
            text.append(self._character(data, position, size, name))
            if size == 1 and byte in self._dividers:
                g0, g1 = self._initial
            position += size
        return "".join(text)

    def _character(self, data: bytes, position: int, size: int, name: str) -> str:
        part = data[position : position + size]
        if size == 2:
            if len(part) < 2 or (part[0] < 0x80) != (part[1] < 0x80):
                raise _bad(data, position)
            lead = b"\x8f" if name == "jis x 0212" else b""
            return (lead + bytes(byte | 0x80 for byte in part)).decode(_TWO_BYTES[name])
        byte = part[0]
        if byte < 0x80:
            return _ROMAJI.get(byte, chr(byte)) if name == "romaji" and byte not in self._dividers else chr(byte)
        if byte < 0xA0:
            raise _bad(data, position)
        if name == "katakana":
            if not 0xA1 <= byte <= 0xDF:
                raise _bad(data, position)
            return chr(0xFF61 + byte - 0xA1)
        return part.decode(name)


def _bad(data: bytes, position: int) -> UnicodeDecodeError:
    return UnicodeDecodeError("iso2022", data, position, position + 1, "not in the declared character sets")


def _plausible(data: bytes, codec: str) -> bool:
    """Whether `data` reads like a European language: no control codes, and accents where words have them."""
    text = _decoded(data, codec)
    if text is None:
        return False
    # one character beyond ASCII may be anything, such as a degree sign; two in a row must be letters of a word
    return all(_in_word(text, *run.span()) for run in re.finditer(r"[^\x00-\x7f]{2,}", text))


def _in_word(text: str, start: int, end: int) -> bool:
    run = text[start:end]
    if not all(unicodedata.category(character) in ("Lu", "Ll") and character != "µ" for character in run):
        return False
    while start and text[start - 1].isalpha():
        start -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    word = text[start:end]
    return any(character.isascii() for character in word) and (word.islower() or word.isupper() or word.istitle())


def _plainly_utf_8(data: bytes) -> bool:
    """Whether `data` is UTF-8 that no text of another encoding is likely to look like."""
    text = None if data.isascii() else _decoded(data, "utf-8")
    if text is None:
        return False
    return all(_plain_run(text, *run.span()) for run in re.finditer(r"[^\x00-\x7f]+", text))


def _plain_run(text: str, start: int, end: int) -> bool:
    run = text[start:end]
    if any(character >= "\u0800" for character in run):
        return all(unicodedata.category(character)[0] in "LMNPS" for character in run)
    if all(character < "\u0250" for character in run):
        return _in_word(text, start, end)
    # one script of two-byte characters: Greek, Cyrillic, Hebrew, Arabic
    return len(run) >= 3 and len({unicodedata.name(character, "?").split()[0] for character in run}) == 1
