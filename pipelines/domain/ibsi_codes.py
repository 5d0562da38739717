"""The codes of the Image Biomarker Standardisation Initiative: one table of its features, one of its aggregations.

The keys are the tags of IBSI's own reference tables without their aggregation. Identifiers: IBSI reference manual
(arXiv:1612.07003), chapter 3; meanings: PS3.16 CID 7467 to 7479, 7500 and 7501, where DICOM lists the feature. The
manual prints 1PR8 and GPMT one line too low among the histogram percentiles; DICOM has them right.
"""

from typing import Final, NamedTuple

from pipelines.domain.coding import (
    HU,
    HU2,
    HU_MM3,
    MM,
    MM2,
    MM3,
    NO_UNITS,
    PER_MM,
    PRIVATE_SCHEME,
    Code,
)

AGGREGATION: Final = Code("AGGREGATION", PRIVATE_SCHEME, "Aggregation of texture over slices and directions")
FRACTION: Final = Code("FRACTION", PRIVATE_SCHEME, "Fraction of intensity or volume")
AT_10: Final = Code("AT10", PRIVATE_SCHEME, "At 10 %")
AT_90: Final = Code("AT90", PRIVATE_SCHEME, "At 90 %")
FROM_10_TO_90: Final = Code("10LESS90", PRIVATE_SCHEME, "At 10 % less at 90 %")


def _table(rows: str) -> dict[str, Code]:
    split = (row.strip().split(" ", 2) for row in rows.strip().splitlines())
    return {tag: Code(value, "IBSI", meaning) for tag, value, meaning in split}


