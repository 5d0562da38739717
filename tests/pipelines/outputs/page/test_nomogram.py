import json
import math
from pathlib import Path

import pytest

from pipelines.outputs.page.nomogram import Nomogram, nomogram


@pytest.mark.parametrize("signature", [0.0, 1.0, -4.99, 5.0, 37.2, -1234.5])
def test_every_signature_has_a_place_on_the_axes(signature: float) -> None:
    made = nomogram(signature)
    assert 0 <= made.points(signature) <= 100
    assert 2 <= len(made.signatures) <= 11


def test_half_the_points_are_a_probability_of_one_half() -> None:
    assert dict(nomogram(1.0).probabilities)[0.5] == pytest.approx(50)


def test_the_probability_above_a_signature_is_its_own() -> None:
    made = nomogram(0.0)
    for probability, points in made.probabilities:
        assert made.points(math.log(probability / (1 - probability))) == pytest.approx(points)


def test_the_points_of_the_strongest_predictor_are_those_of_rms(shared_data: Path) -> None:
    # R package rms 6.x, nomogram() of a logistic model: the strongest predictor takes 0 to 100 points
    axis = json.loads((shared_data.parent / "oracles/nomogram_aSAH.json").read_text())["axes"]["s100b"]
    own = Nomogram(axis["Xbeta"][0], axis["Xbeta"][-1])
    assert [own.points(lp) for lp in axis["Xbeta"]] == pytest.approx(axis["points"], abs=1e-9)


@pytest.mark.parametrize("training", [(-2.80253, 2.69657), (-0.004, 0.003), (3.0, 4000.0)])
def test_the_axes_span_the_training_data_where_it_is_known(training: tuple[float, float]) -> None:
    made = nomogram(training[0], training)
    assert (made.low, made.high) == training
    assert made.points(training[1]) == pytest.approx(100)
    assert 2 <= len(made.signatures) <= 11
    assert all(0 <= points <= 100 for _, points in made.probabilities)


def test_a_signature_beyond_the_training_data_stretches_the_axes_as_far_as_it_needs() -> None:
    made = nomogram(7.5, (-2.0, 3.0))
    assert (made.low, made.high, made.points(7.5)) == (-2.0, 7.5, 100)
    made = nomogram(-7.5, (-2.0, 3.0))
    assert (made.low, made.high, made.points(-7.5)) == (-7.5, 3.0, 0)


def test_training_data_of_one_score_gives_the_usual_axes() -> None:
    assert nomogram(1.0, (0.5, 0.5)) == nomogram(1.0)
