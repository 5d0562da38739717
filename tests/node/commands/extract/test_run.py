"""Runs with bad inputs, interrupted runs, runs that go on, and what they tell about patients."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from node.commands.extract.work import internal_error
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of, write_files
from tests.node.commands.extract.calls import ROOT, command, extract, extract_apart, image_file, mask_file, rows_of
from tests.tools import wait_for

SENTINEL = "SENTINEL"


def patient(number: int, *, slices: int = 8) -> tuple[list[Dataset], Dataset]:
    ct = ct_series(
        slices=slices,
        rows=24,
        columns=24,
        seed=number,
        patient_id=f"{SENTINEL}-{number}",
        patient_name=f"{SENTINEL}^{number}",
    )
    return ct, seg_of(ct)


def write_patient(folder: Path, number: int) -> tuple[list[Dataset], Dataset]:
    ct, seg = patient(number)
    write_files(ct, folder / "ct")
    (folder / "drawn").write_bytes(as_bytes(seg))
    return ct, seg


def codes(path: Path) -> dict[str, str]:
    return {row["Mask"] or row["Image"]: row["Code"] for row in rows_of(path) if row["Severity"] == "error"}


def test_a_bad_file_costs_no_other_and_has_a_reason(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_patient(data / "good", 1)
    ct, _ = write_patient(data / "truncated", 2)
    (data / "truncated" / "ct" / "0004.dcm").write_bytes(as_bytes(ct[4])[:-500])
    (data / "without-ct").mkdir()
    (data / "without-ct" / "seg.dcm").write_bytes(as_bytes(patient(3)[1]))
    ct, _ = write_patient(data / "stranger", 4)
    other = seg_of(ct)
    other.PatientID = "somebody else"
    (data / "stranger" / "drawn").write_bytes(as_bytes(other))
    ct, _ = write_patient(data / "elsewhere", 5)
    (data / "elsewhere" / "drawn").write_bytes(as_bytes(seg_of(ct, frame_of_reference="1.2.3.4")))
    ct, _ = write_patient(data / "dot", 6)
    dot = np.zeros((8, 24, 24), dtype=np.uint8)
    dot[4, 12, 12] = 1
    (data / "dot" / "drawn").write_bytes(as_bytes(seg_of(ct, {1: dot, 2: np.ones_like(dot)})))
    ct, _ = write_patient(data / "contours", 7)
    (data / "contours" / "drawn").write_bytes(as_bytes(rtstruct_of(ct)))
    image = ct_series(slices=3, seed=8)[0]
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    (data / "mr").write_bytes(as_bytes(image))
    write_files(ct_series(slices=4, seed=9), data / "undrawn")
    shutil.copytree(data / "good", data / "good-copy")
    (data / "notes.txt").write_text("nothing to measure here")
    image_file(data / "files" / "a_image.nrrd")
    mask_file(data / "files" / "a_mask.nrrd", np.zeros((14, 24, 26), dtype=np.uint8))
    mask_file(data / "files" / "a_outside_mask.nrrd", origin=(500.0, 0.0, 0.0))
    mask_file(data / "files" / "a_shifted_label.nrrd", origin=(1.3, 0.0, 0.0))
    mask_file(data / "files" / "b_label.nrrd")
    mask_file(data / "files" / "a_cut_mask.nii.gz").write_bytes(b"\x1f\x8b cut")

    done = extract(data, "-o", tmp_path / "out.csv", "--jobs", 2)

    assert done.exit_code == 1
    assert codes(tmp_path / "out.errors.csv") == {
        "truncated/ct/0004.dcm": "RCV-001",
        "truncated/drawn": "CT-002",
        "without-ct/seg.dcm": "SEG-001",
        "stranger/drawn": "SEG-005",
        "elsewhere/drawn": "SEG-003",
        "dot/drawn": "ROI-001",
        "files/a_mask.nrrd": "SEG-004",
        "files/a_outside_mask.nrrd": "SEG-007",
        "files/b_label.nrrd": "VOL-003",
        "files/a_cut_mask.nii.gz": "VOL-001",
    }
    measured = [(row["Image"], row["Mask"], row["Label"]) for row in rows_of(tmp_path / "out.csv")]
    assert measured == [
        ("contours/ct", "contours/drawn", "1"),
        ("dot/ct", "dot/drawn", "2"),
        ("files/a_image.nrrd", "files/a_shifted_label.nrrd", "1"),
        ("good/ct", "good/drawn", "1"),
    ]
    told = rows_of(tmp_path / "out.errors.csv")
    assert [row["Code"] for row in told if row["Mask"] == "files/a_shifted_label.nrrd"] == ["SEG-008"]
    assert all(row["Reason"] and row["Remedy"] for row in told)
    for line in (
        "left out: 1 instances of MR Image Storage",
        "left out: 1 files that are no DICOM",
        "left out: 9 copies of instances",
        # the series without a segmentation, and those whose segmentation cannot be measured
        "left out: 4 CT images of series without a segmentation",
    ):
        assert line in done.stderr, done.stderr


def test_nothing_of_a_patient_is_printed_unless_it_is_asked_for_in_the_table(tmp_path: Path) -> None:
    data = tmp_path / SENTINEL
    write_patient(data / f"{SENTINEL}^ONE", 1)
    ct, _ = write_patient(data / f"{SENTINEL}^TWO", 2)
    (data / f"{SENTINEL}^TWO" / "drawn").write_bytes(as_bytes(seg_of(ct, frame_of_reference="1.2.3.4")))
    ct, seg = write_patient(data / f"{SENTINEL}^THREE", 3)
    del seg.SegmentSequence
    (data / f"{SENTINEL}^THREE" / "drawn").write_bytes(as_bytes(seg))
    for number in (4, 5):
        image_file(data / f"{SENTINEL}{number}.nrrd").write_bytes(b"NRRD0004\ntype: nonsense\n")
        mask_file(data / f"{SENTINEL}{number}_mask.nrrd")

    done = extract_apart(data, "-o", tmp_path / "out.csv")
    assert done.returncode == 1
    assert SENTINEL.lower() not in (done.stdout + done.stderr).lower()
    [row] = rows_of(tmp_path / "out.csv")
    assert "PatientID" not in row
    assert f"{SENTINEL}-1" not in (tmp_path / "out.csv").read_text() + (tmp_path / "out.csv.journal").read_text()

    done = extract_apart(data, "-o", tmp_path / "with.csv", "--with-patient-id")
    assert SENTINEL.lower() not in (done.stdout + done.stderr).lower()
    [row] = rows_of(tmp_path / "with.csv")
    assert next(iter(row.items())) == ("PatientID", f"{SENTINEL}-1")


def test_a_damaged_segmentation_costs_no_other_of_the_same_ct(tmp_path: Path) -> None:
    ct, seg = write_patient(tmp_path / "data", 1)
    broken = rtstruct_of(ct)
    del broken.ROIContourSequence[0].ReferencedROINumber
    (tmp_path / "data" / "broken").write_bytes(as_bytes(broken))
    (tmp_path / "data" / "also drawn").write_bytes(as_bytes(rtstruct_of(ct, names={1: "another"})))
    assert extract(tmp_path / "data", "-o", tmp_path / "out.csv").exit_code == 1
    assert [row["Mask"] for row in rows_of(tmp_path / "out.csv")] == ["also drawn", "drawn"]
    [fault] = rows_of(tmp_path / "out.errors.csv")
    assert (fault["Mask"], fault["Code"]) == ("broken", "SEG-004")
    assert seg.PatientID not in fault["Reason"]


def test_an_internal_error_names_its_kind_and_its_place_and_quotes_nothing() -> None:
    try:
        raise AttributeError("PatientName Doe^Jane")
    except AttributeError as fault:
        reason = internal_error(fault)
    assert reason.code == "RUN-002"
    assert "AttributeError in test_run.py, line" in reason.detail
    assert "Doe" not in str(reason)


def cohort(folder: Path, count: int) -> Path:
    for number in range(1, count + 1):
        write_patient(folder / f"p{number:02}", number)
    return folder


def test_a_run_that_was_killed_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    data = cohort(tmp_path / "data", 40)
    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    assert extract(data, "-o", whole, "--jobs", 1).exit_code == 0

    journal = tmp_path / "killed.csv.journal"
    process = subprocess.Popen(command(data, "-o", killed, "--jobs", 2), cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_for("the first lesions", lambda: journal.is_file() and journal.read_bytes().count(b"\n") >= 4, every_s=0.002)
    process.kill()
    process.wait()
    before = journal.read_bytes()
    assert 4 <= before.count(b"\n") < 41
    with journal.open("ab") as file:
        file.write(b'{"key": "half a li')

    done = extract(data, "-o", killed, "--jobs", 2)
    assert done.exit_code == 0, done.stderr
    assert journal.read_bytes().startswith(before)
    assert journal.read_bytes().count(b"\n") == 41
    assert killed.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "killed.errors.csv").exists()


def test_the_workers_of_a_killed_run_do_not_live_on(tmp_path: Path) -> None:
    data = cohort(tmp_path / "data", 40)
    process = subprocess.Popen(
        command(data, "-o", tmp_path / "out.csv", "--jobs", 2),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    journal = tmp_path / "out.csv.journal"
    wait_for("the first lesion", lambda: journal.is_file() and journal.read_bytes().count(b"\n") >= 2, every_s=0.002)
    process.kill()
    process.wait()
    wait_for("the end of all workers", lambda: not members(process.pid))


def members(session: int) -> list[int]:
    """Processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What runs in the background of a shell ignores SIGINT, and so does all that it starts: not here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_what_is_done(number: signal.Signals, tmp_path: Path) -> None:
    data = cohort(tmp_path / "data", 40)
    out = tmp_path / "out.csv"
    process = subprocess.Popen(
        command(data, "-o", out, "--jobs", 2),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    journal = tmp_path / "out.csv.journal"
    wait_for("the first lesion", lambda: journal.is_file() and journal.read_bytes().count(b"\n") >= 3, every_s=0.002)
    # as a terminal does it, to all processes at once; SIGTERM comes to the command alone
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=250)
    assert process.returncode == 1
    assert "Interrupted" in said
    assert "Traceback" not in said
    done = rows_of(out)
    assert 2 <= len(done) < 40
    assert extract(data, "-o", out).exit_code == 0
    assert len(rows_of(out)) == 40


