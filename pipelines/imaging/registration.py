"""Where a place of one CT lies in another CT of the same patient: rigid registration, the same on every run."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.volume import Grid, Volume

Points = NDArray[np.float64]
"""Places in the patient coordinate system in mm, shape (n, 3)."""

Volume3 = NDArray[np.float64]

_AIR_HU: Final = -1000.0
_BONE_HU: Final = 400.0
_COARSE_MM: Final = 8.0
_FINE_MM: Final = 4.0
_SAMPLED: Final = 0.25
_SEED: Final = 20090101
_STEPS: Final = 150
_LEAST_STEP_MM: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Rigid:
    """A rotation about the patient's origin and then a shift: `moving = rotation @ fixed + shift`.

    Attributes
    ----------
    rotation
        3 x 3, row by row.
    correlation
        Of the two images after registration, -1 to 1; None for a transform that was not found by images.
    """

    rotation: tuple[float, ...]
    shift_mm: tuple[float, float, float]
    correlation: float | None = None

    def to_moving(self, points: Points) -> Points:
        """Where places of the fixed CT lie in the moving one."""
        return np.asarray(points @ np.array(self.rotation).reshape(3, 3).T + np.array(self.shift_mm))

    def to_fixed(self, points: Points) -> Points:
        """Where places of the moving CT lie in the fixed one."""
        return np.asarray((points - np.array(self.shift_mm)) @ np.array(self.rotation).reshape(3, 3))


IDENTITY: Final = Rigid((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


def register(fixed: Volume, moving: Volume) -> Rigid:
    """Find the rigid motion that lays `moving` on `fixed`.

    The start is the best of three: no motion, centre on centre, and the shift at which coarse copies of the two
    correlate best, so that a series with an origin of its own is found as well. Then the correlation is climbed from
    coarse to fine. Sampling is regular with a fixed seed and on one thread: the result does not depend on the machine's
    number of cores.

    Notes
    -----
    Meant for two CTs of one patient in much the same position. Breathing and growth are no rigid motion, so places move
    by some millimetres still; whoever matches lesions has to allow for that.
    """
    coarse = _prepared(fixed, _COARSE_MM), _prepared(moving, _COARSE_MM)
    fine = _prepared(fixed, _FINE_MM), _prepared(moving, _FINE_MM)
    starts = [_euler(coarse[0], shift) for shift in _shifts(*coarse)]
    scored = [_climbed(*coarse, start) for start in starts]
    best = min(scored, key=lambda one: one[1])[0]
    found, metric = _climbed(*fine, best)
    return _rigid(found, -metric)


def _prepared(volume: Volume, spacing_mm: float) -> sitk.Image:
    """The volume in cubic voxels of about `spacing_mm`, smoothed before it is thinned, between air and bone."""
    grid = volume.grid
    image = sitk.GetImageFromArray(np.clip(np.asarray(volume.hu), _AIR_HU, _BONE_HU).astype(np.float32))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    sigmas = [0.4 * spacing_mm if step < spacing_mm else 0.0 for step in grid.spacing_mm]
    for axis, sigma in enumerate(sigmas):
        if sigma and image.GetSize()[axis] > 3:
            image = sitk.RecursiveGaussian(image, sigma, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    extent = [count * step for count, step in zip(image.GetSize(), grid.spacing_mm, strict=True)]
    size = [max(4, round(length / spacing_mm)) for length in extent]
    steps = [length / count for length, count in zip(extent, size, strict=True)]
    first = image.TransformContinuousIndexToPhysicalPoint(
        [step / (2 * own) - 0.5 for step, own in zip(steps, grid.spacing_mm, strict=True)]
    )
    return sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkLinear, first, steps, grid.direction, _AIR_HU, sitk.sitkFloat32
    )


def _centre(image: sitk.Image) -> NDArray[np.float64]:
    middle = [(count - 1) / 2 for count in image.GetSize()]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(middle))


def _shifts(fixed: sitk.Image, moving: sitk.Image) -> list[NDArray[np.float64]]:
    """Candidates for `moving - fixed` in mm."""
    return [np.zeros(3), _centre(moving) - _centre(fixed), _correlating(fixed, moving)]


def _correlating(fixed: sitk.Image, moving: sitk.Image) -> NDArray[np.float64]:
    """The shift at which the two correlate best, over all shifts by whole voxels of the fixed image."""
    aligned = sitk.Resample(
        moving,
        [
            max(4, round(count * step / _COARSE_MM))
            for count, step in zip(moving.GetSize(), moving.GetSpacing(), strict=True)
        ],
        sitk.Transform(),
        sitk.sitkLinear,
        moving.GetOrigin(),
        fixed.GetSpacing(),
        fixed.GetDirection(),
        _AIR_HU,
        sitk.sitkFloat32,
    )
    one, other = (sitk.GetArrayFromImage(image).astype(np.float64) - _AIR_HU for image in (fixed, aligned))
    axes = (0, 1, 2)
    shape = [a + b for a, b in zip(one.shape, other.shape, strict=True)]

    def correlated(moved: Volume3, still: Volume3) -> Volume3:
        spectrum = np.fft.rfftn(moved, shape, axes) * np.conj(np.fft.rfftn(still, shape, axes))
        return np.asarray(np.fft.irfftn(spectrum, shape, axes))

    # how much of the two lies on each other at each shift, so that a large overlap of air cannot win
    here, there = np.ones(one.shape), np.ones(other.shape)
    common = correlated(there, here)
    power = correlated(there, one**2) * correlated(other**2, here)
    enough = common > 0.25 * min(one.size, other.size)
    score = np.where(enough, correlated(other, one) / np.sqrt(np.maximum(power, 1.0)), -1.0)
    peak = np.unravel_index(int(score.argmax()), score.shape)
    steps = [int(at) if at < count // 2 else int(at) - count for at, count in zip(peak, shape, strict=True)]
    along = np.array(fixed.GetDirection()).reshape(3, 3)
    moved = along @ (np.array(steps[::-1]) * np.array(fixed.GetSpacing()))
    return np.asarray(np.array(aligned.GetOrigin()) - np.array(fixed.GetOrigin()) + moved)


def _euler(fixed: sitk.Image, shift: NDArray[np.float64]) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    transform.SetCenter(_centre(fixed).tolist())
    transform.SetTranslation(shift.tolist())
    return transform


def _climbed(
    fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform
) -> tuple[sitk.Euler3DTransform, float]:
    """The transform after climbing from `start`, and the negative correlation there; 0 where the two do not meet."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(_SAMPLED, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=_LEAST_STEP_MM, numberOfIterations=_STEPS, relaxationFactor=0.5
    )
    method.SetOptimizerScalesFromPhysicalShift()
    transform = sitk.Euler3DTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        # too few samples of the one lie within the other
        return start, 0.0
    return transform, float(method.GetMetricValue())


def _rigid(transform: sitk.Euler3DTransform, correlation: float) -> Rigid:
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, shift = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    x, y, z = (float(value) for value in shift + centre - rotation @ centre)
    return Rigid(tuple(float(value) for value in rotation.ravel()), (x, y, z), correlation)


def places_of(indices: NDArray[np.int64], grid: Grid) -> Points:
    """Centres of voxels (slice, row, column) of `grid` in mm; shape (n, 3)."""
    steps = indices[:, ::-1] * np.array(grid.spacing_mm)
    return np.asarray(np.array(grid.origin_mm) + steps @ np.array(grid.direction).reshape(3, 3).T)
