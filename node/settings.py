"""All settings of the node: names, units, defaults, ranges and reasons, in one place."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from node.errors import ConfigError

ENVIRONMENT_PREFIX: Final = "PULMONODE_"
CELERY_ENVIRONMENT: Final = frozenset({"CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"})
"""Variables that Celery obeys rather than its configuration."""
# read by the command line and the installer, not by Settings
RESERVED_ENVIRONMENT: Final = frozenset({"PULMONODE_COMMAND", "PULMONODE_CONFIG", "PULMONODE_PYTHON"})

AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[!-\[\]-~]([ -\[\]-~]*[!-\[\]-~])?$")]


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise ValueError("holds a password, which belongs into a file of its own: see the key that ends in _file")
    return url


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise ValueError(f"is no regular expression: {fault}") from fault
    return pattern


AssumedCharset = Literal[
    "",
    "ISO_IR 192",
    "GB18030",
    "GBK",
    "ISO_IR 100",
    "ISO_IR 101",
    "ISO_IR 109",
    "ISO_IR 110",
    "ISO_IR 144",
    "ISO_IR 127",
    "ISO_IR 126",
    "ISO_IR 138",
    "ISO_IR 148",
    "ISO_IR 203",
    "ISO_IR 166",
    "EUC-KR",
    "Shift_JIS",
    "Big5",
]
"""Keys of `pipelines.domain.charsets.ASSUMABLE`, or none."""

Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_compiles)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSettings(_Section):
    """Who the node is and where it lives."""

    ae_title: AeTitle = Field("PULMONODE", description="AE title under which the node is called and calls others.")
    bind: str = Field(
        "127.0.0.1",
        description="Address on which the node listens. The default serves this machine only; set 0.0.0.0, or the "
        "address of one network card, when a PACS on another machine sends to it.",
    )
    port: int = Field(11112, ge=0, le=65535, description="TCP port of the DICOM service. 0 takes any free port.")
    data_dir: Path = Field(
        Path("~/.local/share/pulmonode"),
        description="Folder of everything that the node keeps: spool, ledger, queue, results. On a local "
        "disk; a shared "
        "folder only when workers on other machines need it.",
    )


class ReceiveSettings(_Section):
    """Who may send what."""

    calling_ae_titles: tuple[AeTitle, ...] = Field((), description="AE titles that may call. Empty: any.")
    require_called_ae_title: bool = Field(
        True, description="Reject associations that call another AE title than the node's."
    )
    extra_storage_classes: tuple[str, ...] = Field(
        (),
        description="SOP Class UIDs to accept and keep beside CT, segmentations and RT structure sets. They "
        "start no case.",
    )
    max_pdu_bytes: int = Field(
        131072,
        ge=4096,
        le=1048576,
        description="Largest PDU to receive, in bytes. Larger ones save little and cost memory.",
    )
    max_associations: int = Field(
        50, ge=1, le=1000, description="Associations at the same time; a further one is rejected as a local limit."
    )
    network_timeout_s: float = Field(
        60, ge=1, le=3600, description="Seconds without a byte after which an association is aborted."
    )
    assume_charset: AssumedCharset = Field(
        "",
        description="Character set of text that is not in the one which its instance declares, for senders that "
        "declare none or a wrong one. Empty: a case whose patient or study cannot be read for certain is rejected "
        "(TXT-001).",
    )
    min_free_mb: int = Field(
        1024,
        ge=0,
        description="Megabytes that must stay free on the data disk. Below, instances are refused with 0xA700 and the "
        "sender keeps them.",
    )


class AssemblySettings(_Section):
    """When a segmentation and its CT series make a case."""

    series_quiet_s: float = Field(
        30,
        ge=1,
        le=3600,
        description="Seconds without a new instance before a series counts as sent. Raise it for slow links; too small "
        "splits one transfer in two runs.",
    )
    missing_timeout_s: float = Field(
        900,
        ge=1,
        le=604800,
        description="Seconds to wait for a CT series or for missing slices before the case is rejected.",
    )
    tick_s: float = Field(1, ge=0.1, le=60, description="Seconds between two looks at what has arrived.")


class LesionSettings(_Section):
    """Which segments and ROIs are lesions; the manual tells the order in which the rule looks."""

    include: tuple[Pattern, ...] = Field(
        (),
        description="Regular expressions; a segment whose label has one is a lesion. Whatever the case of letters.",
    )
    exclude: tuple[Pattern, ...] = Field(
        (), description="Regular expressions; a segment whose label has one is no lesion. Goes before include."
    )
    include_codes: tuple[str, ...] = Field(
        (), description="Categories and types that are lesions, as SCHEME:VALUE, such as SCT:108369006."
    )
    exclude_codes: tuple[str, ...] = Field(
        (), description="Categories and types that are no lesions, in the same form."
    )
    algorithms: tuple[Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"], ...] = Field(
        (), description="Segment Algorithm Types whose segments count. Empty: all."
    )
    unnamed: Literal["lone", "all", "none"] = Field(
        "lone",
        description="Segments of which nothing says whether they are lesions or organs. lone: a lesion if it is the "
        "only segment. all: lesions. none: no lesions.",
    )


class QueueSettings(_Section):
    """How the computing is spread over workers."""

    broker: Annotated[str, AfterValidator(_without_password)] = Field(
        "",
        description="Empty: an embedded queue in data_dir, no server needed. redis://HOST:PORT/DB or "
        "rediss://...: a Redis "
        "that workers on many machines share. A password goes into broker_password_file.",
    )
    broker_password_file: Path | None = Field(None, description="File that holds the broker's password.")
    worker_processes: int = Field(
        0, ge=0, le=256, description="Cases computed at the same time on this machine. 0: one for each CPU core."
    )
    max_attempts: int = Field(
        3, ge=1, le=100, description="Runs of one case that may be interrupted before it counts as failed."
    )
    lease_s: float = Field(
        60,
        ge=2,
        le=3600,
        description="Seconds after which a case of a worker that gives no sign of life is given to another. A "
        "living worker "
        "renews its lease, so a long computation is never started twice.",
    )
    resubmit_after_s: float = Field(
        300,
        ge=5,
        le=86400,
        description="Seconds after which a case that no worker has taken is put into the queue again, should "
        "the broker have "
        "lost it.",
    )
    time_limit_s: int = Field(
        3600, ge=10, le=86400, description="Seconds after which the computation of one case is stopped."
    )


class LedgerSettings(_Section):
    """The database that knows the state of everything."""

    url: Annotated[str, AfterValidator(_without_password)] = Field(
        "",
        description="Empty: an SQLite file in data_dir. postgresql+psycopg://USER@HOST/DB when machines share "
        "one ledger. A "
        "password goes into password_file.",
    )
    password_file: Path | None = Field(None, description="File that holds the database password.")


class ExtractionConfig(_Section):
    """How features are computed."""

    profile: Literal["recommended", "seed-a"] = Field(
        "recommended",
        description="recommended: PyRadiomics' exampleCT.yaml (B-spline). seed-a: nearest neighbour and a "
        "Gaussian filter, "
        "as Dong & Chen 2025 describe. A model fits only the profile that it was trained with.",
    )
    engine: Literal["fast", "pyradiomics"] = Field(
        "fast",
        description="fast: kernels of our own, equal to PyRadiomics in nine digits and many times faster; what they do "
        "not support goes to PyRadiomics, and the report says so. pyradiomics: PyRadiomics alone.",
    )
    gaussian_sigma_mm: float | None = Field(
        None,
        ge=0,
        le=10,
        description="Sigma of the smoothing before extraction in mm, in place of the profile's own; 0 switches it off.",
    )


class ScoringSettings(_Section):
    """Which model scores the patient."""

    model: str = Field(
        "demo",
        description="Path of a model package; demo: the packaged demonstration model, not for clinical use; "
        "empty: measure "
        "without scoring.",
    )


class MapSettings(_Section):
    """Which Parametric Maps are made of every lesion."""

    features: tuple[str, ...] = Field(
        ("original_firstorder_Entropy",),
        description="Features of the original image to map voxel by voxel. First-order features take seconds, texture "
        "features minutes. Empty: no maps.",
    )
    kernel_radius_voxels: int = Field(
        1, ge=1, le=3, description="Neighbourhood of a voxel: 1 for a cube of 3 x 3 x 3 voxels."
    )


class DeliverySettings(_Section):
    """Where results go."""

    destinations: tuple[str, ...] = Field(
        (), description="Names of the peers that get every result. Empty: results stay in data_dir."
    )
    retry_first_s: float = Field(5, ge=0.1, le=3600, description="Seconds before the second try; doubled after each.")
    retry_max_s: float = Field(900, ge=1, le=86400, description="Longest time between two tries, in seconds.")
    give_up_after_h: float = Field(
        72, ge=0.01, le=8760, description="Hours after which a result that could not be sent makes its case failed."
    )


class Peer(_Section):
    """Another DICOM application."""

    name: str = Field(
        min_length=1, max_length=40, pattern=r"^[\w.-]+$", description="Name used in this file and in commands."
    )
    ae_title: AeTitle = Field(description="Its AE title.")
    host: str = Field(min_length=1, description="Its host name or address.")
    port: int = Field(ge=1, le=65535, description="Its TCP port.")
    timeout_s: float = Field(30, ge=1, le=600, description="Seconds to wait for its answers.")


class LogSettings(_Section):
    """What is logged, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is written.")
    format: Literal["auto", "human", "json"] = Field(
        "auto", description="auto: human on a terminal, JSON lines elsewhere."
    )


