"""The data set of a C-STORE request as a file, with nothing changed."""

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from node.services.receive import Announced
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def part10(announced: Announced, transfer_syntax: str, dataset: bytes) -> bytes:
    """The data set as it came, as a file.

    The file meta information says nothing of the sender, so that an instance that two systems send is the same file.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(announced.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(announced.sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    head = DicomBytesIO()
    head.is_little_endian = True
    head.is_implicit_VR = False
    write_file_meta_info(head, meta)
    return b"".join((bytes(128), b"DICM", head.getvalue(), dataset))