IBSI: Final[dict[str, Code]] = _table("""
    morph_volume RNU0 Volume of Mesh
    morph_vol_approx YEKZ Volume from Voxel Summation
    morph_area_mesh C0JK Surface Area of Mesh
    morph_av 2PR5 Surface to Volume Ratio
    morph_comp_1 SKGS Compactness 1
    morph_comp_2 BQWJ Compactness 2
    morph_sph_dispr KRCK Spherical Disproportion
    morph_sphericity QCFX Sphericity
    morph_asphericity 25C7 Asphericity
    morph_com KLMA Centre of Mass Shift
    morph_diam L0JK Maximum 3D Diameter of a Mesh
    morph_pca_maj_axis TDIC Major Axis in 3D Length
    morph_pca_min_axis P9VJ Minor Axis in 3D Length
    morph_pca_least_axis 7J51 Least Axis in 3D Length
    morph_pca_elongation Q3CK Elongation
    morph_pca_flatness N17B Flatness
    morph_vol_dens_aabb PBX1 Volume Density in Frame of Reference Axis Aligned Bounding Box
    morph_area_dens_aabb R59B Area Density in Frame of Reference Axis Aligned Bounding Box
    morph_vol_dens_aee 6BDE Volume Density in Approximate Enclosing Ellipsoid
    morph_area_dens_aee RDD2 Area Density in Approximate Enclosing Ellipsoid
    morph_vol_dens_conv_hull R3ER Volume Density in Convex Hull
    morph_area_dens_conv_hull 7T7F Area Density in Convex Hull
    morph_integ_int 99N0 Integrated Intensity
    morph_moran_i N365 Moran's I Index
    morph_geary_c NPT7 Geary's C Measure
    loc_peak_loc VJGA Local Intensity Peak
    loc_peak_glob 0F91 Global Intensity Peak
    stat_mean Q4LE Mean Intensity
    stat_var ECT3 Intensity Variance
    stat_skew KE2A Intensity Skewness
    stat_kurt IPH6 Excess Intensity Kurtosis
    stat_median Y12H Median Intensity
    stat_min 1GSF Minimum Intensity
    stat_p10 QG58 10th Intensity Percentile
    stat_p90 8DWT 90th Intensity Percentile
    stat_max 84IY Maximum Intensity
    stat_iqr SALO Intensity Interquartile Range
    stat_range 2OJQ Intensity Range
    stat_mad 4FUA Intensity Mean Absolute Deviation
    stat_rmad 1128 Intensity Robust Mean Absolute Deviation
    stat_medad N72L Intensity Median Absolute Deviation
    stat_cov 7TET Intensity Coefficient of Variation
    stat_qcod 9S40 Intensity Quartile Coefficient of Dispersion
    stat_energy N8CA Intensity Energy
    stat_rms 5ZWQ Root Mean Square Intensity
    ih_mean X6K6 Intensity Histogram Mean
    ih_var CH89 Intensity Histogram Variance
    ih_skew 88K1 Intensity Histogram Skewness
    ih_kurt C3I7 Intensity Histogram Kurtosis
    ih_median WIFQ Intensity Histogram Median
    ih_min 1PR8 Intensity Histogram Minimum Gray Level
    ih_p10 GPMT Intensity Histogram 10th Percentile
    ih_p90 OZ0C Intensity Histogram 90th Percentile
    ih_max 3NCY Intensity Histogram Maximum Gray Level
    ih_mode AMMC Intensity Histogram Mode
    ih_iqr WR0O Intensity Histogram Interquartile Range
    ih_range 5Z3W Intensity Histogram Range
    ih_mad D2ZX Intensity Histogram Mean Absolute Deviation
    ih_rmad WRZB Intensity Histogram Robust Mean Absolute Deviation
    ih_medad 4RNL Intensity Histogram Median Absolute Deviation
    ih_cov CWYJ Intensity Histogram Coefficient of Variation
    ih_qcod SLWD Intensity Histogram Quartile Coefficient of Dispersion
    ih_entropy TLU2 Intensity Histogram Entropy
    ih_uniformity BJ5W Intensity Histogram Uniformity
    ih_max_grad 12CE Intensity Histogram Maximum Gradient
    ih_max_grad_g 8E6O Intensity Histogram Maximum Gradient Gray Level
    ih_min_grad VQB3 Intensity Histogram Minimum Gradient
    ih_min_grad_g RHQZ Intensity Histogram Minimum Gradient Gray Level
    ivh_v BC2M Volume Fraction at Intensity Fraction
    ivh_i GBPN Intensity at Volume Fraction
    ivh_diff_v DDTU Volume Fraction Difference between Intensity Fractions
    ivh_diff_i CNV2 Intensity Difference between Volume Fractions
    cm_joint_max GYBY Joint Maximum of GLCM
    cm_joint_avg 60VM Joint Average of GLCM
    cm_joint_var UR99 Joint Variance of GLCM
    cm_joint_entr TU9B Joint Entropy of GLCM
    cm_diff_avg TF7R Difference Average of GLCM
    cm_diff_var D3YU Difference Variance of GLCM
    cm_diff_entr NTRS Difference Entropy of GLCM
    cm_sum_avg ZGXS Sum Average of GLCM
    cm_sum_var OEEB Sum Variance of GLCM
    cm_sum_entr P6QZ Sum Entropy of GLCM
    cm_energy 8ZQL Angular Second Moment of GLCM
    cm_contrast ACUI Contrast of GLCM
    cm_dissimilarity 8S9J Dissimilarity of GLCM
    cm_inv_diff IB1Z Inverse Difference of GLCM
    cm_inv_diff_norm NDRX Normalized Inverse Difference of GLCM
    cm_inv_diff_mom WF0Z Inverse Difference Moment of GLCM
    cm_inv_diff_mom_norm 1QCO Normalized Inverse Difference Moment of GLCM
    cm_inv_var E8JP Inverse Variance of GLCM
    cm_corr NI2N Correlation of GLCM
    cm_auto_corr QWB0 Autocorrelation of GLCM
    cm_clust_tend DG8W Cluster Tendency of GLCM
    cm_clust_shade 7NFM Cluster Shade of GLCM
    cm_clust_prom AE86 Cluster Prominence of GLCM
    cm_info_corr1 R8DG First Measure of Information Correlation of GLCM
    cm_info_corr2 JN9H Second Measure of Information Correlation of GLCM
    rlm_sre 22OV Short Runs Emphasis
    rlm_lre W4KF Long Runs Emphasis
    rlm_lgre V3SW Low Gray Level Run Emphasis
    rlm_hgre G3QZ High Gray Level Run Emphasis
    rlm_srlge HTZT Short Run Low Gray Level Emphasis
    rlm_srhge GD3A Short Run High Gray Level Emphasis
    rlm_lrlge IVPO Long Run Low Gray Level Emphasis
    rlm_lrhge 3KUM Long Run High Gray Level Emphasis
    rlm_glnu R5YN Gray Level Nonuniformity in Runs
    rlm_glnu_norm OVBL Normalized Gray Level Nonuniformity in Runs
    rlm_rlnu W92Y Run Length Nonuniformity
    rlm_rlnu_norm IC23 Normalized Run Length Nonuniformity
    rlm_r_perc 9ZK5 Run Percentage
    rlm_gl_var 8CE5 Gray Level Variance in Runs
    rlm_rl_var SXLW Run Length Variance
    rlm_rl_entr HJ9O Run Entropy
    szm_sze 5QRC Small Zone Emphasis
    szm_lze 48P8 Large Zone Emphasis
    szm_lgze XMSY Low Gray Level Zone Emphasis
    szm_hgze 5GN9 High Gray Level Zone Emphasis
    szm_szlge 5RAI Small Zone Low Gray Level Emphasis
    szm_szhge HW1V Small Zone High Gray Level Emphasis
    szm_lzlge YH51 Large Zone Low Gray Level Emphasis
    szm_lzhge J17V Large Zone High Gray Level Emphasis
    szm_glnu JNSA Gray Level Nonuniformity of Size Zone Counts
    szm_glnu_norm Y1RO Normalized Gray Level Nonuniformity of Size Zone Counts
    szm_zsnu 4JP3 Zone Size Nonuniformity
    szm_zsnu_norm VB3A Normalized Zone Size Nonuniformity
    szm_z_perc P30P Size Zone Percentage
    szm_gl_var BYLV Gray Level Variance in Size Zones
    szm_zs_var 3NSA Zone Size Variance
    szm_zs_entr GU8N Zone Size Entropy
    dzm_sde 0GBI Small Distance Emphasis
    dzm_lde MB4I Large Distance Emphasis
    dzm_lgze S1RA Low Grey Level Zone Emphasis
    dzm_hgze K26C High Grey Level Zone Emphasis
    dzm_sdlge RUVG Small Distance Low Grey Level Emphasis
    dzm_sdhge DKNJ Small Distance High Grey Level Emphasis
    dzm_ldlge A7WM Large Distance Low Grey Level Emphasis
    dzm_ldhge KLTH Large Distance High Grey Level Emphasis
    dzm_glnu VFT7 Grey Level Non-uniformity of Distance Zone Counts
    dzm_glnu_norm 7HP3 Normalized Grey Level Non-uniformity of Distance Zone Counts
    dzm_zdnu V294 Zone Distance Non-uniformity
    dzm_zdnu_norm IATH Normalized Zone Distance Non-uniformity
    dzm_z_perc VIWW Distance Zone Percentage
    dzm_gl_var QK93 Grey Level Variance in Distance Zones
    dzm_zd_var 7WT1 Zone Distance Variance
    dzm_zd_entr GBDU Zone Distance Entropy
    ngt_coarseness QCDE Coarseness of NGTDM
    ngt_contrast 65HE Contrast of NGTDM
    ngt_busyness NQ30 Busyness of NGTDM
    ngt_complexity HDEZ Complexity of NGTDM
    ngt_strength 1X9X Strength of NGTDM
    ngl_lde SODN Low dependence emphasis
    ngl_hde IMOQ High dependence emphasis
    ngl_lgce TL9H Low grey level count emphasis
    ngl_hgce OAE7 High grey level count emphasis
    ngl_ldlge EQ3F Low dependence low grey level emphasis
    ngl_ldhge JA6D Low dependence high grey level emphasis
    ngl_hdlge NBZI High dependence low grey level emphasis
    ngl_hdhge 9QMG High dependence high grey level emphasis
    ngl_glnu FP8K Grey level non-uniformity of NGLDM
    ngl_glnu_norm 5SPA Normalized grey level non-uniformity of NGLDM
    ngl_dcnu Z87G Dependence count non-uniformity
    ngl_dcnu_norm OKJI Dependence count non-uniformity normalized
    ngl_dc_perc 6XV8 Dependence count percentage
    ngl_gl_var 1PFV Grey level variance of NGLDM
    ngl_dc_var DNX2 Dependence count variance
    ngl_dc_entr FCBV Dependence count entropy
    ngl_dc_energy CAS9 Dependence count energy
""")
"""Concept of each IBSI feature that has reference values, by its tag without aggregation, in the order of reports."""

