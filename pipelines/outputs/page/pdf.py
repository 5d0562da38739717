"""Reads a PDF as a viewer would: the one module that knows PDFium."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from pypdfium2 import raw

DPI: Final = 150
_SCALE: Final = DPI / 72


@contextmanager
def _opened(pdf: bytes) -> Iterator[Any]:
    try:
        document = pypdfium2.PdfDocument(pdf)
        try:
            yield document
        finally:
            document.close()
    except pypdfium2.PdfiumError as fault:
        raise ValueError("the PDF cannot be read") from fault


def rendered(pdf: bytes) -> NDArray[np.uint8]:
    """The first page as an RGB image, shape (rows, columns, 3)."""
    with _opened(pdf) as document:
        bitmap = document[0].render(scale=_SCALE, rev_byteorder=True, no_smoothpath=False)
        return np.ascontiguousarray(bitmap.to_numpy()[:, :, :3])


def rendered_shape(width: float, height: float) -> tuple[int, int]:
    """Rows and columns of the image of a page that measures `width` by `height` points."""
    return math.ceil(height * _SCALE), math.ceil(width * _SCALE)


def text_of(pdf: bytes) -> list[str]:
    """The text of each page, as it can be selected and copied."""
    with _opened(pdf) as document:
        return [str(page.get_textpage().get_text_bounded()) for page in document]


def pictures_of(pdf: bytes) -> list[NDArray[np.uint8]]:
    """The grey values of the images on the first page, in the order in which they were drawn."""
    with _opened(pdf) as document:
        images = document[0].get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE])
        return [np.array(image.get_bitmap().to_numpy()) for image in images]
