"""Received data sets as files, the same whichever way they came."""

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def part10(sop_class: str, sop_instance: str, transfer_syntax: str, dataset: bytes | memoryview) -> bytes:
    """The data set as it came, as a file.

    The file meta information says nothing of the sender, so that an instance that two systems send is the same file.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    head = DicomBytesIO()
    head.is_little_endian = True
    head.is_implicit_VR = False
    write_file_meta_info(head, meta)
    return b"".join((bytes(128), b"DICM", bytes(head.getvalue()), dataset))
