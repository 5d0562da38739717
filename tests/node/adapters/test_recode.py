"""Results in the character set of a peer: nothing is lost, and nothing is replaced."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.adapters.recode import PYTHON_ENCODING, Unwritable, recode
from node.adapters.storage_scu import StorageScu
from pipelines.domain.identifiers import CaseId
from pipelines.outputs.case_report import case_report
from tests.node.peers import peer
from tests.node.refs import result
from tests.pipelines.outputs import synthetic

SHAPE = (6, 24, 24)
NAME = "Wang^XiaoDong=王^小东"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A whole case report about a patient with a Chinese name."""
    findings = synthetic.findings_of(
        synthetic.case_of(synthetic.ct_series(SHAPE, name=NAME), synthetic.balls(SHAPE, 1))
    )
    (made,) = case_report(findings, synthetic.PRODUCER)
    path = tmp_path / "report.dcm"
    path.write_bytes(made.data)
    return path


def texts(dataset: Dataset) -> list[str]:
    dataset.decode()
    kept = (one for one in dataset.iterall() if one.VR not in ("SQ", "OB") and one.keyword != "SpecificCharacterSet")
    return [str(element.value) for element in kept]


@pytest.mark.parametrize("charset", ["GB18030", "GBK"])
def test_every_text_and_number_says_the_same_in_the_other_character_set(report: Path, charset: str) -> None:
    target = BytesIO()
    recode(report, target, charset)
    data = target.getvalue()
    assert "王^小东".encode(PYTHON_ENCODING[charset]) in data
    read = dcmread(BytesIO(data))
    assert read.SpecificCharacterSet == charset
    assert str(read.PatientName) == NAME
    assert texts(read) == texts(dcmread(report))


def test_a_character_that_the_set_lacks_is_refused_and_never_replaced(report: Path) -> None:
    with pytest.raises(Unwritable) as refused:
        recode(report, BytesIO(), "ISO_IR 100")
    assert str(refused.value) == "PatientName"


def test_a_peer_gets_results_in_its_own_character_set_also_deflated(report: Path) -> None:
    made = dcmread(report)
    one = replace(
        result(CaseId(1), "sr-case"),
        sop_class=made.SOPClassUID,
        sop_instance=made.SOPInstanceUID,
        file=replace(result(CaseId(1), "sr-case").file, path=str(report)),
    )
    with peer() as pacs:
        for charset, deflate in (("GB18030", False), ("GB18030", True), ("ISO_IR 100", False)):
            address = replace(pacs.address(), charset=charset, deflate=deflate)
            scu = StorageScu("PULMONODE", [address], lambda file: Path(file.path))
            ((_, sent),) = scu.send("archive", [one])
            if charset == "ISO_IR 100":
                assert sent.fault is not None
                assert (sent.fault.code, sent.permanent) == ("TXT-003", True)
                assert "王" not in str(sent.fault)
            else:
                assert sent.fault is None
    assert list(report.parent.glob(".sending*")) == []
