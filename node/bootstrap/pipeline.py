"""The pipeline as this site has it."""

import importlib
from typing import TYPE_CHECKING

from node.adapters.threads import mapper
from node.bootstrap.extraction import extraction_settings, pyradiomics_identity
from node.bootstrap.models import scoring_model
from node.bootstrap.site import PIPELINE, lesion_rule
from node.errors import ConfigError
from node.settings import Settings
from pipelines.domain.feature_codes import can_be_mapped
from pipelines.domain.reasons import Rejected
from pipelines.outputs.page.settings import PageSettings

if TYPE_CHECKING:
    from pipelines.base import Pipeline
    from pipelines.scoring.model import Model


def load_pipeline(settings: Settings) -> "Pipeline":
    """Import and set up the pipeline, with the model that is configured.

    Raises
    ------
    ConfigError
        If PyRadiomics is not the right one, or the parameter file, the model package or the maps do not fit.
    """
    model = scoring_model(settings)
    wrong = [f"scoring.model: {model}"] if isinstance(model, Rejected) else []
    try:
        made = pipeline_with(settings, model)
    except ConfigError as fault:
        raise ConfigError([*fault.problems, *wrong]) from fault
    if isinstance(made, Rejected):
        raise ConfigError([f"scoring.model: {made}"])
    if wrong:
        raise ConfigError(wrong)
    return made


def pipeline_with(settings: Settings, model: "Model | Rejected | None") -> "Pipeline | Rejected":
    """Import and set up the pipeline with `model`; `Rejected` when that one does not fit.

    Raises
    ------
    ConfigError
        If PyRadiomics is not the right one, or the parameter file or the maps do not fit.
    """
    pyradiomics_identity()
    module = importlib.import_module(f"pipelines.{PIPELINE.replace('-', '_')}")
    names = importlib.import_module("pipelines.extraction.names")
    extraction = extraction_settings(settings)
    images = names.image_types(extraction)
    problems = [
        f"maps.features: {feature} is no feature that can be mapped"
        for feature in settings.maps.features
        if feature != "model" and (feature.partition("_")[0] not in images or not can_be_mapped(feature))
    ]
    if settings.maps.features and extraction.customisation is not None:
        problems += [
            f"maps.features: maps cannot be made with {name} of extraction.parameters; set maps.features = []"
            for name in ("binCount", "normalize")
            if extraction.customisation.setting(name)
        ]
    made: Pipeline | Rejected = module.pipeline(
        extraction,
        model=model,
        maps=module.MapSettings(
            settings.maps.features,
            settings.maps.model_features,
            settings.maps.kernel_radius_voxels,
            settings.maps.max_mb,
        ),
        engine=settings.extraction.engine,
        kinds=settings.outputs.kinds,
        verify_every=settings.extraction.verify_every,
        tolerance=settings.extraction.verify_tolerance,
        mapper=mapper(settings.extraction.threads),
        lesions=lesion_rule(settings),
        page=PageSettings(settings.page.format, settings.page.language),
        strict=settings.scoring.strict,
    )
    if problems:
        raise ConfigError([*problems, *([f"scoring.model: {made}"] if isinstance(made, Rejected) else [])])
    return made
