import threading

import numpy as np
import pytest

from node.adapters.threads import mapper
from pipelines.domain.features import FeatureVector
from pipelines.extraction import fast, fast_maps
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS


def test_two_threads_give_the_same_numbers_to_the_last_bit() -> None:
    settings = load_profile("recommended")
    for kind in ("plain", "anisotropic", "one slice"):
        drawn = KINDS[kind](np.random.default_rng(1))
        alone = fast.extract(drawn.ct, drawn.lesion, settings)
        together = fast.extract(drawn.ct, drawn.lesion, settings, mapper=mapper(3))
        assert isinstance(alone, FeatureVector)
        assert isinstance(together, FeatureVector)
        assert alone.values.tobytes() == together.values.tobytes()


def test_maps_in_threads_are_those_of_one_thread_to_the_last_bit() -> None:
    settings = load_profile("recommended")
    names = [f"original_{name}" for name in ("firstorder_Median", "glcm_Imc1", "glcm_JointAverage", "glrlm_RunEntropy")]
    drawn = KINDS["border"](np.random.default_rng(1))
    assert drawn.lesion.mask.count > fast_maps.JOB_VOXELS, "a lesion of a single job shows nothing"
    alone = fast_maps.voxel_values(drawn.ct, drawn.lesion, names, settings)
    together = fast_maps.voxel_values(drawn.ct, drawn.lesion, names, settings, mapper=mapper(3))
    assert isinstance(alone, dict)
    assert isinstance(together, dict)
    assert [alone[name].tobytes() for name in names] == [together[name].tobytes() for name in names]


def test_jobs_run_at_the_same_time_and_results_come_in_their_order() -> None:
    both = threading.Barrier(2, timeout=120)

    def job(number: float) -> dict[str, float]:
        both.wait()
        return {"number": number}

    found = mapper(2)(lambda work: work(), [lambda: job(1.0), lambda: job(2.0)])
    assert list(found) == [{"number": 1.0}, {"number": 2.0}]


def test_one_thread_is_the_thread_of_the_caller() -> None:
    seen: list[int] = []

    def job() -> Unsupported:
        seen.append(threading.get_ident())
        return Unsupported("nothing")

    assert list(mapper(1)(lambda work: work(), [job])) == [Unsupported("nothing")]
    assert seen == [threading.get_ident()]


def test_a_fault_in_a_thread_reaches_the_caller() -> None:
    def job() -> Unsupported:
        raise MemoryError("not enough")

    with pytest.raises(MemoryError, match="not enough"):
        mapper(2)(lambda work: work(), [job])
