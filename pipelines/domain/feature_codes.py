"""What each radiomics feature is called in DICOM: concept, unit and the image it was computed on.

Sources: PS3.16 CID 7467 to 7479, 7500 and 7501 and the IBSI reference manual (arXiv:1612.07003) for the permanent
four-character identifiers; PyRadiomics' documentation for its own names. A feature that PyRadiomics defines otherwise
than IBSI has a private code: Kurtosis (not excess), Energy, TotalEnergy and RootMeanSquared (shifted intensities), the
three Maximum2DDiameter features, MCC, StandardDeviation, and the features of a shape in one plane, which IBSI lacks.
"""

import re
from dataclasses import dataclass
from typing import Final

from pipelines.domain.coding import (
    HU,
    HU2,
    HU2_MM3,
    MM,
    MM2,
    MM3,
    NO_UNITS,
    PER_MM,
    PRIVATE_SCHEME,
    Code,
)
from pipelines.domain.ibsi_codes import IBSI, ibsi_concept
from pipelines.domain.ibsi_filter_codes import FILTER_CODES, FILTERED

IBSI_PREFIX: Final = "ibsi_"
"""Before IBSI's own tag, the name of a feature that is computed as IBSI defines it."""
IMAGE_TRANSFORMATION: Final = Code("IMGTRANS", PRIVATE_SCHEME, "Image transformation")
WAVELET_SUB_BAND: Final = Code("WAVSUB", PRIVATE_SCHEME, "Wavelet sub-band")
WAVELET_LEVEL: Final = Code("WAVLEVEL", PRIVATE_SCHEME, "Level of the wavelet decomposition")
LBP_MAP: Final = Code("LBPMAP", PRIVATE_SCHEME, "Map of the 3D local binary pattern")
LOG_SIGMA: Final = Code("LOGSIGMA", PRIVATE_SCHEME, "Sigma of the Laplacian of Gaussian")


