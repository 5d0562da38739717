"""Call `pulmonode extract` as a person would, and read what it wrote."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from node.cli import cli
from tests.dicom import centred_ball

ROOT = Path(__file__).parents[4]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "node", "extract", *(str(argument) for argument in arguments)]


def extract(*arguments: object) -> Result:
    """Call it within this process; what its workers print is not caught."""
    return CliRunner().invoke(cli, ["extract", *(str(argument) for argument in arguments)], prog_name="pulmonode")


def extract_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Call it as a process of its own, with all that it and its workers print."""
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def features_of(row: dict[str, str]) -> dict[str, float]:
    return {name: float(v) for name, v in row.items() if name.startswith(("original", "log-", "wavelet"))}


def golden_values(path: Path) -> dict[str, float]:
    with path.open(newline="") as file:
        rows = dict(csv.reader(file))
    return {name: float(v) for name, v in rows.items() if name.startswith(("original", "log-", "wavelet"))}


def image_file(
    path: Path,
    *,
    dtype: type[np.generic] = np.int16,
    spacing: tuple[float, float, float] = (1.0, 1.0, 2.0),
    seed: int = 1,
) -> Path:
    """Noise on soft tissue, shape (14, 24, 26)."""
    voxels = np.random.default_rng(seed).normal(40, 60, (14, 24, 26)) + 300
    return _write(path, np.rint(voxels).astype(dtype), spacing)


def mask_file(
    path: Path,
    labels: NDArray[np.uint8] | None = None,
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 2.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    """By default label 1 in the middle of `image_file`."""
    drawn = centred_ball((14, 24, 26)).astype(np.uint8) if labels is None else labels
    return _write(path, drawn, spacing, origin)


def _write(
    path: Path,
    voxels: NDArray[np.generic],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path
