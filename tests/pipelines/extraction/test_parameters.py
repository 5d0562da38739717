"""Every setting of a parameter file against PyRadiomics itself, which is given the same file."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from radiomics import getFeatureClasses, getParameterValidationFiles
from radiomics.featureextractor import RadiomicsFeatureExtractor
from ruamel.yaml import YAML

from pipelines.domain.feature_codes import CONCEPTS, describe
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.extraction.customisation import DEPRECATED
from pipelines.extraction.engine import extract
from pipelines.extraction.equivalence import OWN_SETTINGS, SETTINGS, plain_settings
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import feature_names
from pipelines.extraction.parameters import IGNORED, read_parameters
from pipelines.extraction.settings import ExtractionSettings, load_profile
from tests.lesions import KINDS, Drawn, lesion_of

FEW = "featureClass: {firstorder: [Mean, Energy, Entropy], glcm: [Contrast, JointEntropy], gldm: [DependenceEntropy]}"
ALL_OF_CT = "featureClass: {shape: , firstorder: , glcm: [Id, Imc2], glrlm: , glszm: , gldm: }"
CUBES = "resampledPixelSpacing: [1, 1, 1]"

BY_PYRADIOMICS = {
    "no file but defaults": "setting: {}",
    "NGTDM": f"{{featureClass: {{ngtdm: }}, setting: {{{CUBES}}}}}",
    "MCC and SumAverage": f"{{featureClass: {{glcm: [MCC, SumAverage]}}, setting: {{{CUBES}}}}}",
    "deprecated": "featureClass: {firstorder: [StandardDeviation], shape: [Compactness1, Compactness2, "
    "SphericalDisproportion]}",
    "no longer computed": "featureClass: {glcm: [Homogeneity1, Id], gldm: [DependencePercentage, DependenceEntropy]}",
    "square": "{imageType: {Square: {}}, " + FEW + "}",
    "square root": "{imageType: {SquareRoot: {}}, " + FEW + "}",
    "logarithm": "{imageType: {Logarithm: {}}, " + FEW + "}",
    "exponential": "{imageType: {Exponential: {}}, " + FEW + "}",
    "gradient": "{imageType: {Gradient: {}}, " + FEW + "}",
    "gradient without spacing": "{imageType: {Gradient: {gradientUseSpacing: false}}, " + FEW + "}",
    "LBP2D": "{imageType: {LBP2D: {binWidth: 1, lbp2DRadius: 2.0, lbp2DSamples: 12}}, " + FEW + "}",
    "LBP3D": "{imageType: {LBP3D: {binWidth: 1, lbp3DLevels: 3}}, " + FEW + "}",
    "a wavelet of another kind": "{imageType: {Wavelet: {wavelet: haar}}, " + FEW + ", setting: {" + CUBES + "}}",
    "levels of wavelets": "{imageType: {Wavelet: {level: 2, start_level: 1}}, " + FEW + "}",
    "wavelets in a plane": "{imageType: {Wavelet: {}}, setting: {force2D: true}, " + FEW + "}",
    "2D": "{setting: {force2D: true, force2Ddimension: 0}, " + FEW + "}",
    "2D in another plane": "{setting: {force2D: true, force2Ddimension: 1}, " + FEW + "}",
    "normalise": "{setting: {normalize: true, normalizeScale: 100, removeOutliers: 3, binWidth: 5}, " + FEW + "}",
    "resegment between": "{setting: {resegmentRange: [-300, 50]}, featureClass: {shape: , firstorder: [Mean]}}",
    "resegment relative": "{setting: {resegmentRange: [0.2], resegmentMode: relative}, featureClass: {firstorder: }}",
    "resegment by sigma": "{setting: {resegmentRange: [-2, 2], resegmentMode: sigma, resegmentShape: true}, "
    "featureClass: {shape: , firstorder: }}",
    "number of bins": "{setting: {binCount: 16}, " + FEW + "}",
    "distances": "{setting: {distances: [1, 2]}, " + FEW + "}",
    "weights": "{setting: {weightingNorm: euclidean}, " + FEW + "}",
    "weights of none": "{setting: {weightingNorm: no_weighting}, featureClass: {glcm: [Contrast], glrlm: }}",
    "asymmetrical GLCM": "{setting: {symmetricalGLCM: false}, featureClass: {glcm: }}",
    "dependence": "{setting: {gldm_a: 2}, " + FEW + "}",
    "spacing within the slices": "{setting: {resampledPixelSpacing: [1, 1, 0], padDistance: 7}, " + FEW + "}",
    "a linear interpolator": "{setting: {interpolator: sitkLinear, resampledPixelSpacing: [1.5, 1.5, 1.5]}, "
    + FEW
    + "}",
    "pre-crop": "{setting: {preCrop: true, padDistance: 3}, imageType: {LoG: {sigma: [1.0]}}, " + FEW + "}",
    "a bin width for one filter": "{imageType: {Original: {}, LoG: {sigma: [2.0], binWidth: 5}}, setting: {"
    + CUBES
    + "}, "
    + FEW
    + "}",
    "least size": "{setting: {minimumROISize: 20}, " + FEW + "}",
    "one dimension is enough": "{setting: {minimumROIDimensions: 1}, " + FEW + "}",
}
BY_THE_FAST_ENGINE = {
    "another bin width": f"{{setting: {{{CUBES}, binWidth: 10, voxelArrayShift: 300}}, {ALL_OF_CT}}}",
    "cubes of 2 mm": "{setting: {resampledPixelSpacing: [2, 2, 2], padDistance: 6}, " + ALL_OF_CT + "}",
    "nearest neighbour": f"{{setting: {{{CUBES}, interpolator: sitkNearestNeighbor}}, {ALL_OF_CT}}}",
    "whole sigmas": f"{{imageType: {{LoG: {{sigma: [1, 2.5]}}}}, setting: {{{CUBES}}}, {FEW}}}",
    "wavelets without the original": f"{{imageType: {{Wavelet: {{}}}}, setting: {{{CUBES}}}, {FEW}}}",
    "sigma of all images": f"{{imageType: {{LoG: {{}}}}, setting: {{{CUBES}, sigma: [3.0]}}, {FEW}}}",
    "what the node does itself": f"{{setting: {{{CUBES}, label: 7, label_channel: 2, geometryTolerance: 1.0e-3, "
    f"additionalInfo: true}}, voxelSetting: {{kernelRadius: 2}}, {FEW}}}",
}


def small(*, one_slice: bool = False) -> Drawn:
    return KINDS["one slice" if one_slice else "plain"](np.random.default_rng(5))


def pyradiomics(path: Path, drawn: Drawn) -> dict[str, float]:
    """What PyRadiomics measures with the file at `path`."""
    image = sitk.GetImageFromArray(drawn.ct.hu)
    mask = sitk.GetImageFromArray(drawn.lesion.mask.on(drawn.ct.grid).astype(np.uint8))
    for made in (image, mask):
        made.SetSpacing(drawn.ct.grid.spacing_mm)
        made.SetOrigin(drawn.ct.grid.origin_mm)
        made.SetDirection(drawn.ct.grid.direction)
    found = RadiomicsFeatureExtractor(str(path)).execute(image, mask, label=1, label_channel=0)
    return {name: float(value) for name, value in found.items() if not name.startswith("diagnostics")}


def compare(text: str, drawn: Drawn, folder: Path, engine: str) -> None:
    path = folder / "params.yaml"
    path.write_text(text, "utf-8")
    settings = read_parameters(text, name=path.name)
    assert isinstance(settings, ExtractionSettings)
    expected = pyradiomics(path, drawn)
    made = extract(drawn.ct, drawn.lesion, settings)
    assert made.engine == engine
    assert isinstance(made.outcome, FeatureVector)
    assert made.outcome.names == feature_names(settings)
    assert set(made.outcome.names) == set(expected)
    assert expected
    wanted = np.array([expected[name] for name in made.outcome.names])
    assert np.isfinite(wanted).any()
    assert made.outcome.values == pytest.approx(wanted, rel=1e-9 if engine == "fast" else 0.0, abs=0.0, nan_ok=True)
    for name in made.outcome.names:
        describe(name)


@pytest.mark.parametrize("kind", BY_PYRADIOMICS)
def test_a_file_measures_what_pyradiomics_measures_with_it(kind: str, tmp_path: Path) -> None:
    compare(BY_PYRADIOMICS[kind], small(), tmp_path, "pyradiomics")


def test_the_shape_of_a_lesion_in_one_plane_is_measured_in_2d(tmp_path: Path) -> None:
    drawn = small(one_slice=True)
    compare("{setting: {force2D: true}, featureClass: {shape2D: }}", drawn, tmp_path, "pyradiomics")


def test_a_row_of_voxels_is_measured_where_the_file_allows_it(tmp_path: Path) -> None:
    drawn = small()
    mask = np.zeros(drawn.ct.grid.shape, dtype=np.bool_)
    mask[7, 20, 10:30] = True
    line = Drawn(drawn.ct, lesion_of(mask))
    compare(BY_PYRADIOMICS["one dimension is enough"], line, tmp_path, "pyradiomics")


@pytest.mark.parametrize("kind", BY_THE_FAST_ENGINE)
def test_the_fast_engine_measures_what_it_has_of_a_file(kind: str, tmp_path: Path) -> None:
    compare(BY_THE_FAST_ENGINE[kind], small(), tmp_path, "fast")


@pytest.mark.parametrize("kind", BY_PYRADIOMICS)
def test_the_reason_for_pyradiomics_is_told(kind: str) -> None:
    settings = read_parameters(BY_PYRADIOMICS[kind], name="params.yaml")
    assert isinstance(settings, ExtractionSettings)
    reason = plain_settings(settings)
    assert isinstance(reason, Unsupported)
    assert reason.reason.startswith("the parameters ")


def test_the_example_of_pyradiomics_is_the_profile_recommended() -> None:
    glcm = [
        name.removeprefix("original_glcm_")
        for name in feature_names(load_profile("recommended"))
        if "original_glcm" in name
    ]
    text = (
        "imageType: {Original: {}, LoG: {sigma: [1.0, 2.0, 3.0, 4.0, 5.0]}, Wavelet: {}}\n"
        f"featureClass: {{shape: , firstorder: [], glcm: [{', '.join(glcm)}], glrlm: , glszm: , gldm: }}\n"
        "setting: {interpolator: sitkBSpline, resampledPixelSpacing: [1, 1, 1], padDistance: 10, binWidth: 25, "
        "voxelArrayShift: 1000, label: 1}\n"
    )
    settings = read_parameters(text, name="exampleCT.yaml")
    assert isinstance(settings, ExtractionSettings)
    assert settings.digest == load_profile("recommended").digest
    assert feature_names(settings) == feature_names(load_profile("recommended"))


def test_other_values_have_another_digest() -> None:
    texts = [*BY_PYRADIOMICS.values(), *BY_THE_FAST_ENGINE.values()]
    made = [read_parameters(text, name="params.yaml") for text in texts]
    digests = [one.digest for one in made if isinstance(one, ExtractionSettings)]
    assert len(set(digests)) == len(texts)


def test_the_name_of_the_file_changes_no_digest() -> None:
    one, other = (read_parameters(BY_PYRADIOMICS["NGTDM"], name=name) for name in ("a.yaml", "b.yaml"))
    assert isinstance(one, ExtractionSettings)
    assert isinstance(other, ExtractionSettings)
    assert one.digest == other.digest
    assert one.described() != other.described()


def test_intensities_that_are_normalised_are_no_hu() -> None:
    plain, normalised = (
        read_parameters(text, name="params.yaml") for text in (BY_PYRADIOMICS["2D"], BY_PYRADIOMICS["normalise"])
    )
    assert isinstance(plain, ExtractionSettings)
    assert isinstance(normalised, ExtractionSettings)
    assert plain.hounsfield
    assert not normalised.hounsfield
    assert describe("original_firstorder_Mean", hounsfield=normalised.hounsfield).unit.value == "1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("setting: [", "not valid YAML"),
        ("3", "holds no settings"),
        ("setting: {binWidth: -1}", "binWidth"),
        ("setting: {binWitdh: 25}", "binWitdh"),
        ("imageType: {Sharpened: {}}", "Sharpened"),
        ("featureClass: {glcm: [Roughness]}", "Roughness"),
        ("setting: {interpolator: cubic}", "cubic"),
        ("setting: {resampledPixelSpacing: [1, 1]}", "2 numbers instead of three"),
        ("{imageType: {LoG: {}}, featureClass: {firstorder: }}", "asks for no feature"),
    ],
)
def test_a_wrong_file_is_refused_as_eng_002_with_what_is_wrong(text: str, says: str) -> None:
    refused = read_parameters(text, name="params.yaml")
    assert isinstance(refused, Rejected)
    assert refused.code == "ENG-002"
    assert "params.yaml" in refused.detail
    assert says in refused.detail
    assert "\n" not in refused.detail


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("minimumROISize: 1000000", "minimum size"),
        ("resegmentRange: [5000]", "excluded too many voxels"),
        # not a ValueError, but a fault of the compiled part
        ("distances: [500]", "Error getting angle count"),
    ],
)
def test_a_lesion_that_a_file_does_not_allow_is_rejected_with_the_words_of_pyradiomics(setting: str, says: str) -> None:
    settings = read_parameters("{setting: {" + setting + "}, " + FEW + "}", name="params.yaml")
    assert isinstance(settings, ExtractionSettings)
    drawn = small()
    refused = extract(drawn.ct, drawn.lesion, settings).outcome
    assert isinstance(refused, Rejected)
    assert refused.code == "ROI-003"
    assert says in refused.detail


def test_the_tables_hold_every_feature_and_setting_of_pyradiomics() -> None:
    named = {
        f"{family}_{name}": deprecated
        for family, of in getFeatureClasses().items()
        for name, deprecated in of.getFeatureNames().items()
    }
    assert {name for name, deprecated in named.items() if not deprecated} == set(CONCEPTS) - DEPRECATED
    assert {name for name in DEPRECATED if named[name]} == DEPRECATED

    schema = YAML(typ="safe", pure=True).load(Path(getParameterValidationFiles()[0]).read_text("utf-8"))
    sections = schema["mapping"]
    known = {*sections["setting"]["mapping"], *sections["voxelSetting"]["mapping"]}
    assert known == {*SETTINGS, *IGNORED}
    assert all(own <= set(SETTINGS) for own in OWN_SETTINGS.values())