AGGREGATIONS: Final[dict[str, Code]] = _table("""
    2D_avg BTW3 2D, averaged over slices and directions
    2D_comb SUJT 2D, directions merged by slice, averaged over slices
    2_5D_avg JJUI 2.5D, slices merged by direction, averaged over directions
    2_5D_comb ZW7Z 2.5D, slices and directions merged
    3D_avg ITBB 3D, averaged over directions
    3D_comb IAZD 3D, directions merged
    2D 8QNN 2D, averaged over slices
    2_5D 62GR 2.5D, slices merged
    3D KOBO 3D
""")
"""How texture is aggregated, by the end of a tag."""

_FRACTIONS: Final[dict[str, tuple[str, Code]]] = {
    "ivh_v10": ("ivh_v", AT_10),
    "ivh_v90": ("ivh_v", AT_90),
    "ivh_i10": ("ivh_i", AT_10),
    "ivh_i90": ("ivh_i", AT_90),
    "ivh_diff_v10_v90": ("ivh_diff_v", FROM_10_TO_90),
    "ivh_diff_i10_i90": ("ivh_diff_i", FROM_10_TO_90),
}
_TEXTURE: Final = ("cm", "rlm", "szm", "dzm", "ngt", "ngl")
_UNITS: Final[dict[str, Code]] = {
    "morph_volume": MM3,
    "morph_vol_approx": MM3,
    "morph_area_mesh": MM2,
    "morph_av": PER_MM,
    "morph_com": MM,
    "morph_diam": MM,
    "morph_pca_maj_axis": MM,
    "morph_pca_min_axis": MM,
    "morph_pca_least_axis": MM,
    "morph_integ_int": HU_MM3,
    "stat_var": HU2,
    "stat_energy": HU2,
    "stat_skew": NO_UNITS,
    "stat_kurt": NO_UNITS,
    "stat_cov": NO_UNITS,
    "stat_qcod": NO_UNITS,
    "ivh_i": HU,
    "ivh_diff_i": HU,
}


