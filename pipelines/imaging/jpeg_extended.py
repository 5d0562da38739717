"""Decode JPEG Extended with 12 bits, which GDCM does and pydicom does not let it do."""

from typing import Any

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset


def decoded(data: bytes, instance: Dataset) -> NDArray[np.integer[Any]]:
    """Stored values of one frame of `instance`, shape (rows, columns).

    Parameters
    ----------
    data
        The frame's JPEG stream.

    Raises
    ------
    ValueError
        If GDCM makes nothing of it.
    """
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    rows, columns, signed = int(instance.Rows), int(instance.Columns), int(instance.PixelRepresentation)
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(instance.PhotometricInterpretation))
    )
    syntax = str(instance.file_meta.TransferSyntaxUID)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    stored = int(instance.BitsStored)
    image.SetPixelFormat(gdcm.PixelFormat(1, int(instance.BitsAllocated), stored, stored - 1, signed))
    # the bindings give bytes as text
    values = (image.GetBuffer() or "").encode("utf-8", "surrogateescape")
    cell = np.dtype(f"<{'i' if signed else 'u'}{int(instance.BitsAllocated) // 8}")
    if len(values) != rows * columns * cell.itemsize:
        raise ValueError("GDCM cannot decode the frame")
    return np.frombuffer(values, dtype=cell).reshape(rows, columns)
