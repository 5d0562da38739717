"""Results as DICOM files."""

import struct

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pipelines.domain.outcome import ResultObject
from pipelines.outputs.provenance import Identity


def result_object(identity: Identity, dataset: Dataset, *tail: bytes | memoryview) -> ResultObject:
    """`dataset` as a Part 10 file in Explicit VR Little Endian.

    Parameters
    ----------
    tail
        Encoded data elements that follow those of `dataset`, whole or in parts; their tags are higher.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(identity.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(identity.sop_instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    head = DicomBytesIO()
    head.is_little_endian = True
    head.is_implicit_VR = False
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, meta, enforce_standard=True)
    write_dataset(head, dataset)
    if tail:
        group, number = struct.unpack_from("<HH", tail[0])
        if max(dataset.keys()) >= group << 16 | number:
            raise ValueError(f"element ({group:04X},{number:04X}) does not follow the data set")
    return ResultObject(
        kind=identity.kind,
        lesion_number=identity.lesion_number,
        sop_class=identity.sop_class,
        sop_instance=identity.sop_instance,
        series=identity.series,
        transfer_syntax=str(ExplicitVRLittleEndian),
        data=b"".join((head.getvalue(), *tail)),
    )
