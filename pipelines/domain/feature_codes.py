"""What each radiomics feature is called in DICOM: concept, unit and the image it was computed on.

Sources: PS3.16 CID 7467 to 7479, 7500 and 7501 and the IBSI reference manual (arXiv:1612.07003) for the permanent
four-character identifiers; PyRadiomics' documentation for its own names. A feature that PyRadiomics defines otherwise
than IBSI has a private code: Kurtosis (not excess), Energy, TotalEnergy and RootMeanSquared (shifted intensities), the
three Maximum2DDiameter features and MCC.
"""

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

IBSI_PREFIX: Final = "ibsi_"
"""Before IBSI's own tag, the name of a feature that is computed as IBSI defines it."""
IMAGE_TRANSFORMATION: Final = Code("IMGTRANS", PRIVATE_SCHEME, "Image transformation")
WAVELET_SUB_BAND: Final = Code("WAVSUB", PRIVATE_SCHEME, "Wavelet sub-band")
LOG_SIGMA: Final = Code("LOGSIGMA", PRIVATE_SCHEME, "Sigma of the Laplacian of Gaussian")


def _own(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


CONCEPTS: Final[dict[str, Code]] = {
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
    "shape_Sphericity": IBSI["morph_sphericity"],
    "shape_SurfaceArea": IBSI["morph_area_mesh"],
    "shape_SurfaceVolumeRatio": IBSI["morph_av"],
    "shape_VoxelVolume": IBSI["morph_vol_approx"],
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
    "Elongation": NO_UNITS,
    "Flatness": NO_UNITS,
    "Sphericity": NO_UNITS,
    "MeshVolume": MM3,
    "VoxelVolume": MM3,
    "SurfaceArea": MM2,
    "SurfaceVolumeRatio": PER_MM,
}
_DIMENSIONLESS_FIRST_ORDER: Final = frozenset({"Entropy", "Uniformity", "Skewness", "Kurtosis"})

_TRANSFORMATIONS: Final[dict[str, Code]] = {
    "log": _own("LOG", "Laplacian of Gaussian"),
    "wavelet": _own("WAVELET", "Wavelet"),
    "square": _own("SQUARE", "Square"),
    "squareroot": _own("SQUAREROOT", "Square root"),
    "logarithm": _own("LOGARITHM", "Logarithm"),
    "exponential": _own("EXPONENTIAL", "Exponential"),
    "gradient": _own("GRADIENT", "Gradient magnitude"),
}


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


def _unit(family: str, feature: str, *, original: bool) -> Code:
    if family == "shape":
        return _SHAPE_UNITS.get(feature, MM)
    if family != "firstorder" or feature in _DIMENSIONLESS_FIRST_ORDER or not original:
        return NO_UNITS
    if feature == "TotalEnergy":
        return HU2_MM3
    return HU2 if feature in ("Variance", "Energy") else HU


def describe(name: str) -> FeatureDescription:
    """Tell how feature `name` is coded.

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
    """
    if name.startswith(IBSI_PREFIX):
        coded = ibsi_concept(name.removeprefix(IBSI_PREFIX))
        return FeatureDescription(name, coded.concept, coded.unit, coded.modifiers, None)
    image_type, family, feature = name.rsplit("_", 2)
    concept = CONCEPTS[f"{family}_{feature}"]
    unit = _unit(family, feature, original=image_type == "original")
    if image_type == "original":
        return FeatureDescription(name, concept, unit, (), None)
    kind, _, rest = image_type.partition("-")
    modifiers = [(IMAGE_TRANSFORMATION, _TRANSFORMATIONS[kind])]
    sigma = None
    if kind == "wavelet":
        modifiers.append((WAVELET_SUB_BAND, _own(rest, rest)))
    elif kind == "log":
        # log-sigma-2-5-mm-3D is sigma 2.5 mm: PyRadiomics writes the point as a hyphen
        sigma = float(rest.removeprefix("sigma-").removesuffix("-mm-3D").replace("-", "."))
    return FeatureDescription(name, concept, unit, tuple(modifiers), sigma)