def _own(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


CONCEPTS: Final[dict[str, Code]] = {
    "shape_Compactness1": IBSI["morph_comp_1"],
    "shape_Compactness2": IBSI["morph_comp_2"],
    "shape_Elongation": IBSI["morph_pca_elongation"],
    "shape_Flatness": IBSI["morph_pca_flatness"],
    "shape_LeastAxisLength": IBSI["morph_pca_least_axis"],
    "shape_MajorAxisLength": IBSI["morph_pca_maj_axis"],
    "shape_Maximum2DDiameterColumn": _own("MAX2DCOL", "Maximum 2D Diameter (row-slice plane)"),
    "shape_Maximum2DDiameterRow": _own("MAX2DROW", "Maximum 2D Diameter (column-slice plane)"),
    "shape_Maximum2DDiameterSlice": _own("MAX2DSLICE", "Maximum 2D Diameter (row-column plane)"),
    "shape_Maximum3DDiameter": IBSI["morph_diam"],
    "shape_MeshVolume": IBSI["morph_volume"],
    "shape_MinorAxisLength": IBSI["morph_pca_min_axis"],
    "shape_SphericalDisproportion": IBSI["morph_sph_dispr"],
    "shape_Sphericity": IBSI["morph_sphericity"],
    "shape_SurfaceArea": IBSI["morph_area_mesh"],
    "shape_SurfaceVolumeRatio": IBSI["morph_av"],
    "shape_VoxelVolume": IBSI["morph_vol_approx"],
    "shape2D_Elongation": _own("ELONGATION2D", "Elongation in the plane"),
    "shape2D_MajorAxisLength": _own("MAJORAXIS2D", "Major axis length in the plane"),
    "shape2D_MaximumDiameter": _own("MAXDIAMETER2D", "Maximum diameter in the plane"),
    "shape2D_MeshSurface": _own("MESHSURFACE2D", "Area of the mesh in the plane"),
    "shape2D_MinorAxisLength": _own("MINORAXIS2D", "Minor axis length in the plane"),
    "shape2D_Perimeter": _own("PERIMETER2D", "Perimeter in the plane"),
    "shape2D_PerimeterSurfaceRatio": _own("PERIMSURFRATIO2D", "Perimeter to area ratio in the plane"),
    "shape2D_PixelSurface": _own("PIXELSURFACE2D", "Area from pixel summation in the plane"),
    "shape2D_SphericalDisproportion": _own("SPHERDISPROP2D", "Spherical disproportion in the plane"),
    "shape2D_Sphericity": _own("SPHERICITY2D", "Sphericity in the plane"),
    "firstorder_10Percentile": IBSI["stat_p10"],
    "firstorder_90Percentile": IBSI["stat_p90"],
    "firstorder_Energy": _own("ENERGY", "Energy of shifted intensities"),
    "firstorder_Entropy": IBSI["ih_entropy"],
    "firstorder_InterquartileRange": IBSI["stat_iqr"],
    "firstorder_Kurtosis": _own("KURTOSIS", "Intensity Kurtosis (not excess)"),
    "firstorder_Maximum": IBSI["stat_max"],
    "firstorder_Mean": IBSI["stat_mean"],
    "firstorder_MeanAbsoluteDeviation": IBSI["stat_mad"],
    "firstorder_Median": IBSI["stat_median"],
    "firstorder_Minimum": IBSI["stat_min"],
    "firstorder_Range": IBSI["stat_range"],
    "firstorder_RobustMeanAbsoluteDeviation": IBSI["stat_rmad"],
    "firstorder_RootMeanSquared": _own("RMS", "Root Mean Square of shifted intensities"),
    "firstorder_Skewness": IBSI["stat_skew"],
    "firstorder_StandardDeviation": _own("STDDEVIATION", "Standard deviation of intensities"),
    "firstorder_TotalEnergy": _own("TOTALENERGY", "Total Energy of shifted intensities"),
    "firstorder_Uniformity": IBSI["ih_uniformity"],
    "firstorder_Variance": IBSI["stat_var"],
    "glcm_Autocorrelation": IBSI["cm_auto_corr"],
    "glcm_ClusterProminence": IBSI["cm_clust_prom"],
    "glcm_ClusterShade": IBSI["cm_clust_shade"],
    "glcm_ClusterTendency": IBSI["cm_clust_tend"],
    "glcm_Contrast": IBSI["cm_contrast"],
    "glcm_Correlation": IBSI["cm_corr"],
    "glcm_DifferenceAverage": IBSI["cm_diff_avg"],
    "glcm_DifferenceEntropy": IBSI["cm_diff_entr"],
    "glcm_DifferenceVariance": IBSI["cm_diff_var"],
    "glcm_Id": IBSI["cm_inv_diff"],
    "glcm_Idm": IBSI["cm_inv_diff_mom"],
    "glcm_Idmn": IBSI["cm_inv_diff_mom_norm"],
    "glcm_Idn": IBSI["cm_inv_diff_norm"],
    "glcm_Imc1": IBSI["cm_info_corr1"],
    "glcm_Imc2": IBSI["cm_info_corr2"],
    "glcm_InverseVariance": IBSI["cm_inv_var"],
    "glcm_JointAverage": IBSI["cm_joint_avg"],
    "glcm_JointEnergy": IBSI["cm_energy"],
    "glcm_JointEntropy": IBSI["cm_joint_entr"],
    "glcm_MCC": _own("MCC", "Maximal Correlation Coefficient of GLCM"),
    "glcm_MaximumProbability": IBSI["cm_joint_max"],
    "glcm_SumAverage": IBSI["cm_sum_avg"],
    "glcm_SumEntropy": IBSI["cm_sum_entr"],
    "glcm_SumSquares": IBSI["cm_joint_var"],
    "gldm_DependenceEntropy": IBSI["ngl_dc_entr"],
    "gldm_DependenceNonUniformity": IBSI["ngl_dcnu"],
    "gldm_DependenceNonUniformityNormalized": IBSI["ngl_dcnu_norm"],
    "gldm_DependenceVariance": IBSI["ngl_dc_var"],
    "gldm_GrayLevelNonUniformity": IBSI["ngl_glnu"],
    "gldm_GrayLevelVariance": IBSI["ngl_gl_var"],
    "gldm_HighGrayLevelEmphasis": IBSI["ngl_hgce"],
    "gldm_LargeDependenceEmphasis": IBSI["ngl_hde"],
    "gldm_LargeDependenceHighGrayLevelEmphasis": IBSI["ngl_hdhge"],
    "gldm_LargeDependenceLowGrayLevelEmphasis": IBSI["ngl_hdlge"],
    "gldm_LowGrayLevelEmphasis": IBSI["ngl_lgce"],
    "gldm_SmallDependenceEmphasis": IBSI["ngl_lde"],
    "gldm_SmallDependenceHighGrayLevelEmphasis": IBSI["ngl_ldhge"],
    "gldm_SmallDependenceLowGrayLevelEmphasis": IBSI["ngl_ldlge"],
    "glrlm_GrayLevelNonUniformity": IBSI["rlm_glnu"],
    "glrlm_GrayLevelNonUniformityNormalized": IBSI["rlm_glnu_norm"],
    "glrlm_GrayLevelVariance": IBSI["rlm_gl_var"],
    "glrlm_HighGrayLevelRunEmphasis": IBSI["rlm_hgre"],
    "glrlm_LongRunEmphasis": IBSI["rlm_lre"],
    "glrlm_LongRunHighGrayLevelEmphasis": IBSI["rlm_lrhge"],
    "glrlm_LongRunLowGrayLevelEmphasis": IBSI["rlm_lrlge"],
    "glrlm_LowGrayLevelRunEmphasis": IBSI["rlm_lgre"],
    "glrlm_RunEntropy": IBSI["rlm_rl_entr"],
    "glrlm_RunLengthNonUniformity": IBSI["rlm_rlnu"],
    "glrlm_RunLengthNonUniformityNormalized": IBSI["rlm_rlnu_norm"],
    "glrlm_RunPercentage": IBSI["rlm_r_perc"],
    "glrlm_RunVariance": IBSI["rlm_rl_var"],
    "glrlm_ShortRunEmphasis": IBSI["rlm_sre"],
    "glrlm_ShortRunHighGrayLevelEmphasis": IBSI["rlm_srhge"],
    "glrlm_ShortRunLowGrayLevelEmphasis": IBSI["rlm_srlge"],
    "glszm_GrayLevelNonUniformity": IBSI["szm_glnu"],
    "glszm_GrayLevelNonUniformityNormalized": IBSI["szm_glnu_norm"],
    "glszm_GrayLevelVariance": IBSI["szm_gl_var"],
    "glszm_HighGrayLevelZoneEmphasis": IBSI["szm_hgze"],
    "glszm_LargeAreaEmphasis": IBSI["szm_lze"],
    "glszm_LargeAreaHighGrayLevelEmphasis": IBSI["szm_lzhge"],
    "glszm_LargeAreaLowGrayLevelEmphasis": IBSI["szm_lzlge"],
    "glszm_LowGrayLevelZoneEmphasis": IBSI["szm_lgze"],
    "glszm_SizeZoneNonUniformity": IBSI["szm_zsnu"],
    "glszm_SizeZoneNonUniformityNormalized": IBSI["szm_zsnu_norm"],
    "glszm_SmallAreaEmphasis": IBSI["szm_sze"],
    "glszm_SmallAreaHighGrayLevelEmphasis": IBSI["szm_szhge"],
    "glszm_SmallAreaLowGrayLevelEmphasis": IBSI["szm_szlge"],
    "glszm_ZoneEntropy": IBSI["szm_zs_entr"],
    "glszm_ZonePercentage": IBSI["szm_z_perc"],
    "glszm_ZoneVariance": IBSI["szm_zs_var"],
    "ngtdm_Busyness": IBSI["ngt_busyness"],
    "ngtdm_Coarseness": IBSI["ngt_coarseness"],
    "ngtdm_Complexity": IBSI["ngt_complexity"],
    "ngtdm_Contrast": IBSI["ngt_contrast"],
    "ngtdm_Strength": IBSI["ngt_strength"],
}
"""Concept of each feature, by `class_Feature`."""

_SHAPE_UNITS: Final[dict[str, Code]] = {
    "Compactness1": NO_UNITS,
    "Compactness2": NO_UNITS,
    "SphericalDisproportion": NO_UNITS,
    "Elongation": NO_UNITS,
    "Flatness": NO_UNITS,
    "Sphericity": NO_UNITS,
    "MeshVolume": MM3,
    "VoxelVolume": MM3,
    "SurfaceArea": MM2,
    "SurfaceVolumeRatio": PER_MM,
    "MeshSurface": MM2,
    "PixelSurface": MM2,
    "PerimeterSurfaceRatio": PER_MM,
}
_DIMENSIONLESS_FIRST_ORDER: Final = frozenset({"Entropy", "Uniformity", "Skewness", "Kurtosis"})

TRANSFORMATIONS: Final[dict[str, Code]] = {
    "log": _own("LOG", "Laplacian of Gaussian"),
    "wavelet": _own("WAVELET", "Wavelet"),
    "square": _own("SQUARE", "Square"),
    "squareroot": _own("SQUAREROOT", "Square root"),
    "logarithm": _own("LOGARITHM", "Logarithm"),
    "exponential": _own("EXPONENTIAL", "Exponential"),
    "gradient": _own("GRADIENT", "Gradient magnitude"),
    "lbp-2D": _own("LBP2D", "Local binary pattern in a plane"),
    "lbp-3D": _own("LBP3D", "Local binary pattern on a sphere"),
}
"""What stands for each image filter of PyRadiomics, by the name that its image types begin with."""
_FILTERED: Final = re.compile(
    r"(?P<wavelet>wavelet)(?P<decomposition>[1-9][0-9]*)?-(?P<band>[LH]{2,3})"
    r"|(?P<log>log)-sigma-(?P<sigma>[0-9]+(-[0-9]+)?)-mm-3D"
    r"|(?P<lbp>lbp-3D)-(m(?P<harmonic>[1-9][0-9]*)|(?P<kurtosis>k))"
    r"|(?P<plain>square|squareroot|logarithm|exponential|gradient|lbp-2D)"
)


@dataclass(frozen=True, slots=True)
class FeatureDescription:
    """How one feature is written into a report.

    Attributes
    ----------
    modifiers
        (concept name, value) pairs that tell the image the feature was computed on; empty for the original image.
    log_sigma_mm
        Sigma of the Laplacian of Gaussian, where that filter was used.
    """

    name: str
    concept: Code
    unit: Code
    modifiers: tuple[tuple[Code, Code], ...]
    log_sigma_mm: float | None


def _unit(family: str, feature: str, *, in_hu: bool) -> Code:
    if family in ("shape", "shape2D"):
        return _SHAPE_UNITS.get(feature, MM)
    if family != "firstorder" or feature in _DIMENSIONLESS_FIRST_ORDER or not in_hu:
        return NO_UNITS
    if feature == "TotalEnergy":
        return HU2_MM3
    return HU2 if feature in ("Variance", "Energy") else HU


def can_be_mapped(name: str) -> bool:
    """False for a feature of the mask alone, which has no value around a voxel, and for what is no feature.

    >>> can_be_mapped("wavelet-LLH_glcm_Id"), can_be_mapped("original_shape_Sphericity"), can_be_mapped("glcm_Id")
    (True, False, False)
    """
    image_type, _, key = name.partition("_")
    return bool(image_type) and key in CONCEPTS and not key.startswith("shape_")


def _level(number: str) -> Code:
    return _own(f"LEVEL{number}", f"Level {number}")


def _modifiers(image_type: str) -> tuple[tuple[Code, Code], ...]:
    parts = _FILTERED.fullmatch(image_type)
    if parts is None:
        raise KeyError(image_type)
    kind = parts["wavelet"] or parts["log"] or parts["lbp"] or parts["plain"]
    modifiers = [(IMAGE_TRANSFORMATION, TRANSFORMATIONS[kind])]
    if parts["decomposition"]:
        modifiers.append((WAVELET_LEVEL, _level(parts["decomposition"])))
    if parts["band"]:
        modifiers.append((WAVELET_SUB_BAND, _own(parts["band"], parts["band"])))
    if parts["harmonic"]:
        modifiers.append((LBP_MAP, _level(parts["harmonic"])))
    if parts["kurtosis"]:
        modifiers.append((LBP_MAP, _own("LBPKURTOSIS", "Kurtosis on the sphere")))
    return tuple(modifiers)


def _ibsi_filter(name: str) -> tuple[tuple[Code, Code], ...]:
    kind, level, band = FILTERED[name]
    modifiers = [(IMAGE_TRANSFORMATION, FILTER_CODES[kind])]
    if level:
        modifiers.append((WAVELET_LEVEL, _level(level)))
    if band:
        modifiers.append((WAVELET_SUB_BAND, _own(band, band)))
    return tuple(modifiers)


def _sigma_mm(image_type: str) -> float | None:
    parts = _FILTERED.fullmatch(image_type)
    # log-sigma-2-5-mm-3D is sigma 2.5 mm: PyRadiomics writes the point as a hyphen
    return float(parts["sigma"].replace("-", ".")) if parts and parts["sigma"] else None


def describe(name: str, *, hounsfield: bool = True) -> FeatureDescription:
    """Tell how feature `name` is coded.

    Parameters
    ----------
    hounsfield
        False when it was computed from intensities that are no longer HU.

    Raises
    ------
    KeyError
        If the feature or its image type is not in the tables.

    Examples
    --------
    >>> describe("original_glcm_JointEntropy").concept.value
    'TU9B'
    >>> describe("log-sigma-2-0-mm-3D_firstorder_Mean").log_sigma_mm
    2.0
    >>> [value.value for _, value in describe("wavelet-LLH_glcm_Id").modifiers]
    ['WAVELET', 'LLH']
    >>> describe("ibsi_stat_kurt").concept.value
    'IPH6'
    >>> [value.value for _, value in describe("ibsi_wavelet-llh_stat_kurt").modifiers]
    ['25BO', 'LEVEL1', 'LLH']
    """
    if name.startswith(IBSI_PREFIX):
        tag = name.removeprefix(IBSI_PREFIX)
        image, _, rest = tag.partition("_")
        if image in FILTERED:
            return FeatureDescription(name, ibsi_concept(rest).concept, NO_UNITS, _ibsi_filter(image), None)
        coded = ibsi_concept(tag)
        return FeatureDescription(name, coded.concept, coded.unit, coded.modifiers, None)
    image_type, family, feature = name.rsplit("_", 2)
    concept = CONCEPTS[f"{family}_{feature}"]
    original = image_type == "original"
    unit = _unit(family, feature, in_hu=original and hounsfield)
    return FeatureDescription(name, concept, unit, () if original else _modifiers(image_type), _sigma_mm(image_type))
