"""Trains the demonstration model on synthetic lesions.

Run `python -m pipelines.phantom.train_demo -o config/models/demo`; it takes some seconds, and the same versions of the
libraries give the same files.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.reasons import Rejected
from pipelines.extraction.engine import extract
from pipelines.extraction.oracle import software
from pipelines.extraction.settings import ExtractionSettings, load_profile
from pipelines.phantom.chest import chest_phantom
from pipelines.phantom.cohort import PlantedCase, planted_cases
from pipelines.phantom.dicom import KERNEL, KVP, MANUFACTURER, MODEL_NAME
from pipelines.phantom.fit import Fit, Quota, auc, cross_validated_auc, fit, youden_cut_off
from pipelines.phantom.settings import PhantomSettings
from pipelines.scoring.card import card_files
from pipelines.scoring.facts import CutOff, Extraction, ModelFacts, ModelFeature, Performance, Training
from pipelines.scoring.keys import demonstration_key
from pipelines.scoring.package import package_files, signed
from pipelines.scoring.reference import Acquisition, Scanner
from pipelines.scoring.summary import quantiles, summarise

_PROFILE: Final = "recommended"
_CASES: Final = 60
_SEED: Final = 2
_PENALTY: Final = 20.0
_FOLDS: Final = 10
_SAID: Final = {
    "outcome": "the texture that a lesion was drawn with; planted, no outcome of a patient",
    "segmentation": "the masks that the phantoms were drawn with",
    "deidentification": "none needed: no data of patients",
    "missing_data": "none",
    "flow": f"{_CASES} lesions drawn, {_CASES} measured",
    "data_sharing": "the phantoms are drawn anew by the program that trains the model",
    "code_sharing": "part of pulmonode",
    "limitations": "synthetic lesions; says nothing about patients",
}
"""What the card says beyond the model's own members."""
# one of shape, four of texture, five of filtered images: the composition of the published signature
_QUOTAS: Final = (
    Quota(1, ("original_shape_",)),
    Quota(1, ("original_glcm_",)),
    Quota(1, ("original_glrlm_",)),
    Quota(1, ("original_glszm_",)),
    Quota(1, ("original_gldm_",)),
    Quota(3, ("wavelet-",)),
    Quota(2, ("log-sigma-",)),
)


def train_demo() -> ModelFacts:
    """Make the cases, measure them and fit the model; some seconds on one core."""
    settings = load_profile(_PROFILE)
    cases = list(planted_cases(_CASES, seed=_SEED))
    names, values = _measured(cases, settings)
    positive = np.array([case.even for case in cases])
    made = _rounded(fit(values, positive, names, _QUOTAS, penalty=_PENALTY))
    predictor = made.linear_predictor(values)
    cut_off = youden_cut_off(1.0 / (1.0 + np.exp(-predictor)), positive)
    day = PhantomSettings().study_date.isoformat()
    return ModelFacts(
        schema_version=2,
        kind="logistic",
        name="pulmonode-demo",
        version="1.1.0",
        licence="Apache-2.0",
        intended_use="Demonstration on synthetic data; not for clinical use",
        demonstration=True,
        positive_class="predicted responder (CR/PR)",
        negative_class="predicted non-responder (SD/PD)",
        features=tuple(
            ModelFeature(name=names[i], coefficient=float(c), mean=float(m), sd=float(s))
            for i, c, m, s in zip(made.columns, made.coefficients, made.mean, made.sd, strict=True)
        ),
        intercept=made.intercept,
        cut_off=CutOff(value=round(cut_off, 3), rule="Youden index on the training data"),
        lesion_choice="largest",
        extraction=Extraction(profile=settings.profile, settings_sha256=settings.digest),
        training=Training(
            data=f"{_CASES} synthetic lesions (computed phantoms), half drawn with an even and half with an uneven "
            "texture. The classes are planted: they say nothing about the response of any patient to any treatment. "
            "The draw of the lesions and the ridge penalty were picked after trying several, so that the demonstration "
            "shows overlapping groups: neither AUC is evidence of anything.",
            n=_CASES,
            events=int(positive.sum()),
            data_from=day,
            data_to=day,
            feature_selection="Highest univariate AUC within shape (1), GLCM, GLRLM, GLSZM, GLDM (1 each), wavelet (3) "
            "and Laplacian of Gaussian (2), absolute correlation below 0.85",
            estimator=f"Logistic regression, ridge penalty {_PENALTY:g} on standardised coefficients",
            software=dict(software()),
        ),
        performance=(
            Performance(
                measure="AUC",
                data="apparent",
                value=round(auc(predictor, positive), 3),
                method="on the lesions that it was fitted to",
            ),
            Performance(
                measure="AUC",
                data="internal",
                value=round(cross_validated_auc(values, positive, names, _QUOTAS, penalty=_PENALTY, folds=_FOLDS), 3),
                method=f"{_FOLDS}-fold cross-validation, features selected anew in each fold",
            ),
        ),
        reference=summarise(values[:, list(made.columns)], predictor, positive, _acquisition(cases)),
    )


def demo_package() -> dict[str, bytes]:
    """The files of the demonstration model, signed with the key that everybody has."""
    facts = train_demo()
    return signed(package_files(facts, card_files(facts, _SAID)), demonstration_key())


def _acquisition(cases: Sequence[PlantedCase]) -> Acquisition:
    return Acquisition(
        slice_thickness_mm=quantiles([case.settings.spacing_mm[2] for case in cases]),
        kernels=(KERNEL,),
        kvp=(float(KVP),),
        scanners=(Scanner(manufacturer=MANUFACTURER, model=MODEL_NAME),),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the demonstration model to the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Train the demonstration model on synthetic lesions.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write, such as config/models/demo")
    output: Path = parser.parse_args(arguments).output
    files = demo_package()
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (output / name).write_bytes(content)
    print(f"{output}: {', '.join(sorted(files))}")


def _measured(
    cases: Sequence[PlantedCase], settings: ExtractionSettings
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the features, and their values with shape (cases, features)."""
    rows = []
    for case in cases:
        phantom = chest_phantom(case.settings)
        found = extract(phantom.ct, phantom.lesions[0], settings).outcome
        if isinstance(found, Rejected):
            raise ArithmeticError(f"a lesion of the cohort cannot be measured: {found}")
        rows.append(found)
    return rows[0].names, np.stack([row.values for row in rows])


def _rounded(made: Fit) -> Fit:
    # six digits are far more than the model knows, and hide the last bits in which processors differ
    return replace(
        made,
        mean=_six_digits(made.mean),
        sd=_six_digits(made.sd),
        coefficients=_six_digits(made.coefficients),
        intercept=float(f"{made.intercept:.6g}"),
    )


def _six_digits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{value:.6g}") for value in values])


if __name__ == "__main__":
    main()
