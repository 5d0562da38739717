import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.charsets import ASSUMABLE, decode

CHINESE = "王^小东"
FOUR_BYTES = "𠮷田^𬱖"
"""Characters beyond the basic plane, of four bytes in GB 18030."""


def name(data: bytes, *declared: str, assume: str = "") -> str | None:
    return decode(data, declared, assume=assume, person_name=True)


@pytest.mark.parametrize(
    ("declared", "data", "expected"),
    [
        (["GB18030"], CHINESE.encode("gb18030"), CHINESE),
        (["GBK"], CHINESE.encode("gbk"), CHINESE),
        (["gb 2312"], CHINESE.encode("gb2312"), CHINESE),
        (["GB18030"], FOUR_BYTES.encode("gb18030"), FOUR_BYTES),
        (["ISO_IR 192"], FOUR_BYTES.encode(), FOUR_BYTES),
        (["UTF-8"], CHINESE.encode(), CHINESE),
        (["ISO_IR 100"], "Müller^Jürgen".encode("latin-1"), "Müller^Jürgen"),
        (["ISO_IR 100"], "Müßig^Zoë".encode("latin-1"), "Müßig^Zoë"),
        (["ISO_IR 100"], "AÄÖ^PÄÄLLIKKÖ".encode("latin-1"), "AÄÖ^PÄÄLLIKKÖ"),
        (["ISO_IR 100"], "37,5 °C".encode("latin-1"), "37,5 °C"),
        (["ISO_IR 101"], "Wałęsa^Łódź".encode("iso8859-2"), "Wałęsa^Łódź"),
        (["ISO_IR 144"], "Иванов^Пётр".encode("iso8859-5"), "Иванов^Пётр"),
        (["ISO_IR 126"], "Διονυσιος".encode("iso8859-7"), "Διονυσιος"),
        (["ISO_IR 127"], "قباني^لنزار".encode("iso8859-6"), "قباني^لنزار"),
        (["ISO_IR 138"], "שרון^דבורה".encode("iso8859-8"), "שרון^דבורה"),
        (["ISO_IR 148"], "Çavuşoğlu".encode("iso8859-9"), "Çavuşoğlu"),
        (["ISO_IR 166"], "นามสกุล".encode("iso8859-11"), "นามสกุล"),
        # PS3.5 H.3.1, H.3.2, I.2, K.2: the examples of the standard, byte for byte
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            ["", "ISO 2022 IR 149"],
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            ["", "ISO 2022 IR 58"],
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        # escape sequences left out after a divider, and altogether
        (["", "ISO 2022 IR 149"], b"Hong^Gildong=\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞"),
        (["", "ISO 2022 IR 58"], "张^小东".encode("gb2312"), "张^小东"),
        # the supplementary set of PS3.3, and a set that is not declared but named by its escape sequence
        (["", "ISO 2022 IR 87", "ISO 2022 IR 159"], b"\x1b$(D\x30\x21\x1b(B", "丂"),
        (["ISO 2022 IR 100", "ISO 2022 IR 144"], b"M\xfcller^\x1b-L\xb8\xd2\xd0\xdd", "Müller^Иван"),
        ([""], b"\x1b$B;3ED\x1b(B", "山田"),
        ([], b"", ""),
    ],
)
def test_names_are_decoded_as_declared(declared: list[str], data: bytes, expected: str) -> None:
    assert name(data, *declared) == expected


def test_a_two_byte_character_that_ends_like_a_divider_is_one_character() -> None:
    # the second bytes are those of a backslash, a circumflex and a bar
    text = "".join(bytes((0x81, low)).decode("gb18030") for low in (0x5C, 0x5E, 0x7C))
    assert name(text.encode("gb18030"), "GB18030") == text
    # 0x5E and 0x5C as second bytes of JIS X 0208
    data = b"\x1b$B\x30\x5e\x30\x5c\x1b(B"
    assert name(data, "", "ISO 2022 IR 87") == b"\x1b$B\x30\x5e\x30\x5c\x1b(B".decode("iso2022_jp")


