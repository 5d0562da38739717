"""Results in the character set that a peer demands; the node itself writes UTF-8."""

from pathlib import Path
from typing import IO, Final

from pydicom import DataElement, Dataset, dcmread, dcmwrite
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

PYTHON_ENCODING: Final = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk", "ISO_IR 100": "latin-1"}
"""Python's name of each character set that results can be written in (PS3.3 C.12.1.1.2)."""


class Unwritable(Exception):
    """A text has characters that the character set lacks; the message names the attribute, never the text."""


def recode(source: Path, target: IO[bytes], charset: str) -> None:
    """Write the object in `source` to `target` with all its text in `charset`, a key of `PYTHON_ENCODING`.

    Raises
    ------
    Unwritable
        If a character cannot be written; nothing stands in for it.
    OSError, pydicom.errors.InvalidDicomError
        If `source` cannot be read.
    """
    dataset = dcmread(source)
    dataset.decode()
    _check(dataset, PYTHON_ENCODING[charset])
    dataset.SpecificCharacterSet = charset
    dcmwrite(target, dataset, enforce_file_format=True)


def _check(dataset: Dataset, encoding: str) -> None:
    for element in dataset.iterall():
        if element.VR in CUSTOMIZABLE_CHARSET_VR:
            _check_text(element, encoding)


def _check_text(element: DataElement, encoding: str) -> None:
    for value in element.value if element.VM > 1 else [element.value]:
        try:
            str(value or "").encode(encoding)
        except UnicodeEncodeError as fault:
            raise Unwritable(element.keyword or str(element.tag)) from fault
