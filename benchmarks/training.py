"""Times training on a cohort of 141 patients and 1,218 features, beside R's glmnet on the same folds.

Run `python -m benchmarks.training`. R (Debian packages r-base-core, r-cran-glmnet) is compared where it is installed.
CPU seconds of one process are told: they depend little on what else runs.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from pipelines.phantom.immunotherapy_cohort import synthetic_cohort
from pipelines.training.glmnet import DEFAULT_THRESHOLD
from pipelines.training.lasso_cv import LassoCv, cv_lasso
from pipelines.training.profiles import PROFILES
from pipelines.training.signature import fitted, folds_of
from pipelines.training.validation import Data, Task, nested_tasks, perform

_R: Final = """
suppressMessages(library(glmnet))
d <- as.matrix(read.csv("values.csv", header = FALSE)); y <- scan("outcome.csv", quiet = TRUE)
f <- scan("fold.csv", quiet = TRUE); l <- scan("lambda.csv", quiet = TRUE)
run <- function(...) cv.glmnet(d, y, family = "binomial", foldid = f, lambda = l, ...)
usual <- system.time(g <- run())
sharp <- system.time(h <- run(thresh = 1e-14, maxit = 1e7))
s <- apply(d, 2, function(x) sqrt(mean((x - mean(x))^2)))
at <- function(m) paste(sprintf("%.12g", as.numeric(coef(m, s = "lambda.min"))[-1] * s), collapse = ",")
cat(sprintf('{"usual": %.4f, "sharp": %.4f, "min": %.12g, "se": %.12g, "version": "%s", "beta": [%s], "stopped": [%s]}',
  usual[1] + usual[2], sharp[1] + sharp[2], h$lambda.min, h$lambda.1se, packageVersion("glmnet"),
  at(h), at(g)))
"""


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description="Time the training of a signature.")
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    drawn = synthetic_cohort(seed)
    positive = np.array([response in ("CR", "PR") for response in drawn.clinical["response"]])
    data = Data(drawn.values, positive)
    profile = PROFILES["recommended"]
    plan = profile.validation
    outer = nested_tasks(positive, folds=plan.outer_folds, repeats=1, seed=seed)
    one_fold, _ = timed(lambda: [perform(data, profile.recipe, task) for task in outer])
    rows = np.arange(len(positive))
    one_fit, _ = timed(lambda: perform(data, profile.recipe, Task(rows, rows, seed)))
    at_penalty, _ = timed(lambda: perform(data, profile.recipe, Task(rows, rows, seed, penalty=0.05)))
    fits = plan.bootstraps + (1 + plan.permutations) * plan.outer_folds
    whole = plan.outer_repeats * one_fold + fits * one_fit + plan.subsamples * at_penalty
    print(f"one fit of the recipe, 1,218 features:            {one_fit:7.2f} CPU s")
    print(f"one repeat of the nested cross-validation:        {one_fold:7.2f} CPU s")
    print(f"profile recommended, {fits + 25 + 100} fits, extrapolated:     {whole / 60:7.1f} CPU min")
    compare(data, seed)


def compare(data: Data, seed: int) -> None:
    """The lasso alone, on the features that reach it, here and in R."""
    recipe = PROFILES["recommended"].recipe
    pipeline = fitted(data.values, data.positive, recipe, seed=seed)
    candidates = pipeline[:-1].transform(data.values)
    outcome, fold = data.positive.astype(float), folds_of(data.positive, recipe.folds, seed=seed)
    with threadpool_limits(1):
        seconds, ours = timed(
            lambda: cv_lasso(candidates, outcome, fold, family="binomial", measure="deviance", most_deviance=None)
        )
        stopping, stopped = timed(
            lambda: cv_lasso(
                candidates,
                outcome,
                fold,
                family="binomial",
                measure="deviance",
                most_deviance=None,
                threshold=DEFAULT_THRESHOLD,
            )
        )
    print(f"ten-fold lasso, 100 penalties, {candidates.shape[1]} candidates:    {seconds:7.2f} CPU s")
    print(f"  the same, where glmnet stops (profile seed-a):  {stopping:7.2f} CPU s")
    program = shutil.which("Rscript")
    if program is None:
        print("R is not installed (r-base-core, r-cran-glmnet): not compared.")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = glmnet(program, Path(folder), candidates, outcome, fold, ours)
    print(f"  R glmnet {found['version']}, as it comes:                   {found['usual']:7.2f} CPU s")
    print(f"  R glmnet {found['version']}, as sharp (thresh 1e-14):       {found['sharp']:7.2f} CPU s")
    same = np.isclose([found["min"], found["se"]], [ours.lambda_min, ours.lambda_1se], rtol=1e-9).all()
    apart = np.abs(np.array(found["beta"]) - ours.path.standardised[ours.index_min]).max()
    at_stop = np.abs(np.array(found["stopped"]) - stopped.path.standardised[ours.index_min]).max()
    print(
        f"  same lambda.min and lambda.1se: {'yes' if same else 'NO'}; largest difference of a coefficient {apart:.1e} "
        f"(thresh 1e-14), {at_stop:.1e} (as it comes)"
    )


def glmnet(program: str, folder: Path, values: Any, outcome: Any, fold: Any, ours: LassoCv) -> dict[str, Any]:
    """What R finds in the same folds, at the same penalties."""
    np.savetxt(folder / "values.csv", values, delimiter=",", fmt="%.17g")
    np.savetxt(folder / "outcome.csv", outcome, fmt="%d")
    np.savetxt(folder / "fold.csv", fold + 1, fmt="%d")
    np.savetxt(folder / "lambda.csv", ours.path.lambdas, fmt="%.17g")
    done = subprocess.run([program, "-e", _R], cwd=folder, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the second of two calls, and its result."""
    work()
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