@pytest.mark.parametrize("declared", ["", "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "nonsense"])
@pytest.mark.parametrize("text", [CHINESE, "Wang^XiaoDong=王^小东", "李", "Li李", "CT增强", "张三^", "欧阳 娜娜"])
def test_gbk_bytes_that_are_not_declared_are_never_guessed_at(declared: str, text: str) -> None:
    assert name(text.encode("gbk"), declared) is None
    assert name(text.encode("gbk"), declared, assume="GB18030") == text


@pytest.mark.parametrize("declared", ["", "ISO_IR 100", "ISO_IR 144"])
@pytest.mark.parametrize("text", [CHINESE, "Müller^Jürgen", "Иванов^Пётр", "山田^太郎", "홍^길동"])
def test_utf_8_is_read_where_it_is_not_declared(declared: str, text: str) -> None:
    assert name(text.encode(), declared) == text


def test_utf_8_declared_as_gb18030_is_told_apart_or_refused() -> None:
    assert name("王^小".encode(), "GB18030") in ("王^小", None)
    assert name("小东".encode(), "GB18030") is None  # six bytes: three other characters of GB 18030
    assert name("小东".encode(), "GB18030", assume="GB18030") == "小东".encode().decode("gb18030")


@pytest.mark.parametrize(
    ("declared", "data"),
    [
        ("ISO_IR 192", b"M\xfcller"),
        ("GB18030", b"\xcd"),
        ("GB18030", b"\xff\xff"),
        ("", b"M\xfcller"),  # Latin-1 in a system of Latin-2 would be another name
        ("ISO_IR 100", b"O\x92Brien"),  # windows-1252
        ("ISO_IR 13", b"\x8e\x52\x93\x63"),  # Shift JIS
        ("ISO 2022 IR 87", b"\x1b$B;"),
        ("", b"\x1b%Z"),
    ],
)
def test_what_cannot_be_read_is_refused(declared: str, data: bytes) -> None:
    assert name(data, declared) is None


def test_what_a_site_assumes_is_used_only_where_the_declared_set_fails() -> None:
    assert name(CHINESE.encode(), "ISO_IR 192", assume="ISO_IR 100") == CHINESE
    assert name(b"M\xfcller", "", assume="ISO_IR 100") == "Müller"
    assert name("山田".encode("cp932"), "ISO_IR 13", assume="Shift_JIS") == "山田"
    assert name("홍길동".encode("euc_kr"), "ISO_IR 100", assume="EUC-KR") == "홍길동"
    assert name(b"\xff\xfe", "", assume="GB18030") is None


def test_long_text_is_not_divided_by_a_backslash() -> None:
    data = b"\x1b$B;3ED\x1b(B\\\x1b$B;3ED\x1b(B"
    assert decode(data, ["", "ISO 2022 IR 87"], divided=False) == "山田\\山田"
    assert decode(b"\\ 100", ["ISO_IR 13"], divided=False) == "¥ 100"
    assert decode(b"A\\B", ["ISO_IR 13"]) == "A\\B"


@given(st.binary(max_size=40), st.sampled_from(["", "ISO_IR 100", "ISO_IR 13", "ISO 2022 IR 149", "GB18030", "X"]))
def test_any_bytes_are_text_without_replacements_or_refused(data: bytes, declared: str) -> None:
    text = name(data, declared)
    assert text is None or "\ufffd" not in text


@given(st.text(st.characters(codec="gb18030", categories=["L", "N"]), max_size=20))
def test_all_text_goes_through_gb18030_or_is_refused(text: str) -> None:
    assert name(text.encode("gb18030"), "GB18030") in (text, None)


def test_every_set_that_may_be_assumed_is_known_to_python() -> None:
    assert all(b"A".decode(codec) == "A" for codec in ASSUMABLE.values())
