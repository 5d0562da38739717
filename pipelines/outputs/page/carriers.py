"""The objects in which a page reaches a PACS: an Encapsulated PDF, or a Secondary Capture where PDFs are not shown."""

import hashlib
from collections.abc import Sequence
from typing import Final

from pydicom import Dataset

from pipelines.domain.case import Findings
from pipelines.domain.coding import ONCOLOGY_MEASUREMENT_REPORT
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.outputs.multiframe import pixel_element
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import Identity, coded, result_header

_PIXEL_DATA: Final = 0x7FE00010
_DIGEST: Final = "SHA-256 of the pixels "


def pixels_digest(pixels: bytes | memoryview) -> str:
    """How an image names its own pixels."""
    return f"{_DIGEST}{hashlib.sha256(pixels).hexdigest()}"


def document(
    findings: Findings, producer: Producer, identity: Identity, pdf: bytes, *, report: Dataset, shown: Sequence[Dataset]
) -> ResultObject:
    """The page as an Encapsulated PDF (PS3.3 A.45.1).

    Parameters
    ----------
    report, shown
        References to the report that the page tells of, and to the images in it.
    """
    made = result_header(findings, producer, identity)
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = None
    made.BurnedInAnnotation = "YES"
    made.RecognizableVisualFeatures = "NO"
    made.SourceInstanceSequence = [report, *shown]
    made.DocumentTitle = identity.description
    made.ConceptNameCodeSequence = [coded(ONCOLOGY_MEASUREMENT_REPORT)]
    # a person may verify the document; a device cannot
    made.VerificationFlag = "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf
    made.EncapsulatedDocumentLength = len(pdf)
    return result_object(identity, made)


def capture(
    findings: Findings,
    producer: Producer,
    identity: Identity,
    pdf: bytes,
    *,
    title: str,
    report: Dataset,
    shown: Sequence[Dataset],
) -> ResultObject:
    """The page as a Secondary Capture image (PS3.3 A.8.1); `title` says what kind of page was drawn."""
    from pipelines.outputs.page.pdf import DPI, rendered

    image = rendered(pdf)
    pixels = image.tobytes()
    made = result_header(findings, producer, identity)
    made.BodyPartExamined = findings.case.header.get("BodyPartExamined") or "CHEST"
    made.ConversionType = "WSD"
    made.DateOfSecondaryCapture = made.ContentDate
    made.TimeOfSecondaryCapture = made.ContentTime
    made.SecondaryCaptureDeviceManufacturer = made.Manufacturer
    made.SecondaryCaptureDeviceManufacturerModelName = made.ManufacturerModelName
    made.SecondaryCaptureDeviceSoftwareVersions = made.SoftwareVersions
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.PatientOrientation = None
    made.BurnedInAnnotation = "YES"
    made.RecognizableVisualFeatures = "NO"
    made.LossyImageCompression = "00"
    made.DerivationDescription = f"{title}, drawn at {DPI} dpi. {pixels_digest(pixels)}"
    if shown:
        made.SourceImageSequence = list(shown)
    made.SourceInstanceSequence = [report]
    made.SamplesPerPixel = 3
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.Rows, made.Columns = image.shape[:2]
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    return result_object(identity, made, *pixel_element(_PIXEL_DATA, "OB", pixels))
