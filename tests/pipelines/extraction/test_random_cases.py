import numpy as np
import pytest

from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.extraction import fast, oracle
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.settings import load_profile
from tests.random_cases import BUILDERS, NUMBER, random_case

# PyRadiomics averages over no direction at all where no voxels of a lesion touch
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:radiomics.*", "ignore::RuntimeWarning:numpy.*")


def alike(name: str, found: float, wanted: float) -> bool:
    # where the shade is zero in arithmetic, PyRadiomics' 1e-17 depends on the vector instructions that NumPy picks
    noise = 1e-15 if name.endswith("ClusterShade") else 0.0
    return bool(found == pytest.approx(wanted, rel=1e-9, abs=noise, nan_ok=True))


def compared(number: int, profile: str) -> int:
    """Compare all features of all lesions of a case; how many lesions were left to PyRadiomics.

    Only those of a turned CT and of double-precision values may be: rounding that no other program can foresee.
    """
    case, settings = random_case(number), load_profile(profile)
    left = 0
    for lesion in case.lesions:
        found = fast.extract(case.ct, lesion, settings)
        wanted = oracle.extract(case.ct, lesion, settings)
        if isinstance(wanted, Rejected):
            assert isinstance(found, Unsupported)
            left += 1
            continue
        if isinstance(found, Unsupported):
            direction = np.array(case.ct.grid.direction).reshape(3, 3)
            turned = bool(np.any(direction - np.diag(np.diag(direction))))
            assert turned or case.kind == "float64", f"{case.kind}: {found.reason}"
            left += 1
            continue
        assert isinstance(found, FeatureVector)
        assert len(found) == 1218
        pairs = zip(found.names, found.values.tolist(), wanted.values.tolist(), strict=True)
        assert [pair for pair in pairs if not alike(*pair)] == []
    return left


@pytest.mark.parametrize("number", range(len(BUILDERS)), ids=list(BUILDERS))
def test_a_random_case_of_each_kind_equals_pyradiomics(number: int) -> None:
    compared(number, ("recommended", "seed-a")[number % 2])


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["recommended", "seed-a"])
@pytest.mark.parametrize("number", range(NUMBER))
def test_a_random_case_equals_pyradiomics(number: int, profile: str) -> None:
    compared(number, profile)


def test_the_same_number_is_the_same_case_and_no_two_are_alike() -> None:
    once, again, next_turn = random_case(3), random_case(3), random_case(3 + len(BUILDERS))
    assert once.kind == again.kind == next_turn.kind
    assert np.array_equal(once.ct.hu, again.ct.hu)
    assert not np.array_equal(once.ct.hu, next_turn.ct.hu)


def test_the_fast_engine_computes_nearly_all_random_cases_itself() -> None:
    # PyRadiomics would make a test of equality pass by itself
    settings = load_profile("recommended")
    outcomes = [
        fast.extract(case.ct, lesion, settings)
        for case in map(random_case, range(len(BUILDERS) * 2))
        for lesion in case.lesions
    ]
    assert sum(isinstance(outcome, FeatureVector) for outcome in outcomes) > 0.8 * len(outcomes)
