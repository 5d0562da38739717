"""The columns in which PyRadiomics' command writes its results: their order, and what they say beside the features."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import numpy as np
import SimpleITK as sitk

from pipelines.domain.volume import Mask, Volume
from pipelines.extraction.settings import ExtractionSettings

# exampleCT.yaml lists these, and PyRadiomics computes in the order of the list
_EXAMPLE_CT_GLCM: Final = (
    "Autocorrelation",
    "JointAverage",
    "ClusterProminence",
    "ClusterShade",
    "ClusterTendency",
    "Contrast",
    "Correlation",
    "DifferenceAverage",
    "DifferenceEntropy",
    "DifferenceVariance",
    "JointEnergy",
    "JointEntropy",
    "Imc1",
    "Imc2",
    "Idm",
    "Idmn",
    "Id",
    "Idn",
    "InverseVariance",
    "MaximumProbability",
    "SumEntropy",
    "SumSquares",
)

DIAGNOSTICS: Final = (
    "diagnostics_Versions_PyRadiomics",
    "diagnostics_Versions_Numpy",
    "diagnostics_Versions_SimpleITK",
    "diagnostics_Versions_PyWavelet",
    "diagnostics_Versions_Python",
    "diagnostics_Versions_Pulmonode",
    "diagnostics_Configuration_Settings",
    "diagnostics_Configuration_Engine",
    "diagnostics_Image-original_Dimensionality",
    "diagnostics_Image-original_Spacing",
    "diagnostics_Image-original_Size",
    "diagnostics_Image-original_Mean",
    "diagnostics_Image-original_Minimum",
    "diagnostics_Image-original_Maximum",
    "diagnostics_Mask-original_Spacing",
    "diagnostics_Mask-original_Size",
    "diagnostics_Mask-original_BoundingBox",
    "diagnostics_Mask-original_VoxelNum",
    "diagnostics_Mask-original_VolumeNum",
    "diagnostics_Mask-original_CenterOfMassIndex",
    "diagnostics_Mask-original_CenterOfMass",
)
"""The columns between those that name a lesion and its features: PyRadiomics' where it has them, in its order."""

Cells = tuple[tuple[str, str], ...]
"""Columns of one row with their text."""


def in_table_order(names: Sequence[str]) -> tuple[str, ...]:
    """Feature names in the order of PyRadiomics' columns; images and classes stay in the order in which they come.

    Examples
    --------
    >>> in_table_order(["original_firstorder_Mean", "original_firstorder_MeanAbsoluteDeviation"])
    ('original_firstorder_MeanAbsoluteDeviation', 'original_firstorder_Mean')
    """
    ordered: list[str] = []
    for prefix, members in groupby(names, key=lambda name: name.rpartition("_")[0]):
        features = [name.rpartition("_")[2] for name in members]
        if prefix.endswith("_glcm") and set(features) == set(_EXAMPLE_CT_GLCM):
            features = list(_EXAMPLE_CT_GLCM)
        else:
            # PyRadiomics sorts its methods, called get...FeatureValue
            features.sort(key=lambda feature: f"{feature}FeatureValue")
        ordered.extend(f"{prefix}_{feature}" for feature in features)
    return tuple(ordered)


def image_diagnostics(volume: Volume) -> Cells:
    """PyRadiomics' `diagnostics_Image-original_*` columns, but for the hash."""
    slices, rows, columns = volume.grid.shape
    # a sum of whole numbers is the same in any order; one of others is not
    hu = volume.hu[:]
    if not np.issubdtype(hu.dtype, np.integer):
        hu = hu.astype(np.float64)
    return (
        ("diagnostics_Image-original_Dimensionality", "3D"),
        ("diagnostics_Image-original_Spacing", str(volume.grid.spacing_mm)),
        ("diagnostics_Image-original_Size", str((columns, rows, slices))),
        ("diagnostics_Image-original_Mean", repr(float(np.mean(hu, dtype=np.float64)))),
        ("diagnostics_Image-original_Minimum", repr(float(hu.min()))),
        ("diagnostics_Image-original_Maximum", repr(float(hu.max()))),
    )


def mask_diagnostics(volume: Volume, mask: Mask) -> Cells:
    """PyRadiomics' `diagnostics_Mask-original_*` columns, but for the hash; of the mask on the grid of `volume`."""
    slices, rows, columns = volume.grid.shape
    first = mask.offset[::-1]
    x, y, z = (
        float(np.mean(indices + start)) for indices, start in zip(np.nonzero(mask.voxels)[::-1], first, strict=True)
    )
    at = np.array(volume.grid.origin_mm) + np.reshape(volume.grid.direction, (3, 3)) @ (
        np.array([x, y, z]) * volume.grid.spacing_mm
    )
    return (
        ("diagnostics_Mask-original_Spacing", str(volume.grid.spacing_mm)),
        ("diagnostics_Mask-original_Size", str((columns, rows, slices))),
        ("diagnostics_Mask-original_BoundingBox", str((*first, *mask.voxels.shape[::-1]))),
        ("diagnostics_Mask-original_VoxelNum", str(mask.count)),
        ("diagnostics_Mask-original_VolumeNum", str(_pieces(mask))),
        ("diagnostics_Mask-original_CenterOfMassIndex", str((x, y, z))),
        ("diagnostics_Mask-original_CenterOfMass", str(tuple(at.tolist()))),
    )


def method_diagnostics(
    settings: ExtractionSettings, engine: str, software: Sequence[tuple[str, str]], *, pulmonode: str, python: str
) -> Cells:
    """PyRadiomics' `diagnostics_Versions_*` and `diagnostics_Configuration_Settings`, with our version and engine."""
    versions = dict(software)
    return (
        ("diagnostics_Versions_PyRadiomics", versions["PyRadiomics"]),
        ("diagnostics_Versions_Numpy", versions["NumPy"]),
        ("diagnostics_Versions_SimpleITK", versions["SimpleITK"]),
        ("diagnostics_Versions_PyWavelet", versions["PyWavelets"]),
        ("diagnostics_Versions_Python", python),
        ("diagnostics_Versions_Pulmonode", pulmonode),
        ("diagnostics_Configuration_Settings", str(dict(settings.described()))),
        ("diagnostics_Configuration_Engine", engine),
    )


def _pieces(mask: Mask) -> int:
    """Parts of the lesion that touch each other nowhere, not even at a corner."""
    connected = sitk.ConnectedComponentImageFilter()
    connected.FullyConnectedOn()
    connected.Execute(sitk.GetImageFromArray(mask.voxels.astype(np.uint8)))
    return int(connected.GetObjectCount())
