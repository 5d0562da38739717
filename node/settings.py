"""All settings of the node: names, units, defaults, ranges and reasons, in one place."""

import ipaddress
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
from pipelines.domain.outcome import SINGLE_CASE_KINDS, OutputKind
from pipelines.domain.priority import read_hours
from pipelines.extraction.ibsi_filters.catalogue import FilterName
from pipelines.outputs.page.settings import PageFormat, PageLanguage

ENVIRONMENT_PREFIX: Final = "PULMONODE_"
CELERY_ENVIRONMENT: Final = frozenset({"CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"})
"""Variables that Celery obeys rather than its configuration."""
# read by the command line, the installer and the tests of robustness, not by Settings
RESERVED_ENVIRONMENT: Final = frozenset(
    {"PULMONODE_COMMAND", "PULMONODE_CONFIG", "PULMONODE_FAULTS", "PULMONODE_PYTHON", "PULMONODE_SPOOL_IDENTITY"}
)

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


def _are_hours(text: str) -> str:
    read_hours(text)
    return text


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


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


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
    addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        (),
        description="Addresses and networks that may connect, such as 10.20.0.0/16. This machine always may. Empty: "
        "this machine only. 0.0.0.0/0 lets everybody in.",
    )
    connections_per_minute: int = Field(
        600, ge=0, le=1000000, description="Connections from one address in a minute; 0 for no limit."
    )
    tls: bool = Field(False, description="Speak TLS on the DICOM port, and nothing else; needs the files in tls.")
    users_file: Path | None = Field(
        None,
        description="File with users and hashes of their passcodes, one a line as `pulmonode user NAME` prints it. "
        "Systems that call must then give a name and a passcode (DICOM user identity); use it with tls, or both are "
        "sent in plain text. It may be changed while the node runs. Not set: nobody is asked.",
    )
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
    processes: int = Field(
        2,
        ge=1,
        le=16,
        description="Receiving processes that share the port: what befalls one ends its own associations only.",
    )
    max_object_mb: int = Field(
        8192,
        ge=1,
        le=1048576,
        description="Megabytes of the longest instance that is taken; the association of a longer one is aborted.",
    )
    max_associations: int = Field(
        50,
        ge=1,
        le=10000,
        description="Associations at the same time in each receiving process; a further one is rejected as a local "
        "limit.",
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


class TlsSettings(_Section):
    """Certificates for DICOM over TLS; the files may be renewed while the node runs."""

    certificate_file: Path | None = Field(None, description="The node's certificate with its chain, in PEM.")
    key_file: Path | None = Field(None, description="Its private key, in PEM, readable for the node alone.")
    authorities_file: Path | None = Field(
        None, description="Certificates of those who vouch for the systems that call and are called, in PEM."
    )
    require_client_certificate: bool = Field(
        True, description="Systems that call must show a certificate too. False lets everybody in who speaks TLS."
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
    broker_ca_file: Path | None = Field(
        None,
        description="File with the certificates (PEM) of the authorities that may vouch for a rediss broker. Not set: "
        "those that the system trusts.",
    )
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
    max_memory_mb: int = Field(
        0,
        ge=0,
        description="Megabytes that the computation of one case may take, beside the programs themselves; beyond, the "
        "case fails with RUN-005 and the others go on. 1000 at least. 0: no limit but that of the machine.",
    )
    urgent_from: tuple[AeTitle, ...] = Field(
        (), description="AE titles of senders whose cases are computed before all others."
    )
    off_peak_from: tuple[AeTitle, ...] = Field(
        (), description="AE titles of senders whose cases are computed in the off-peak hours alone."
    )
    off_peak_hours: Annotated[str, AfterValidator(_are_hours)] = Field(
        "20:00-06:00", description="Off-peak hours, in the time of this machine."
    )

    @model_validator(mode="after")
    def _enough_memory(self) -> "QueueSettings":
        if 0 < self.max_memory_mb < 1000:
            raise ValueError("max_memory_mb must be 1000 at least, or 0")
        return self


class LedgerSettings(_Section):
    """The database that knows the state of everything."""

    url: Annotated[str, AfterValidator(_without_password)] = Field(
        "",
        description="Empty: an SQLite file in data_dir. postgresql+psycopg://USER@HOST/DB when machines share "
        "one ledger. A "
        "password goes into password_file.",
    )
    password_file: Path | None = Field(None, description="File that holds the database password.")


class ImagingSettings(_Section):
    """How exactly the slices of a CT have to stack up; a series beyond that is resampled, and the report says so."""

    position_tolerance_mm: float = Field(
        0.05,
        ge=0.001,
        le=1,
        description="Millimetres by which two positions may differ and count as one. Scanners round positions to a few "
        "decimals; raise it only for a sender that rounds more coarsely.",
    )
    spacing_tolerance: float = Field(
        0.1,
        ge=0.001,
        le=0.4,
        description="Part of the slice spacing by which a slice may be off its place. A lesion that is measured as if "
        "its slices were evenly spaced is wrong by no more than that.",
    )
    angle_tolerance_degrees: float = Field(
        0.1,
        ge=0.001,
        le=2,
        description="Degrees by which directions may differ, and by which a stack may lean, before the gantry counts "
        "as tilted. A tenth of a degree shifts slices that are 100 mm apart by 0.2 mm.",
    )


class ExtractionConfig(_Section):
    """How features are computed."""

    profile: Literal["recommended", "seed-a", "ibsi"] = Field(
        "recommended",
        description="recommended: PyRadiomics' exampleCT.yaml (B-spline). seed-a: nearest neighbour and a "
        "Gaussian filter, "
        "as Dong & Chen 2025 describe. ibsi: 210 features as IBSI defines them. A model fits only the profile that it "
        "was trained with.",
    )
    parameters: Path | None = Field(
        None,
        description="Parameter file of PyRadiomics (YAML) in place of the profile: the node then measures what "
        "`pyradiomics -p FILE` measures. A model fits only the settings that it was trained with.",
    )
    engine: Literal["fast", "pyradiomics", "verify"] = Field(
        "fast",
        description="fast: kernels of our own, equal to PyRadiomics in nine digits and many times faster; what they do "
        "not support goes to PyRadiomics, and the report says so. pyradiomics: PyRadiomics alone. verify: both, and "
        "the report says how far they lie apart.",
    )
    verify_every: int = Field(
        200,
        ge=0,
        description="With the engine fast, one case in so many is computed by both engines, and so is the first case "
        "after an upgrade. Which one depends on the case alone. 0: none.",
    )
    verify_tolerance: float = Field(
        1e-9,
        gt=0,
        le=0.01,
        description="Largest relative deviation of a feature from PyRadiomics. Where a verified lesion deviates more, "
        "PyRadiomics' numbers are reported, with the message ROI-010.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=64,
        description="Threads of the fast engine for one lesion. Worker processes take cases side by side already, so "
        "more than one only pays when there are more processor cores than queue.worker_processes.",
    )
    gaussian_sigma_mm: float | None = Field(
        None,
        ge=0,
        le=10,
        description="Sigma of the smoothing before extraction in mm, in place of the profile's own; 0 switches it off.",
    )
    ibsi_filters: tuple[FilterName, ...] = Field(
        (),
        description="With the profile ibsi: filters of IBSI-2 (mean, log, laws, gabor, wavelet-llh, wavelet-hhh) whose "
        "18 intensity statistics are measured too.",
    )


class ScoringSettings(_Section):
    """Which model scores the patient."""

    model: str = Field(
        "demo",
        description="Folder of a signed model package; active: the one that pulmonode model activate named last; demo: "
        "the packaged demonstration model, not for clinical use; empty: measure without scoring.",
    )
    trusted_keys: tuple[Path, ...] = Field(
        (),
        description="Files of public keys (PEM), or folders of *.pub, whose signatures are believed. Without one only "
        "demonstration models score.",
    )
    strict: bool = Field(
        False,
        description="Give no score to a case that is unlike the training data of the model, in place of a score with a "
        "warning.",
    )


class MapSettings(_Section):
    """Which Parametric Maps are made of every case."""

    features: tuple[str, ...] = Field(
        ("model",),
        description="Features to map voxel by voxel, the most wanted first; of the original image or of a filtered "
        "one, but for shape. model: those that the model weighs most, or original_firstorder_Entropy without a model. "
        "Empty: no maps.",
    )
    model_features: int = Field(
        2, ge=1, le=20, description="How many of the model's features to map, those with the largest coefficients."
    )
    max_mb: int = Field(
        800,
        ge=1,
        description="Megabytes that the maps of one case may take together; the last ones are left out, and the report "
        "says so. A map takes four bytes for each voxel of the CT: 200 MB for 200 slices, 1,000 MB for 1,000.",
    )
    kernel_radius_voxels: int = Field(
        1, ge=1, le=3, description="Neighbourhood of a voxel: 1 for a cube of 3 x 3 x 3 voxels."
    )


class OutputSettings(_Section):
    """What is made of a case."""

    kinds: tuple[OutputKind, ...] = Field(
        SINGLE_CASE_KINDS,
        description="Results to make. seg: the lesions on the grid of the CT, where nothing can refer to the received "
        "segmentation; sr-features: every feature of every lesion; sr-case: the prediction and what it rests on; "
        "sr-diameters: long and short axis, drawn by viewers; key-objects: the slices to look at; page: the result "
        "on one page, for a PACS that shows nothing else; map: feature maps; sr-response: the response to treatment "
        "over all scans of the patient, and page-response: the same on one page, only when they are named here. "
        "sr-features needs seg, key-objects and page need sr-case, page-response needs sr-response, which they refer "
        "to.",
    )

    @model_validator(mode="after")
    def _whole(self) -> "OutputSettings":
        for kind, needed in (
            ("sr-features", "seg"),
            ("key-objects", "sr-case"),
            ("page", "sr-case"),
            ("page-response", "sr-response"),
        ):
            if kind in self.kinds and needed not in self.kinds:
                raise ValueError(f"{kind} refers to {needed}, which is not among the kinds")
        return self


class PageConfig(_Section):
    """The result on one page."""

    format: PageFormat = Field(
        "pdf",
        description="pdf: Encapsulated PDF, whose text can be selected. image: Secondary Capture, which every PACS "
        "shows. both: one of each.",
    )
    language: PageLanguage = Field("en", description="Language of the page: en or zh.")


class ResponseSettings(_Section):
    """How patients are assessed over time, where outputs.kinds names sr-response."""

    resistance: Literal["seed-b", "sitc-2020", "sitc-combo-2023"] = Field(
        "seed-b",
        description="Definition of resistance. seed-b: Huang et al. 2025; sitc-2020: inhibitors alone; "
        "sitc-combo-2023: inhibitors with chemotherapy.",
    )
    oligo_lesions: int = Field(
        5, ge=1, le=20, description="Progressing lesions at most that count as oligoprogression; 3 to 5 are usual."
    )
    pr_carry: bool = Field(
        True,
        description="Once reached, a partial response stays one until progression (EORTC). Set false to compare each "
        "visit with the baseline by itself.",
    )
    relapse_after_cr: bool = Field(
        True, description="Any lesion that is back after a complete response is progression (EORTC)."
    )
    confirm: bool = Field(
        False,
        description="A response has to be seen twice, four weeks apart, to be the best one (trials without control).",
    )
    least_sd_days: int = Field(
        42, ge=0, le=365, description="Days from the start of treatment from which on stable disease counts."
    )
    match_distance_mm: float = Field(
        12,
        gt=0,
        le=50,
        description="Lesions without tracking UIDs are the same when their centres lie so close after registration.",
    )
    protocol_weeks: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None,
        description="First and last week after a scan in which the site's protocol has the next one. Not set: the "
        "report names the protocol only.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "ResponseSettings":
        if self.protocol_weeks is not None and self.protocol_weeks[0] > self.protocol_weeks[1]:
            raise ValueError("protocol_weeks end before they begin")
        return self


class TaskSettings(_Section):
    """Unified Procedure Steps: the worklist of tasks for the node."""

    serve: bool = Field(
        True, description="Keep a worklist of its own, so that a PACS or a viewer can push tasks to the node."
    )
    workitems: tuple[str, ...] = Field(
        (),
        description="Code Values of Scheduled Workitem Code Sequence that the node takes. Empty: every task that names "
        "the node's AE title as its station, and every task pushed to it that names no station.",
    )
    poll_s: float = Field(10, ge=0.2, le=3600, description="Seconds between two looks at the worklists.")
    input_timeout_s: float = Field(
        3600, ge=1, le=604800, description="Seconds to wait for the inputs of a claimed task before it is cancelled."
    )


class DeliverySettings(_Section):
    """Where results go."""

    destinations: tuple[str, ...] = Field(
        (), description="Names of the peers that get every result. Empty: results stay in data_dir."
    )
    retry_first_s: float = Field(5, ge=0.1, le=3600, description="Seconds before the second try; doubled after each.")
    retry_max_s: float = Field(900, ge=1, le=86400, description="Longest time between two tries, in seconds.")
    give_up_after_h: float = Field(
        72,
        ge=0.01,
        le=8760,
        description="Hours, and ten tries, after which a result that could not be sent makes its case failed.",
    )
    commitment_timeout_s: float = Field(
        600,
        ge=1,
        le=604800,
        description="Seconds that a peer may take to report on a storage commitment; then the node looks by C-FIND "
        "whether the results are there.",
    )
    commitment_hold_s: float = Field(
        5,
        ge=0,
        le=600,
        description="Seconds for which an association stays open after a request for commitment, for peers that report "
        "on it instead of calling back.",
    )


class RetainSettings(_Section):
    """How long what is kept. Nothing of a case goes before every result is at its destinations."""

    inputs_days: float = Field(
        0,
        ge=0,
        le=36500,
        description="Days after the end of a case for which the instances that it was read from are kept; 30 suits a "
        "node whose PACS has them too. They can come again. 0: for ever.",
    )
    results_days: float = Field(
        0,
        ge=0,
        le=36500,
        description="Days after the end of a case for which its result objects are kept. 0: for ever.",
    )
    cases_days: float = Field(
        0,
        ge=0,
        le=36500,
        description="Days after the end of a case for which all that is known of it is kept, numbers and history; then "
        "only the fact remains that it was deleted. 0: for ever.",
    )
    unused_days: float = Field(
        0,
        ge=0,
        le=36500,
        description="Days for which instances are kept that belong to no case, such as CT series without a "
        "segmentation. 0: for ever.",
    )
    bookkeeping_days: float = Field(
        90,
        ge=0,
        le=36500,
        description="Days for which finished requests for storage commitment, finished tasks, retrievals and refusals "
        "are listed. 0: for ever.",
    )
    emergency_free_mb: int = Field(
        0,
        ge=0,
        description="Megabytes of free disk below which the inputs of ended cases go before their time, those of the "
        "longest ended case first. Above receive.min_free_mb, or the node refuses instances before it makes room. 0: "
        "never.",
    )
    look_s: float = Field(60, ge=0.1, le=86400, description="Seconds between two looks at what may go.")

    @model_validator(mode="after")
    def _in_order(self) -> "RetainSettings":
        for name in ("inputs_days", "results_days"):
            if self.cases_days and not 0 < getattr(self, name) <= self.cases_days:
                raise ValueError(f"cases_days deletes the files too: {name} must be set, and no longer than cases_days")
        return self


class PrefetchSettings(_Section):
    """How what a case lacks is fetched from the peers that have query = true."""

    after_s: float = Field(
        60,
        ge=1,
        le=86400,
        description="Seconds without a new instance after which the archives are asked for a CT series or slices that "
        "have not arrived; never more than half of assembly.missing_timeout_s.",
    )
    max_attempts: int = Field(
        4, ge=1, le=100, description="Tries at one peer for one case; pulmonode retry starts anew."
    )
    retrieve_timeout_s: float = Field(
        600, ge=1, le=86400, description="Longest silence of a peer while it sends, in seconds."
    )


class PriorSettings(_Section):
    """Earlier studies of a patient that are fetched to compare with, where outputs.kinds names sr-response."""

    fetch: bool = Field(
        False,
        description="Ask the archives for the earlier studies of each patient of whom a segmentation arrives, and "
        "fetch CT and segmentation of them, or the Structured Reports that measure lesions (TID 1500) where there is "
        "no segmentation.",
    )
    peers: tuple[str, ...] = Field(
        (), description="Names of the peers that are asked, in this order; each needs query = true. Empty: all such."
    )
    days: int = Field(1825, ge=1, le=36500, description="Days before a study in which earlier ones are looked for.")
    most_studies: int = Field(
        10, ge=1, le=100, description="Earlier studies at most that are fetched for one patient; the latest ones."
    )
    report: bool = Field(
        False,
        description="Measure and report fetched studies like any other. False: they are time points and nothing more, "
        "and nothing about them is sent.",
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
    stow_url: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Root of its DICOMweb service, such as https://pacs/dicom-web. Results are then sent by STOW-RS "
        "and not by C-STORE.",
    )
    stow_token_file: Path | None = Field(None, description="File with the bearer token for it.")
    outputs: tuple[OutputKind, ...] = Field((), description="Kinds of results that it gets. Empty: all that are made.")
    tasks: bool = Field(
        False, description="Look for tasks in its worklist, by Unified Procedure Step Pull, and report to it."
    )
    tls: bool = Field(False, description="Speak TLS with it; needs the files in tls.")
    tls_name: str = Field("", description="Name in its certificate, when that is not its host.")
    associations: int = Field(
        1, ge=1, le=8, description="Associations over which results are sent to it at the same time."
    )
    deflate: bool = Field(
        True,
        description="Offer reports and maps also in Deflated Explicit VR Little Endian, a tenth to a thirtieth of the "
        "size, and use it where the peer accepts it. Set false for a peer that accepts it and shows nothing.",
    )
    charset: Literal["GB18030", "GBK", "ISO_IR 100"] | None = Field(
        None,
        description="Character set in which it wants the text of results. Not set: UTF-8 (ISO_IR 192). A result with a "
        "character that the set lacks is not sent (TXT-003).",
    )
    commitment: bool = Field(
        True,
        description="Ask it to keep the results that it took (storage commitment). If it does not offer that, the case "
        "stays delivered and status says so.",
    )
    query: bool = Field(
        False, description="Fetch a CT series from it that a segmentation was drawn on and that has not arrived."
    )
    retrieve: Literal["move", "get"] = Field(
        "move",
        description="move: it sends to this node over an association of its own (C-MOVE) and must know the node's "
        "address. get: it sends on the association that asks (C-GET).",
    )
    move_destination: Annotated[str, Field(max_length=16, pattern=r"^([!-\[\]-~]([ -\[\]-~]*[!-\[\]-~])?)?$")] = Field(
        "", description="AE title under which it knows this node, for C-MOVE. Empty: node.ae_title."
    )
    worklist: bool = Field(
        False,
        description="Ask its Modality Worklist for the accession number and the requested procedure where the CT has "
        "none. One peer at most.",
    )


_HostName = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]


class WebSettings(_Section):
    """What the node serves over HTTP."""

    enabled: bool = Field(False, description="Serve DICOMweb (QIDO-RS, WADO-RS, STOW-RS) under /dicom-web.")
    bind: str = Field(
        "127.0.0.1",
        description="Address on which it listens. Put a proxy with TLS and accounts in front of it before it serves "
        "other machines.",
    )
    port: int = Field(8042, ge=0, le=65535, description="TCP port.")
    token_file: Path | None = Field(
        None,
        description="File with a secret that every request must carry as `Authorization: Bearer SECRET`. Needed on "
        "any address but this machine's own.",
    )
    hosts: tuple[_HostName, ...] = Field(
        (),
        description="Names in URLs, beside localhost and 127.0.0.1, under which it answers requests without a token: "
        "those that a proxy on this machine passes on in the header Host.",
    )
    max_request_mb: int = Field(4096, ge=1, description="Largest request that is taken by STOW-RS, in megabytes.")

    @model_validator(mode="after")
    def _guarded(self) -> "WebSettings":
        if self.enabled and self.token_file is None and self.bind not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("serves other machines without token_file")
        return self


class MonitoringSettings(_Section):
    """A port for those who watch over the node: /metrics, /healthz and /readyz, without any patient's data."""

    enabled: bool = Field(True, description="Serve them.")
    bind: str = Field(
        "127.0.0.1",
        description="Address on which they are served. Whoever reaches it reads AE titles, names of peers and counts; "
        "nobody can change anything.",
    )
    port: int = Field(9180, ge=0, le=65535, description="TCP port. 0 takes any free port.")


class AuditSettings(_Section):
    """The audit trail: who sent, read, sent on, asked for and deleted what, as DICOM audit messages (PS3.15 A.5)."""

    enabled: bool = Field(True, description="Keep it, in data_dir/audit, one file a month, to which lines are added.")
    repository: str = Field(
        "",
        pattern=r"^((tls|udp)://[^/@?#]+)?$",
        description="Where it is sent, beside: tls://HOST:PORT (RFC 5425; needs the files in tls) or udp://HOST:PORT. "
        "What cannot be sent now waits in data_dir. Empty: nowhere.",
    )
    identify_patients: bool = Field(
        False,
        description="Write Patient IDs and names into the trail, as the standard has it. False: a digest of the ID "
        "stands in their place, the same for all studies of a patient.",
    )
    site: str = Field("", max_length=64, description="Name of the hospital or department that the messages bear.")


class AlertSettings(_Section):
    """Messages to people about failed and stuck cases, refused results, a full disk and processes that end again and
    again: each cause once, and once more when it is over. They name no patient."""

    webhook_url: str = Field(
        "", pattern=r"^(https?://.+)?$", description="Where alerts are posted as JSON. Empty: nowhere."
    )
    webhook_token_file: Path | None = Field(None, description="File with a bearer token for it.")
    mail_to: tuple[str, ...] = Field((), description="Addresses that alerts are mailed to. Empty: none.")
    mail_from: str = Field("", description="Address that they come from; needed for mail.")
    smtp_host: str = Field("", description="Mail server; needed for mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its TCP port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls: begin in plain text and go on in TLS, or not at all. tls: TLS from the first byte. "
        "none: plain text.",
    )
    smtp_user: str = Field("", description="Account on it. Empty: none.")
    smtp_password_file: Path | None = Field(None, description="File with the password of that account.")
    smtp_authorities_file: Path | None = Field(
        None, description="Certificates of those who vouch for it, in PEM. Not set: those that the system trusts."
    )
    stuck_after_s: float = Field(
        7200, ge=1, le=2592000, description="Seconds after which a case that does not move counts as stuck."
    )
    free_mb: int = Field(5120, ge=0, description="Megabytes of free disk below which an alert is sent. 0: never.")
    look_s: float = Field(60, ge=0.2, le=86400, description="Seconds between two looks.")

    @model_validator(mode="after")
    def _mail_can_go(self) -> "AlertSettings":
        if self.mail_to and not (self.mail_from and self.smtp_host):
            raise ValueError("mail_to needs mail_from and smtp_host")
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError("smtp_user would send its password in plain text; set smtp_security")
        return self


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
    tls: TlsSettings = TlsSettings()
    assembly: AssemblySettings = AssemblySettings()
    lesions: LesionSettings = LesionSettings()
    queue: QueueSettings = QueueSettings()
    ledger: LedgerSettings = LedgerSettings()
    imaging: ImagingSettings = ImagingSettings()
    extraction: ExtractionConfig = ExtractionConfig()
    scoring: ScoringSettings = ScoringSettings()
    maps: MapSettings = MapSettings()
    outputs: OutputSettings = OutputSettings()
    page: PageConfig = PageConfig()
    response: ResponseSettings = ResponseSettings()
    tasks: TaskSettings = TaskSettings()
    delivery: DeliverySettings = DeliverySettings()
    web: WebSettings = WebSettings()
    prefetch: PrefetchSettings = PrefetchSettings()
    priors: PriorSettings = PriorSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    audit: AuditSettings = AuditSettings()
    alerts: AlertSettings = AlertSettings()
    retain: RetainSettings = RetainSettings()
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
    def _tls_has_its_files(self) -> "Settings":
        wanted = ["receive.tls"] if self.receive.tls else []
        wanted += [f"tls of peer {peer.name}" for peer in self.peers if peer.tls]
        wanted += ["audit.repository"] if self.audit.repository.startswith("tls:") else []
        keys = ("certificate_file", "key_file", "authorities_file")
        missing = [f"tls.{key}" for key in keys if getattr(self.tls, key) is None]
        if wanted and missing:
            raise ValueError(f"{', '.join(wanted)} needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _peers_fit(self) -> "Settings":
        problems = _peer_problems([peer.name for peer in self.peers], self.delivery.destinations)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _priors_can_be_asked_for(self) -> "Settings":
        queried = [peer.name for peer in self.peers if peer.query]
        strangers = [name for name in self.priors.peers if name not in queried]
        if strangers:
            raise ValueError(f"priors.peers names {', '.join(strangers)}, which is no peer with query = true")
        if self.priors.fetch and not queried:
            raise ValueError("priors.fetch needs a peer with query = true")
        if self.priors.fetch and "sr-response" not in self.outputs.kinds:
            raise ValueError("priors.fetch needs sr-response among outputs.kinds")
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
