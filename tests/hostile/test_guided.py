"""The search by coverage finds a fault that chance does not, and finds none in our readers within a second of each."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.hostile.guided.campaign import Effort, Outcome, again, prepare, search
from tests.hostile.guided.catalogue import PLANTED, TARGETS
from tests.hostile.guided.elements import changed
from tests.hostile.guided.planted import PlantedFault
from tests.hostile.guided.seeds import seeds_of
from tests.hostile.mutations import mutated

_MOST_S = 60
_PLANTED_RUNS = 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    made = tmp_path_factory.mktemp("guided")
    prepare(made)
    return made


@pytest.fixture(scope="module")
def searches(folder: Path) -> Iterator[dict[str, Future[Outcome]]]:
    """All readers, as many at a time as there are cores."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        yield {
            name: pool.submit(search, target, folder, Effort(_MOST_S, target.quick_runs), seed=20)
            for name, target in TARGETS.items()
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_found_that_a_reader_does_not_answer(name: str, searches: dict[str, Future[Outcome]]) -> None:
    outcome = searches[name].result()
    told = [file.with_suffix(".txt").read_text("utf-8") for file in outcome.findings if file.suffix == ".bin"]
    assert not outcome.findings, "\n".join(told) or outcome.findings
    assert outcome.executions >= min(TARGETS[name].quick_runs, 20)
    # a reader whose modules are not instrumented is searched blindly
    assert outcome.coverage > 10


def test_a_fault_behind_two_comparisons_is_found_and_made_small(folder: Path) -> None:
    # it ends after so many runs, however long they take
    outcome = search(PLANTED, folder, Effort(3 * _MOST_S, _PLANTED_RUNS), seed=3)
    (found,) = outcome.findings
    assert "PlantedFault" in found.with_suffix(".txt").read_text("utf-8")
    assert found.stat().st_size == 8
    assert "PlantedFault" in again(PLANTED, folder, found)
    assert again(PLANTED, folder, folder / "words") == ""


def test_chance_alone_does_not_find_that_fault(tmp_path: Path) -> None:
    read = PLANTED.load(tmp_path, tmp_path)
    dice = random.Random(3)
    (seed,) = seeds_of(PLANTED.name)
    for _ in range(_PLANTED_RUNS):
        read(mutated(seed, dice))
    with pytest.raises(PlantedFault):
        read(bytes.fromhex("8a511f7a 5eed1e57"))


def test_elements_are_changed_so_that_the_file_stays_well_formed() -> None:
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.header import parse_ref

    dice = random.Random(1)
    (data, *_) = seeds_of("segmentation")
    made = [changed(data, dice) for _ in range(200)]
    assert len({one for one in made if one is not None}) > 150
    # some lack a UID that they need, and are refused for that
    taken = [one for one in made if one is not None and not isinstance(parse_ref(one), Rejected)]
    assert len(taken) > 120