class IbsiConcept(NamedTuple):
    """Concept and unit of one value, and what tells it from others with that concept."""

    concept: Code
    unit: Code
    modifiers: tuple[tuple[Code, Code], ...]


def ibsi_concept(tag: str) -> IbsiConcept:
    """Tell how the feature with IBSI's full tag is coded, for intensities in HU.

    Raises
    ------
    KeyError
        If the tag is not in the tables.

    Examples
    --------
    >>> coded = ibsi_concept("cm_joint_entr_3D_avg")
    >>> coded.concept.value, [value.value for _, value in coded.modifiers]
    ('TU9B', ['ITBB'])
    >>> ibsi_concept("ivh_i10").concept.value
    'GBPN'
    """
    modifiers: tuple[tuple[Code, Code], ...] = ()
    stem = tag
    if tag in _FRACTIONS:
        stem, fraction = _FRACTIONS[tag]
        modifiers = ((FRACTION, fraction),)
    elif tag.split("_")[0] in _TEXTURE:
        ending = next((end for end in AGGREGATIONS if tag.endswith(f"_{end}")), None)
        if ending is None:
            raise KeyError(tag)
        stem = tag.removesuffix(f"_{ending}")
        modifiers = ((AGGREGATION, AGGREGATIONS[ending]),)
    elif tag.startswith("ivh_"):
        raise KeyError(tag)
    in_hu = stem.startswith(("stat_", "loc_"))
    return IbsiConcept(IBSI[stem], _UNITS.get(stem, HU if in_hu else NO_UNITS), modifiers)


def ibsi_tags(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Full tags of all features, with texture aggregated in each of `dimensions` (`2D`, `2_5D`, `3D`)."""
    tags = []
    of_fraction = {stem: [tag for tag, (of, _) in _FRACTIONS.items() if of == stem] for stem, _ in _FRACTIONS.values()}
    for stem in IBSI:
        family = stem.split("_")[0]
        if family in ("cm", "rlm"):
            tags += [f"{stem}_{dimension}_{way}" for dimension in dimensions for way in ("avg", "comb")]
        elif family in _TEXTURE:
            tags += [f"{stem}_{dimension}" for dimension in dimensions]
        else:
            tags += of_fraction.get(stem, [stem])
    return tuple(tags)