class Settings(BaseSettings):
    """The whole configuration; immutable and valid once it exists."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    node: NodeSettings = NodeSettings()
    receive: ReceiveSettings = ReceiveSettings()
    assembly: AssemblySettings = AssemblySettings()
    lesions: LesionSettings = LesionSettings()
    queue: QueueSettings = QueueSettings()
    ledger: LedgerSettings = LedgerSettings()
    extraction: ExtractionConfig = ExtractionConfig()
    scoring: ScoringSettings = ScoringSettings()
    maps: MapSettings = MapSettings()
    delivery: DeliverySettings = DeliverySettings()
    log: LogSettings = LogSettings()
    peers: tuple[Peer, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what it is made from: `load_settings` reads the environment that it is given."""
        return (init_settings,)

    @model_validator(mode="after")
    def _peers_fit(self) -> "Settings":
        problems = _peer_problems([peer.name for peer in self.peers], self.delivery.destinations)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def peer(self, name: str) -> Peer:
        """The peer called `name`.

        Raises
        ------
        KeyError
            If there is none.
        """
        return {peer.name: peer for peer in self.peers}[name]

    @property
    def data_dir(self) -> Path:
        return self.node.data_dir.expanduser().absolute()


def load_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the configuration file at `path` (None: defaults only) and the environment's overrides.

    Raises
    ------
    ConfigError
        With one line for each problem.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8")) if path else {}
    except OSError as fault:
        raise ConfigError([f"{path}: {fault.strerror}"]) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError([f"{path}: not valid TOML: {fault}"]) from fault
    problems = [
        f"environment variable {name} names no section"
        for name in environment
        if name.upper().startswith(ENVIRONMENT_PREFIX)
        and name.upper() not in RESERVED_ENVIRONMENT
        and name[len(ENVIRONMENT_PREFIX) :].split("__")[0].lower() not in Settings.model_fields
    ]
    problems += [
        f"environment variable {name} would go before queue.broker; unset it"
        for name in sorted(environment)
        if name in CELERY_ENVIRONMENT
    ]
    try:
        values = _merged(values, _overrides(environment))
    except SettingsError as fault:  # an environment variable that should be JSON and is not
        problems.append(f"environment: {fault}")
    try:
        settings = Settings(**values)
    except ValidationError as fault:
        # pydantic looks at the peers as a whole only when each value is right for itself
        found = [_problem(error) for error in fault.errors() if error["loc"]]
        raise ConfigError([*problems, *found, *_peer_problems(*_named(values))]) from fault
    if problems:
        raise ConfigError(problems)
    return settings


