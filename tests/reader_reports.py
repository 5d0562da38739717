"""Reports as readers' workstations make them: TID 1500 with qualitative evaluations of lesions."""

from collections.abc import Mapping, Sequence

import highdicom as hd
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from pipelines.domain import response_codes

TARGET = Code("112074", "DCM", "Target Lesion at Baseline")
NON_TARGET = Code("112075", "DCM", "Non-Target Lesion at Baseline")
NO_LESION = Code("112076", "DCM", "Non-Lesion at Baseline")
NON_TARGET_SD = Code("112046", "DCM", "Non-Target Lesion Incomplete Response or Stable Disease")
NON_TARGET_PD = Code("112047", "DCM", "Non-Target Lesion Progressive Disease")
TARGET_PR = Code("112042", "DCM", "Target Lesion Partial Response")
BASELINE_CATEGORY = Code("112016", "DCM", "Baseline Category")
LESION_RESPONSE = Code("112020", "DCM", "Response Evaluation")
NEW_LESION = Code(response_codes.NEW_LESION.value, response_codes.NEW_LESION.scheme, response_codes.NEW_LESION.meaning)
EQUIVOCAL = Code("42425007", "SCT", "Equivocal")
EFFUSION = Code("60046008", "SCT", "Pleural effusion")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")

Evaluations = Sequence[tuple[Code, Code]]


def reader_report(
    ct: Sequence[Dataset],
    seg: Dataset,
    evaluations: Mapping[int, Evaluations],
    *,
    findings: Mapping[int, Code] | None = None,
    device: bool = False,
    reader: str = "Reader^Ann",
    complete: bool = True,
    final: bool = True,
) -> Dataset:
    """What a reader says of segments of `seg`, by segment number.

    Parameters
    ----------
    findings
        Finding of a segment that is no neoplasm.
    device
        Made by a program, with nobody having looked.
    """
    observer = (
        hd.sr.ObserverContext(codes.DCM.Device, hd.sr.DeviceObserverIdentifyingAttributes(uid=generate_uid()))
        if device
        else hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes(name=reader))
    )
    groups = [
        hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=hd.sr.TrackingIdentifier(
                uid=str(seg.SegmentSequence[number - 1].TrackingUID), identifier=f"Lesion {number}"
            ),
            referenced_segment=hd.sr.ReferencedSegment(
                sop_class_uid=seg.SOPClassUID,
                sop_instance_uid=seg.SOPInstanceUID,
                segment_number=number,
                source_series=hd.sr.SourceSeriesForSegmentation(ct[0].SeriesInstanceUID),
            ),
            finding_type=(findings or {}).get(number, NEOPLASM),
            qualitative_evaluations=[
                hd.sr.QualitativeEvaluation(name, value) for name, value in evaluations.get(number, ())
            ],
        )
        for number in sorted({*evaluations, *(findings or {})})
    ]
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=observer)
        if not device
        else hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
    )
    made = hd.sr.Comprehensive3DSR(
        evidence=[*ct, seg],
        content=content,
        series_instance_uid=generate_uid(),
        series_number=77,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Workstation",
        is_complete=complete,
        is_final=final,
    )
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return made
