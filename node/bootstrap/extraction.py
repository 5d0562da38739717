"""How features are extracted at this site."""

import importlib
from pathlib import Path

from node.errors import ConfigError
from node.settings import Settings
from pipelines.domain.reasons import Rejected
from pipelines.extraction.settings import ExtractionSettings, load_profile


def extraction_settings(settings: Settings) -> ExtractionSettings:
    """The extraction profile or parameter file that is configured.

    Raises
    ------
    ConfigError
        If the parameter file cannot be used, or smoothing or filters are asked of a profile that has none.
    """
    chosen = settings.extraction
    if chosen.parameters is None:
        try:
            return load_profile(
                chosen.profile, gaussian_sigma_mm=chosen.gaussian_sigma_mm, ibsi_filters=chosen.ibsi_filters
            )
        except ValueError as fault:
            asked = "ibsi_filters" if chosen.ibsi_filters and chosen.profile != "ibsi" else "gaussian_sigma_mm"
            raise ConfigError([f"extraction.{asked}: {fault}"]) from fault
    if chosen.ibsi_filters:
        raise ConfigError(
            ["extraction.ibsi_filters: belong to the profile ibsi; unset them beside extraction.parameters"]
        )
    if chosen.gaussian_sigma_mm is not None:
        raise ConfigError(["extraction.gaussian_sigma_mm: belongs to a profile; unset it beside extraction.parameters"])
    return parameter_file(chosen.parameters.expanduser(), "extraction.parameters")


def parameter_file(path: Path, asked_by: str) -> ExtractionSettings:
    """What a parameter file of PyRadiomics asks for; `asked_by` begins the message when it cannot be used.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError([f"{asked_by}: ENG-002 {path} cannot be read: {fault}"]) from fault
    parameters = importlib.import_module("pipelines.extraction.parameters")
    read: ExtractionSettings | Rejected = parameters.read_parameters(text, name=path.name)
    if isinstance(read, Rejected):
        raise ConfigError([f"{asked_by}: {read}"])
    return read


def pyradiomics_identity() -> str:
    """Name and version of the PyRadiomics that is installed; imports it.

    Raises
    ------
    ConfigError
        If it is missing or not the one that the node was tested with.
    """
    found = importlib.import_module("pipelines.extraction.toolbox").examined()
    if isinstance(found, Rejected):
        raise ConfigError([str(found)])
    return str(found.identity)
