"""The page as DICOM objects: an Encapsulated PDF, a Secondary Capture image, or both."""

import hashlib
from collections.abc import Iterator
from typing import Final, Literal

from pydicom import Dataset

from pipelines.domain.case import Findings
from pipelines.domain.coding import ONCOLOGY_MEASUREMENT_REPORT
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.score import Score
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, ENCAPSULATED_PDF, SECONDARY_CAPTURE
from pipelines.domain.volume import SliceRef
from pipelines.outputs.case_report import KIND as CASE_REPORT
from pipelines.outputs.multiframe import pixel_element
from pipelines.outputs.page.facts import shown_lesions
from pipelines.outputs.page.settings import PageSettings
from pipelines.outputs.page.view import key_slice
from pipelines.outputs.page.words import WORDS
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import Identity, coded, moment_of, result_header, result_uid

KIND: Final = "page"
DESCRIPTION: Final = "AI: result page"
_SERIES_NUMBERS: Final = {"pdf": 9006, "image": 9007}
PIXEL_DATA: Final = 0x7FE00010
_DIGEST: Final = "SHA-256 of the pixels "


def page_objects(findings: Findings, producer: Producer, *, settings: PageSettings) -> Iterator[ResultObject]:
    """The page in the form and the language of `settings` (PS3.3 A.45.1, A.8.1)."""
    # the libraries that draw take their time to load, and a worker may never be asked for a page
    from pipelines.outputs.page.render import page_pdf

    words = WORDS[settings.language]
    pdf = page_pdf(findings, producer, words, moment_of(findings.case.header, producer))
    if settings.format != "image":
        yield _document(findings, producer, settings, pdf)
    if settings.format != "pdf":
        yield _capture(findings, producer, settings, pdf)


def shown_slices(findings: Findings) -> list[SliceRef]:
    """The CT slices that the page shows, each once."""
    slices = findings.case.ct.slices
    return list(dict.fromkeys(slices[key_slice(measured)] for measured in shown_lesions(findings)))


def pixels_digest(pixels: bytes | memoryview) -> str:
    """How an image names its own pixels."""
    return f"{_DIGEST}{hashlib.sha256(pixels).hexdigest()}"


def _identity(findings: Findings, settings: PageSettings, form: Literal["pdf", "image"]) -> Identity:
    demonstration = isinstance(findings.score, Score) and findings.score.model.demonstration
    description = DESCRIPTION if form == "pdf" else f"{DESCRIPTION} (image)"
    what = KIND, form, settings.language
    return Identity(
        kind=f"{KIND}-{form}",
        lesion_number=None,
        sop_class=ENCAPSULATED_PDF if form == "pdf" else SECONDARY_CAPTURE,
        sop_instance=SopInstanceUID(result_uid(findings, *what, "instance")),
        series=SeriesUID(result_uid(findings, *what, "series")),
        series_number=_SERIES_NUMBERS[form],
        modality="DOC" if form == "pdf" else "OT",
        description=f"{description} - DEMONSTRATION, not for clinical use" if demonstration else description,
    )


def _document(findings: Findings, producer: Producer, settings: PageSettings, pdf: bytes) -> ResultObject:
    identity = _identity(findings, settings, "pdf")
    made = result_header(findings, producer, identity)
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = None
    made.BurnedInAnnotation = "YES"
    made.RecognizableVisualFeatures = "NO"
    made.SourceInstanceSequence = [_report(findings), *images_of(shown_slices(findings), frames=False)]
    made.DocumentTitle = identity.description
    made.ConceptNameCodeSequence = [coded(ONCOLOGY_MEASUREMENT_REPORT)]
    # a person may verify the document; a device cannot
    made.VerificationFlag = "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf
    made.EncapsulatedDocumentLength = len(pdf)
    return result_object(identity, made)


def _capture(findings: Findings, producer: Producer, settings: PageSettings, pdf: bytes) -> ResultObject:
    from pipelines.outputs.page.pdf import DPI, rendered

    image = rendered(pdf)
    pixels = image.tobytes()
    identity = _identity(findings, settings, "image")
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
    made.DerivationDescription = f"Result page, drawn at {DPI} dpi. {pixels_digest(pixels)}"
    made.SourceImageSequence = images_of(shown_slices(findings), frames=True)
    made.SourceInstanceSequence = [_report(findings)]
    made.SamplesPerPixel = 3
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.Rows, made.Columns = image.shape[:2]
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    return result_object(identity, made, *pixel_element(PIXEL_DATA, "OB", pixels))


def _report(findings: Findings) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = COMPREHENSIVE_3D_SR
    item.ReferencedSOPInstanceUID = result_uid(findings, CASE_REPORT, "instance")
    return item


def images_of(slices: list[SliceRef], *, frames: bool) -> list[Dataset]:
    """The instances that `slices` lie in, each once; with `frames` the numbers of those, where an instance has more."""
    items = []
    for sop_class, sop_instance in dict.fromkeys((s.sop_class, s.sop_instance) for s in slices):
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        numbers = [s.frame for s in slices if s.sop_instance == sop_instance and s.frame is not None]
        if frames and numbers:
            item.ReferencedFrameNumber = numbers
        items.append(item)
    return items
