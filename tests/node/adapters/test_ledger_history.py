from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, select

from node.adapters import history_schema as h
from node.adapters.ledger import SqlLedger
from node.adapters.ledger_erasure import SqlErasure
from node.adapters.ledger_history import SqlHistory
from node.history import Assessed, CaseInputs, Placement
from node.keeping import Why
from node.ports import DeliveryState, Destination, Report, StoredFile, StoredResult
from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseState
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import DocumentRef, Scan, packed, unpacked
from pipelines.domain.identifiers import CaseId, FrameOfReferenceUID, SeriesUID, SopInstanceUID, StudyUID
from pipelines.domain.identity import Sighting
from pipelines.domain.organs import Organ
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Tenths
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR
from pipelines.domain.volume import Grid
from tests.node.doubles import SetClock
from tests.node.refs import AT, ct_refs, seg_ref, store

PACS = Destination("PACS")
GRID = Grid((20, 30, 40), (1.5, -2.0, 3.25), (0.7, 0.7, 2.5), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def scan(case: CaseInputs) -> Scan:
    corner = np.array([[2.9, -0.6, 8.25], [3.6, -0.6, 8.25], [2.9, 0.1, 10.75]])
    seen = Sighting(
        3, "L3", "1.2.33", "1.2.34", Organ.LIVER, False, Tenths(123), Tenths(45), 1.25, corner, 2.5, Tenths(50)
    )
    # where the voxels lie exactly
    seen = replace(seen, points_mm=unpacked(packed(corner, GRID), GRID))
    return Scan(
        ScanDate.parse("2024-02-03"),
        case.ct,
        case.segmentation.sop_instance,
        FrameOfReferenceUID("1.2.99"),
        (seen,),
        GRID,
        f"digest of {case.case}",
    )
