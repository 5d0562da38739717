"""Runs other people's DICOM tools on files."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_PIXELMED: Final = Path("/usr/share/java/pixelmed.jar")
# without them the validator stops at limits that Java sets for XML
_JAVA_FLAGS: Final = (
    "-Xss64m",
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0",
    "-Djdk.xml.xpathExprGrpLimit=0",
)


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment or of the system; the test is skipped where it is not installed."""
    beside_python = Path(sys.executable).parent / program
    found = str(beside_python) if beside_python.exists() else shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return subprocess.run(
        [found, *map(str, arguments)], capture_output=True, text=True, errors="replace", timeout=300, check=False
    )


def dciodvfy_errors(path: Path) -> list[str]:
    """What dicom3tools finds wrong in one object."""
    return _errors(run("dciodvfy", "-new", path))


def dcentvfy_errors(paths: list[Path]) -> list[str]:
    """Where objects of one study contradict each other, as dicom3tools sees it."""
    return _errors(run("dcentvfy", *paths))


def pixelmed_errors(path: Path) -> list[str]:
    """What PixelMed's DicomSRValidator finds wrong in the content tree, against its templates."""
    if not _PIXELMED.exists():
        pytest.skip("PixelMed (package pixelmed-apps) is not installed")
    classpath = ":".join(str(jar) for jar in sorted(_PIXELMED.parent.glob("*.jar")))
    finished = run("java", *_JAVA_FLAGS, "-cp", classpath, "com.pixelmed.validate.DicomSRValidator", path)
    assert "Root Template Validation Complete" in finished.stdout + finished.stderr
    return _errors(finished)


def _errors(finished: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in (finished.stdout + finished.stderr).splitlines() if line.startswith("Error")]