def test_a_run_measures_again_what_has_changed_and_nothing_else(tmp_path: Path) -> None:
    data = cohort(tmp_path / "data", 3)
    out, journal = tmp_path / "out.csv", tmp_path / "out.csv.journal"
    assert extract(data, "-o", out).exit_code == 0
    first, lines = out.read_bytes(), journal.read_bytes().count(b"\n")
    assert lines == 4
    time.sleep(0.01)
    ct, _ = patient(2)
    smaller = np.zeros((8, 24, 24), dtype=np.uint8)
    smaller[2:6, 8:16, 8:16] = 1
    (data / "p02" / "drawn").write_bytes(as_bytes(seg_of(ct, {1: smaller})))
    write_patient(data / "p04", 4)
    assert extract(data, "-o", out).exit_code == 0
    assert journal.read_bytes().count(b"\n") == lines + 2
    rows = rows_of(out)
    assert [row["Mask"] for row in rows] == [f"p{number:02}/drawn" for number in range(1, 5)]
    assert rows[1]["diagnostics_Mask-original_VoxelNum"] == "256"

    refused = extract(data, "-o", out, "--preset", "seed-a")
    assert refused.exit_code == 2
    assert "--restart" in refused.stderr
    shutil.rmtree(data / "p04")
    write_patient(data / "p02", 2)
    assert extract(data, "-o", out, "--preset", "seed-a", "--restart").exit_code == 0
    assert out.read_bytes() != first
    assert extract(data, "-o", out, "--restart").exit_code == 0
    assert out.read_bytes() == first


