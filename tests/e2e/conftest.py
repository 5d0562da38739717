"""One case that a whole node has processed and sent to Orthanc, for other people's programs to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case_state import CaseState
from pipelines.phantom.chest import chest_phantom
from pipelines.phantom.dicom import ct_instances
from pipelines.phantom.settings import LesionSettings, PhantomSettings
from tests.dicom import Polygon, as_bytes, rtstruct_of, write_files
from tests.tools import free_port, node, orthanc, write_config


@dataclass(frozen=True, slots=True)
class Circle:
    """A lesion as it is drawn on the CT: the same circle in each of its slices.

    Attributes
    ----------
    centre_mm
        x, y in patient coordinates.
    slices
        Indices of the first slice and of the one after the last.
    """

    centre_mm: tuple[float, float]
    radius_mm: float
    slices: tuple[int, int]

    def polygons(self) -> list[Polygon]:
        angles = 2 * np.pi * np.arange(72) / 72
        (x, y), radius = self.centre_mm, self.radius_mm
        corners = [(float(x + radius * np.cos(a)), float(y + radius * np.sin(a))) for a in angles]
        return [(index, corners) for index in range(*self.slices)]


DRAWN: Final = (Circle((-78.0, 4.0), 11.0, (16, 24)), Circle((80.0, 10.0), 7.5, (7, 13)))


@dataclass(frozen=True, slots=True)
class Processed:
    """A case that has been delivered, and where everything of it lies.

    Attributes
    ----------
    config
        Of the node, which does not run any more; its data are all there.
    archive
        Folder of an Orthanc, which does not run any more either and holds the CT, the structure set and the results.
    spooled, returned
        Each result by its kind, as the node keeps it and as Orthanc gives it out.
    """

    config: Path
    web_port: int
    archive: Path
    ct: Sequence[Dataset]
    received: Sequence[Path]
    spooled: dict[str, Path]
    returned: dict[str, Path]

    @property
    def study(self) -> str:
        return str(self.ct[0].StudyInstanceUID)


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    """Two lesions, drawn as an RT Structure Set: the one kind of input of which every kind of result is made."""
    folder = tmp_path_factory.mktemp("processed")
    lesions = [
        LesionSettings(f"Lesion {number}", (*one.centre_mm, z), (one.radius_mm,) * 3)
        for number, (one, z) in enumerate(zip(DRAWN, (0.0, -25.0), strict=True), start=1)
    ]
    ct = ct_instances(chest_phantom(PhantomSettings(lesions=tuple(lesions))))
    drawn = rtstruct_of(ct, {number: one.polygons() for number, one in enumerate(DRAWN, start=1)})
    received = write_files([*ct, drawn], folder / "in")
    web_port = free_port()
    with orthanc(folder / "orthanc") as pacs:
        config = write_config(
            folder,
            destinations={"PACS": (pacs.ae_title, pacs.dicom_port)},
            web={"enabled": True, "port": web_port},
        )
        with node(config) as running:
            assert running.command("submit", str(folder / "in")).returncode == 0
            detail = running.ended()
            assert detail.row.state is CaseState.DELIVERED, detail.row
            spool = running.settings.data_dir / "spool"
        by_uid = {
            dcmread(path, stop_before_pixels=True).SOPInstanceUID: path for path in pacs.download(folder / "back")
        }
        for instance in (*ct, drawn):
            pacs.post("/instances", as_bytes(instance))
    results = [row.result for row in detail.results]
    return Processed(
        config,
        web_port,
        folder / "orthanc",
        ct,
        received,
        {one.kind: spool / one.file.path for one in results},
        {one.kind: by_uid[one.sop_instance] for one in results},
    )
