"""How a Rad-signature is trained and tested: all choices in one value, and the two that are packaged."""

from dataclasses import dataclass
from typing import Final, Literal

from pipelines.training.glmnet import DEFAULT_THRESHOLD
from pipelines.training.lasso_cv import Measure, Rule
from pipelines.training.selection import UnivariateTest

Coefficients = Literal["logistic", "lasso"]
CutOffRule = Literal["training", "inner-folds"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """From feature values to a linear predictor.

    Attributes
    ----------
    test, most_p
        Univariate test that ranks features, and the p above which one is left out (1: none is).
    most_correlation
        Absolute Pearson correlation from which on the feature with the higher p is left out.
    penalties, folds, measure, rule
        How the penalty of the lasso is chosen, among how many.
    threshold
        Where the lasso's path stops short of the optimum: glmnet's `thresh`, for what R would have found. None for the
        optimum.
    coefficients
        "logistic" fits the features that the lasso kept again without penalty (by Firth's method where they separate
        the classes), "lasso" keeps its shrunken coefficients.
    cut_off
        Youden's index is looked for in the probabilities of the "training" cases as fitted, or of "inner-folds": each
        training case by a fit to the others.
    """

    test: UnivariateTest = "mann-whitney"
    most_p: float = 1.0
    most_correlation: float = 0.85
    penalties: int = 100
    folds: int = 10
    measure: Measure = "deviance"
    rule: Rule = "min"
    threshold: float | None = None
    coefficients: Coefficients = "lasso"
    cut_off: CutOffRule = "inner-folds"


@dataclass(frozen=True, slots=True)
class Validation:
    """What is computed to judge the recipe; 0 leaves a part out.

    Attributes
    ----------
    hold_out
        Share of the cases that is set apart at random and has no part in training.
    stratified
        Whether that share has as many of the positive class as the others.
    outer_folds, outer_repeats
        Of the nested cross-validation.
    bootstraps
        Samples for the optimism.
    permutations
        Draws of shuffled labels.
    subsamples
        Random four fifths of the cases in which the selection is repeated.
    """

    hold_out: float = 0.0
    stratified: bool = True
    outer_folds: int = 0
    outer_repeats: int = 0
    bootstraps: int = 0
    permutations: int = 0
    subsamples: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """A recipe with its validation."""

    name: str
    recipe: Recipe
    validation: Validation


PROFILES: Final[dict[str, Profile]] = {
    # everything is judged on cases that had no part in any choice
    "recommended": Profile(
        "recommended",
        Recipe(),
        Validation(outer_folds=5, outer_repeats=5, bootstraps=100, permutations=100, subsamples=100),
    ),
    # Dong & Chen 2025: 98 of 141 patients drawn at random, one selection, a logistic regression on what is left
    "seed-a": Profile(
        "seed-a",
        Recipe(threshold=DEFAULT_THRESHOLD, coefficients="logistic", cut_off="training"),
        Validation(hold_out=43 / 141, stratified=False, subsamples=100),
    ),
}
