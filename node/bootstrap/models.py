"""The models that are trusted and the one that scores."""

from pathlib import Path
from typing import TYPE_CHECKING

from node.bootstrap.machine import packaged_config, utc_now
from node.errors import ConfigError
from node.settings import Settings
from pipelines.domain.reasons import Rejected

if TYPE_CHECKING:
    from node.services.models import Models
    from pipelines.scoring.keys import TrustedKey
    from pipelines.scoring.model import Model


def make_models(settings: Settings) -> "Models":
    """The service that knows which model scores.

    Raises
    ------
    ConfigError
        If a trusted key cannot be used.
    """
    from node.adapters.model_folder import read_folder
    from node.adapters.model_record import ModelRecord
    from node.services.models import Models

    return Models(ModelRecord(settings.data_dir / "models"), read_folder, trusted_keys(settings), utc_now)


def trusted_keys(settings: Settings) -> list["TrustedKey"]:
    """The keys whose signatures are believed, the one for demonstrations among them.

    Raises
    ------
    ConfigError
        If one cannot be used.
    """
    from node.adapters.key_file import public_keys
    from pipelines.scoring.keys import demonstration_trust

    found = public_keys([path.expanduser() for path in settings.scoring.trusted_keys])
    wrong = [f"scoring.trusted_keys: {key}" for key in found if isinstance(key, Rejected)]
    if wrong:
        raise ConfigError(wrong)
    return [demonstration_trust(), *(key for key in found if not isinstance(key, Rejected))]


def scoring_model(settings: Settings) -> "Model | Rejected | None":
    """The model that is configured, verified anew; None when the node shall not score.

    Raises
    ------
    ConfigError
        If a trusted key cannot be used.
    """
    chosen = settings.scoring.model
    if not chosen:
        return None
    models = make_models(settings)
    if chosen == "active":
        package = models.active()
    else:
        package = models.verify(demo_model() if chosen == "demo" else Path(chosen).expanduser())
    return package if isinstance(package, Rejected) else package.model


def demo_model() -> Path:
    """Folder of the packaged demonstration model."""
    return packaged_config() / "models" / "demo"
