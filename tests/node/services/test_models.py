"""Which model scores: real folders and a real record, with a clock of our own."""

import shutil
from pathlib import Path

import pytest

from node.adapters.model_folder import read_folder, write_folder
from node.adapters.model_record import ModelRecord
from node.services.models import Models
from pipelines.domain.reasons import Rejected
from pipelines.scoring.facts import ModelFacts
from pipelines.scoring.keys import new_key
from pipelines.scoring.lifecycle import ModelState, Recorded
from pipelines.scoring.package import Package
from tests.models import FEATURES, SETTINGS, facts, signed_package, trust
from tests.node.doubles import SetClock

KEY = new_key()
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(ModelRecord(tmp_path / "data"), read_folder, [trust(KEY)], SetClock())


def folder(tmp_path: Path, of: ModelFacts | None = None) -> Path:
    chosen = facts() if of is None else of
    made = tmp_path / f"{chosen.version}-{len(chosen.intended_use)}"
    if not made.exists():
        write_folder(made, signed_package(chosen, KEY))
    return made


def activated(models: Models, path: Path, *, reinstate: bool = False) -> Package | Rejected:
    return models.activate(path, settings_sha256=SETTINGS, available=NAMES, reinstate=reinstate)


def code(outcome: object) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def test_without_an_activation_no_model_is_active(models: Models) -> None:
    assert code(models.active()) == "MODEL-009"


def test_an_activated_model_stays_what_it_was_when_its_folder_is_gone(models: Models, tmp_path: Path) -> None:
    package = activated(models, folder(tmp_path))
    assert isinstance(package, Package)
    shutil.rmtree(folder(tmp_path))
    assert models.active() == package


def test_the_copy_of_an_active_model_is_verified_at_each_look(models: Models, tmp_path: Path) -> None:
    assert isinstance(activated(models, folder(tmp_path)), Package)
    (kept,) = (tmp_path / "data" / "packages").iterdir()
    model = kept / "model.json"
    model.write_bytes(model.read_bytes().replace(b'"intercept":0.1', b'"intercept":0.2'))
    assert code(models.active()) == "MODEL-001"
    # activating it again mends the copy
    assert isinstance(activated(models, folder(tmp_path)), Package)
    assert isinstance(models.active(), Package)


def test_a_model_that_does_not_fit_the_node_is_not_activated(models: Models, tmp_path: Path) -> None:
    path = folder(tmp_path)
    assert code(models.activate(path, settings_sha256="b" * 64, available=NAMES)) == "MODEL-003"
    assert code(models.activate(path, settings_sha256=SETTINGS, available=NAMES[:1])) == "MODEL-002"
    assert code(models.active()) == "MODEL-009"


def test_a_retired_model_is_refused_wherever_it_lies_and_can_be_reinstated(models: Models, tmp_path: Path) -> None:
    path = folder(tmp_path)
    activated(models, path)
    event = models.retire("signature", "2.1", reason="another scanner")
    assert isinstance(event, Recorded)
    assert code(models.active()) == "MODEL-009"
    assert code(models.verify(path)) == "MODEL-008"
    assert code(activated(models, path)) == "MODEL-008"
    assert isinstance(activated(models, path, reinstate=True), Package)
    assert isinstance(models.active(), Package)


def test_retiring_twice_keeps_the_first_reason(models: Models, tmp_path: Path) -> None:
    activated(models, folder(tmp_path))
    first = models.retire("signature", "2.1", reason="first")
    assert models.retire("signature", "2.1", reason="second") == first


def test_a_model_can_be_retired_that_was_never_activated_here(models: Models, tmp_path: Path) -> None:
    models.retire("signature", "2.1", reason="recalled")
    assert code(models.verify(folder(tmp_path))) == "MODEL-008"


def test_another_package_of_a_known_name_and_version_is_refused(models: Models, tmp_path: Path) -> None:
    activated(models, folder(tmp_path))
    other = folder(tmp_path, facts(intended_use="Something else"))
    assert code(models.verify(other)) == "MODEL-018"
    assert code(activated(models, other)) == "MODEL-018"


def test_the_register_keeps_the_models_that_were_replaced(models: Models, tmp_path: Path) -> None:
    activated(models, folder(tmp_path))
    activated(models, folder(tmp_path, facts(version="2.2")))
    known = models.register()
    assert not isinstance(known, Rejected)
    assert [(one.last.version, one.state) for one in known.models] == [
        ("2.1", ModelState.REPLACED),
        ("2.2", ModelState.ACTIVE),
    ]


def test_with_a_damaged_record_no_model_scores(models: Models, tmp_path: Path) -> None:
    path = folder(tmp_path)
    activated(models, path)
    (tmp_path / "data" / "events.jsonl").write_text("damaged\n")
    for outcome in (models.active(), models.verify(path), activated(models, path), models.retire("a", "1", reason="")):
        assert code(outcome) == "MODEL-019"
