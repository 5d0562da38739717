"""The page about the command: its examples run, and its tables name what there is."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from node.cli import cli
from tests.dicom import as_bytes, centred_ball, write_files
from tests.node.commands.extract.calls import ROOT, image_file, mask_file, rows_of
from tests.node.commands.extract.test_run import patient

PAGE = (ROOT / "docs" / "extract.md").read_text("utf-8")


def prepared(folder: Path) -> None:
    """The files that the examples of the page name."""
    ct, seg = patient(1)
    write_files(ct, folder / "cohort" / "p01" / "ct")
    (folder / "cohort" / "p01" / "seg.dcm").write_bytes(as_bytes(seg))
    image_file(folder / "image.nrrd")
    labels = centred_ball((14, 24, 26)).astype(np.uint8)
    labels[:, :, 13:] *= 2
    mask_file(folder / "mask.nrrd", labels)
    image_file(folder / "volumes" / "p1_image.nrrd")
    mask_file(folder / "volumes" / "p1_label.nrrd")
    image_file(folder / "volumes" / "p2.nii.gz")
    mask_file(folder / "volumes" / "p2_seg_reader2.nii.gz")
    text = re.search(r"```text\n(Patient,Image.*?)```", PAGE, re.DOTALL)
    assert text is not None
    (folder / "list.csv").write_text(text.group(1))


def test_the_examples_of_the_page_run_and_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    monkeypatch.chdir(tmp_path)
    lines = [line for line in PAGE.splitlines() if line.startswith("$ pulmonode extract")]
    assert len(lines) == 8
    for line in lines:
        arguments = shlex.split(line)[2:]
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, (line, done.stderr)
    lesions = {name: len(rows_of(Path(name))) for name in ("features.csv", "one.csv", "pair.csv", "second.csv")}
    assert lesions == {"features.csv": 1, "one.csv": 1, "pair.csv": 2, "second.csv": 1}
    assert [row["Mask"] for row in rows_of(Path("volumes.csv"))] == ["p1_label.nrrd", "p2_seg_reader2.nii.gz"]
    [row] = rows_of(Path("table.csv"))
    assert (row["Patient"], row["Label"]) == ("P1", "1")


def test_the_page_names_every_column_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["extract", ".", "-o", "all.csv", "--with-patient-id"])
    assert done.exit_code == 0, done.stderr
    section = PAGE.partition("## The table")[2].partition("\n## ")[0]
    lines = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = [name for line in lines for name in re.findall(r"`([^`]+)`", line)]
    with Path("all.csv").open(newline="") as file:
        header = next(csv.reader(file))
    families = [name.removesuffix("*") for name in named if name.endswith("*")]
    plain = [name for name in named if not name.endswith("*")]
    assert header[: len(plain)] == plain
    assert all(column.startswith(tuple(families)) for column in header[len(plain) :])
    # in one table: a row of a file has no UIDs, a row of DICOM no channel
    rows = rows_of(Path("all.csv"))
    assert {bool(row["StudyInstanceUID"]) is not bool(row["Label_channel"]) for row in rows} == {True}