def _overrides(environment: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in environment.items()}
    return source()


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with what `over` has in their place, section by section."""
    merged = dict(values)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _peer_problems(names: Sequence[str], destinations: Sequence[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return [
        *(f"peer {name} is configured twice" for name in twice),
        *(f"delivery.destinations names {name}, which is no peer" for name in destinations if name not in names),
    ]


def _named(values: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the peers and of the destinations in values that may be wrong in any way."""
    peers, delivery = values.get("peers"), values.get("delivery")
    names = [peer.get("name") for peer in peers if isinstance(peer, dict)] if isinstance(peers, list) else []
    destinations = delivery.get("destinations") if isinstance(delivery, dict) else None
    return (
        [name for name in names if isinstance(name, str)],
        [name for name in destinations if isinstance(name, str)] if isinstance(destinations, list) else [],
    )


def _problem(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = {
        "extra_forbidden": "unknown key",
        "missing": "is missing",
    }.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{place}: {message}" if place else message


def read_secret(path: Path | None) -> str | None:
    """Content of a secret's file without its line end; None without a file.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    if path is None:
        return None
    try:
        return path.expanduser().read_text("utf-8").rstrip("\r\n")
    except OSError as fault:
        raise ConfigError([f"secret file {path}: {fault.strerror}"]) from fault
    except UnicodeDecodeError:
        # without its cause, which quotes the secret
        raise ConfigError([f"secret file {path}: not UTF-8 text"]) from None
