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

IMAGE_TRANSFORMATION: Final = Code("IMGTRANS", PRIVATE_SCHEME, "Image transformation")
WAVELET_SUB_BAND: Final = Code("WAVSUB", PRIVATE_SCHEME, "Wavelet sub-band")
LOG_SIGMA: Final = Code("LOGSIGMA", PRIVATE_SCHEME, "Sigma of the Laplacian of Gaussian")


def _ibsi(value: str, meaning: str) -> Code:
    return Code(value, "IBSI", meaning)


def _own(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


CONCEPTS: Final[dict[str, Code]] = {
    "shape_Elongation": _ibsi("Q3CK", "Elongation"),
    "shape_Flatness": _ibsi("N17B", "Flatness"),
    "shape_LeastAxisLength": _ibsi("7J51", "Least Axis in 3D Length"),
    "shape_MajorAxisLength": _ibsi("TDIC", "Major Axis in 3D Length"),
    "shape_Maximum2DDiameterColumn": _own("MAX2DCOL", "Maximum 2D Diameter (row-slice plane)"),
    "shape_Maximum2DDiameterRow": _own("MAX2DROW", "Maximum 2D Diameter (column-slice plane)"),
    "shape_Maximum2DDiameterSlice": _own("MAX2DSLICE", "Maximum 2D Diameter (row-column plane)"),
    "shape_Maximum3DDiameter": _ibsi("L0JK", "Maximum 3D Diameter of a Mesh"),
    "shape_MeshVolume": _ibsi("RNU0", "Volume of Mesh"),
    "shape_MinorAxisLength": _ibsi("P9VJ", "Minor Axis in 3D Length"),
    "shape_Sphericity": _ibsi("QCFX", "Sphericity"),
    "shape_SurfaceArea": _ibsi("C0JK", "Surface Area of Mesh"),
    "shape_SurfaceVolumeRatio": _ibsi("2PR5", "Surface to Volume Ratio"),
    "shape_VoxelVolume": _ibsi("YEKZ", "Volume from Voxel Summation"),
    "firstorder_10Percentile": _ibsi("QG58", "10th Intensity Percentile"),
    "firstorder_90Percentile": _ibsi("8DWT", "90th Intensity Percentile"),
    "firstorder_Energy": _own("ENERGY", "Energy of shifted intensities"),
    "firstorder_Entropy": _ibsi("TLU2", "Intensity Histogram Entropy"),
    "firstorder_InterquartileRange": _ibsi("SALO", "Intensity Interquartile Range"),
    "firstorder_Kurtosis": _own("KURTOSIS", "Intensity Kurtosis (not excess)"),
    "firstorder_Maximum": _ibsi("84IY", "Maximum Intensity"),
    "firstorder_Mean": _ibsi("Q4LE", "Mean Intensity"),
    "firstorder_MeanAbsoluteDeviation": _ibsi("4FUA", "Intensity Mean Absolute Deviation"),
    "firstorder_Median": _ibsi("Y12H", "Median Intensity"),
    "firstorder_Minimum": _ibsi("1GSF", "Minimum Intensity"),
    "firstorder_Range": _ibsi("2OJQ", "Intensity Range"),
    "firstorder_RobustMeanAbsoluteDeviation": _ibsi("1128", "Intensity Robust Mean Absolute Deviation"),
    "firstorder_RootMeanSquared": _own("RMS", "Root Mean Square of shifted intensities"),
    "firstorder_Skewness": _ibsi("KE2A", "Intensity Skewness"),
    "firstorder_TotalEnergy": _own("TOTALENERGY", "Total Energy of shifted intensities"),
    "firstorder_Uniformity": _ibsi("BJ5W", "Intensity Histogram Uniformity"),
    "firstorder_Variance": _ibsi("ECT3", "Intensity Variance"),
    "glcm_Autocorrelation": _ibsi("QWB0", "Autocorrelation of GLCM"),
    "glcm_ClusterProminence": _ibsi("AE86", "Cluster Prominence of GLCM"),
    "glcm_ClusterShade": _ibsi("7NFM", "Cluster Shade of GLCM"),
    "glcm_ClusterTendency": _ibsi("DG8W", "Cluster Tendency of GLCM"),
    "glcm_Contrast": _ibsi("ACUI", "Contrast of GLCM"),
    "glcm_Correlation": _ibsi("NI2N", "Correlation of GLCM"),
    "glcm_DifferenceAverage": _ibsi("TF7R", "Difference Average of GLCM"),
    "glcm_DifferenceEntropy": _ibsi("NTRS", "Difference Entropy of GLCM"),
    "glcm_DifferenceVariance": _ibsi("D3YU", "Difference Variance of GLCM"),
    "glcm_Id": _ibsi("IB1Z", "Inverse Difference of GLCM"),
    "glcm_Idm": _ibsi("WF0Z", "Inverse Difference Moment of GLCM"),
    "glcm_Idmn": _ibsi("1QCO", "Normalized Inverse Difference Moment of GLCM"),
    "glcm_Idn": _ibsi("NDRX", "Normalized Inverse Difference of GLCM"),
    "glcm_Imc1": _ibsi("R8DG", "First Measure of Information Correlation of GLCM"),
    "glcm_Imc2": _ibsi("JN9H", "Second Measure of Information Correlation of GLCM"),
    "glcm_InverseVariance": _ibsi("E8JP", "Inverse Variance of GLCM"),
    "glcm_JointAverage": _ibsi("60VM", "Joint Average of GLCM"),
    "glcm_JointEnergy": _ibsi("8ZQL", "Angular Second Moment of GLCM"),
    "glcm_JointEntropy": _ibsi("TU9B", "Joint Entropy of GLCM"),
    "glcm_MCC": _own("MCC", "Maximal Correlation Coefficient of GLCM"),
    "glcm_MaximumProbability": _ibsi("GYBY", "Joint Maximum of GLCM"),
    "glcm_SumAverage": _ibsi("ZGXS", "Sum Average of GLCM"),
    "glcm_SumEntropy": _ibsi("P6QZ", "Sum Entropy of GLCM"),
    "glcm_SumSquares": _ibsi("UR99", "Joint Variance of GLCM"),
    "gldm_DependenceEntropy": _ibsi("FCBV", "Dependence count entropy"),
    "gldm_DependenceNonUniformity": _ibsi("Z87G", "Dependence count non-uniformity"),
    "gldm_DependenceNonUniformityNormalized": _ibsi("OKJI", "Dependence count non-uniformity normalized"),
    "gldm_DependenceVariance": _ibsi("DNX2", "Dependence count variance"),
    "gldm_GrayLevelNonUniformity": _ibsi("FP8K", "Grey level non-uniformity of NGLDM"),
    "gldm_GrayLevelVariance": _ibsi("1PFV", "Grey level variance of NGLDM"),
    "gldm_HighGrayLevelEmphasis": _ibsi("OAE7", "High grey level count emphasis"),
    "gldm_LargeDependenceEmphasis": _ibsi("IMOQ", "High dependence emphasis"),
    "gldm_LargeDependenceHighGrayLevelEmphasis": _ibsi("9QMG", "High dependence high grey level emphasis"),
    "gldm_LargeDependenceLowGrayLevelEmphasis": _ibsi("NBZI", "High dependence low grey level emphasis"),
    "gldm_LowGrayLevelEmphasis": _ibsi("TL9H", "Low grey level count emphasis"),
    "gldm_SmallDependenceEmphasis": _ibsi("SODN", "Low dependence emphasis"),
    "gldm_SmallDependenceHighGrayLevelEmphasis": _ibsi("JA6D", "Low dependence high grey level emphasis"),
    "gldm_SmallDependenceLowGrayLevelEmphasis": _ibsi("EQ3F", "Low dependence low grey level emphasis"),
    "glrlm_GrayLevelNonUniformity": _ibsi("R5YN", "Gray Level Nonuniformity in Runs"),
    "glrlm_GrayLevelNonUniformityNormalized": _ibsi("OVBL", "Normalized Gray Level Nonuniformity in Runs"),
    "glrlm_GrayLevelVariance": _ibsi("8CE5", "Gray Level Variance in Runs"),
    "glrlm_HighGrayLevelRunEmphasis": _ibsi("G3QZ", "High Gray Level Run Emphasis"),
    "glrlm_LongRunEmphasis": _ibsi("W4KF", "Long Runs Emphasis"),
    "glrlm_LongRunHighGrayLevelEmphasis": _ibsi("3KUM", "Long Run High Gray Level Emphasis"),
    "glrlm_LongRunLowGrayLevelEmphasis": _ibsi("IVPO", "Long Run Low Gray Level Emphasis"),
    "glrlm_LowGrayLevelRunEmphasis": _ibsi("V3SW", "Low Gray Level Run Emphasis"),
    "glrlm_RunEntropy": _ibsi("HJ9O", "Run Entropy"),
    "glrlm_RunLengthNonUniformity": _ibsi("W92Y", "Run Length Nonuniformity"),
    "glrlm_RunLengthNonUniformityNormalized": _ibsi("IC23", "Normalized Run Length Nonuniformity"),
    "glrlm_RunPercentage": _ibsi("9ZK5", "Run Percentage"),
    "glrlm_RunVariance": _ibsi("SXLW", "Run Length Variance"),
    "glrlm_ShortRunEmphasis": _ibsi("22OV", "Short Runs Emphasis"),
    "glrlm_ShortRunHighGrayLevelEmphasis": _ibsi("GD3A", "Short Run High Gray Level Emphasis"),
    "glrlm_ShortRunLowGrayLevelEmphasis": _ibsi("HTZT", "Short Run Low Gray Level Emphasis"),
    "glszm_GrayLevelNonUniformity": _ibsi("JNSA", "Gray Level Nonuniformity of Size Zone Counts"),
    "glszm_GrayLevelNonUniformityNormalized": _ibsi("Y1RO", "Normalized Gray Level Nonuniformity of Size Zone Counts"),
    "glszm_GrayLevelVariance": _ibsi("BYLV", "Gray Level Variance in Size Zones"),
    "glszm_HighGrayLevelZoneEmphasis": _ibsi("5GN9", "High Gray Level Zone Emphasis"),
    "glszm_LargeAreaEmphasis": _ibsi("48P8", "Large Zone Emphasis"),
    "glszm_LargeAreaHighGrayLevelEmphasis": _ibsi("J17V", "Large Zone High Gray Level Emphasis"),
    "glszm_LargeAreaLowGrayLevelEmphasis": _ibsi("YH51", "Large Zone Low Gray Level Emphasis"),
    "glszm_LowGrayLevelZoneEmphasis": _ibsi("XMSY", "Low Gray Level Zone Emphasis"),
    "glszm_SizeZoneNonUniformity": _ibsi("4JP3", "Zone Size Nonuniformity"),
    "glszm_SizeZoneNonUniformityNormalized": _ibsi("VB3A", "Normalized Zone Size Nonuniformity"),
    "glszm_SmallAreaEmphasis": _ibsi("5QRC", "Small Zone Emphasis"),
    "glszm_SmallAreaHighGrayLevelEmphasis": _ibsi("HW1V", "Small Zone High Gray Level Emphasis"),
    "glszm_SmallAreaLowGrayLevelEmphasis": _ibsi("5RAI", "Small Zone Low Gray Level Emphasis"),
    "glszm_ZoneEntropy": _ibsi("GU8N", "Zone Size Entropy"),
    "glszm_ZonePercentage": _ibsi("P30P", "Size Zone Percentage"),
    "glszm_ZoneVariance": _ibsi("3NSA", "Zone Size Variance"),
    "ngtdm_Busyness": _ibsi("NQ30", "Busyness of NGTDM"),
    "ngtdm_Coarseness": _ibsi("QCDE", "Coarseness of NGTDM"),
    "ngtdm_Complexity": _ibsi("HDEZ", "Complexity of NGTDM"),
    "ngtdm_Contrast": _ibsi("65HE", "Contrast of NGTDM"),
    "ngtdm_Strength": _ibsi("1X9X", "Strength of NGTDM"),
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

TRANSFORMATIONS: Final[dict[str, Code]] = {
    "log": _own("LOG", "Laplacian of Gaussian"),
    "wavelet": _own("WAVELET", "Wavelet"),
    "square": _own("SQUARE", "Square"),
    "squareroot": _own("SQUAREROOT", "Square root"),
    "logarithm": _own("LOGARITHM", "Logarithm"),
    "exponential": _own("EXPONENTIAL", "Exponential"),
    "gradient": _own("GRADIENT", "Gradient magnitude"),
}
"""What stands for each image filter of PyRadiomics, by the name that its image types begin with."""


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


def can_be_mapped(name: str) -> bool:
    """False for a feature of the mask alone, which has no value around a voxel, and for what is no feature.

    >>> can_be_mapped("wavelet-LLH_glcm_Id"), can_be_mapped("original_shape_Sphericity"), can_be_mapped("glcm_Id")
    (True, False, False)
    """
    image_type, _, key = name.partition("_")
    return bool(image_type) and key in CONCEPTS and not key.startswith("shape_")


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
    """
    image_type, family, feature = name.rsplit("_", 2)
    concept = CONCEPTS[f"{family}_{feature}"]
    unit = _unit(family, feature, original=image_type == "original")
    if image_type == "original":
        return FeatureDescription(name, concept, unit, (), None)
    kind, _, rest = image_type.partition("-")
    modifiers = [(IMAGE_TRANSFORMATION, TRANSFORMATIONS[kind])]
    sigma = None
    if kind == "wavelet":
        modifiers.append((WAVELET_SUB_BAND, _own(rest, rest)))
    elif kind == "log":
        # log-sigma-2-5-mm-3D is sigma 2.5 mm: PyRadiomics writes the point as a hyphen
        sigma = float(rest.removeprefix("sigma-").removesuffix("-mm-3D").replace("-", "."))
    return FeatureDescription(name, concept, unit, tuple(modifiers), sigma)