def test_a_wrong_call_measures_nothing(tmp_path: Path) -> None:
    image, mask = image_file(tmp_path / "image.nrrd"), mask_file(tmp_path / "mask.nrrd")
    (tmp_path / "list.csv").write_text("Image,Mask\nimage.nrrd,mask.nrrd\n")
    (tmp_path / "precious.csv").write_text("not ours\n")
    for arguments in (
        [image, "-o", tmp_path / "out.csv"],
        [image, mask, tmp_path, "-o", tmp_path / "out.csv"],
        [tmp_path / "list.csv", tmp_path, "-o", tmp_path / "out.csv"],
        [tmp_path / "list.csv", "--with-patient-id", "-o", tmp_path / "out.csv"],
        [tmp_path, "-o", tmp_path / "precious.csv"],
        [tmp_path, "-o", tmp_path / "not" / "there" / "out.csv"],
        [tmp_path / "nowhere", "-o", tmp_path / "out.csv"],
        [tmp_path, "-o", tmp_path / "out.csv", "--preset", "unheard-of"],
    ):
        done = extract(*arguments)
        assert done.exit_code == 2, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out.csv").exists()
    assert (tmp_path / "precious.csv").read_text() == "not ours\n"
    (tmp_path / "empty").mkdir()
    nothing = extract(tmp_path / "empty", "-o", tmp_path / "nothing.csv")
    assert nothing.exit_code == 1
    assert "There is no lesion among these inputs." in nothing.stderr
