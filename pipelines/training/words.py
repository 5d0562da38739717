"""What was done, in sentences: for the model, its card and the report."""

from pipelines.training.study import Study

_TESTS = {
    "mann-whitney": "Mann-Whitney U test (normal approximation)",
    "welch": "Welch's t test",
    "student": "Student's t test",
}


def selection(study: Study) -> str:
    """How the features were chosen."""
    recipe = study.profile.recipe
    reliable = "" if study.reliable is None else f"{study.reliable} features of a list of reliable ones; "
    p = "" if recipe.most_p >= 1 else f"p <= {recipe.most_p:g} in that test; "
    rule = "of the least error" if recipe.rule == "min" else "of one standard error above the least error"
    return (
        f"{reliable}features without spread or value left out; {p}of features with an absolute Pearson correlation of "
        f"{recipe.most_correlation:g} or more the one with the lower p kept ({_TESTS[recipe.test]}), which left "
        f"{len(study.trained.candidates)}; lasso (binomial, {study.folds}-fold cross-validation, {recipe.measure}), "
        f"penalty {rule}, lambda = {study.trained.penalty:.6g}, which left {len(study.selected)}."
    )


def estimator(study: Study) -> str:
    """How the coefficients were fitted."""
    return {
        "lasso": "Coefficients of the lasso itself, shrunken.",
        "logistic": "Logistic regression without penalty on the selected features.",
        "firth": "Logistic regression with Firth's penalty on the selected features, which separate the classes.",
    }[study.trained.estimator]


def cut_off_rule(study: Study) -> str:
    """How the cut-off was chosen."""
    if study.profile.recipe.cut_off == "training":
        return "Youden index on the training data"
    return f"Youden index on the training data, each case by a fit to the other {study.folds} folds"
