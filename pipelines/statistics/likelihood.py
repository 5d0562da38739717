"""Newton's method for the likelihood of a logistic model, plain or penalised as Firth proposes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special
from scipy.optimize import linprog

from pipelines.statistics.values import Flags, Floats

_STEPS: Final = 200
_TOLERANCE: Final = 1e-10
_KNOWN: Final = 1e-9


class NotConvergedError(ArithmeticError):
    """The likelihood has no maximum that could be reached; separated classes are the usual reason."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the likelihood is greatest.

    Attributes
    ----------
    coefficients
        One for each column of the design, shape (p,).
    log_likelihood
        With Firth's penalty where it was asked for.
    covariance
        Inverse of the Fisher information of all coefficients, shape (p, p).
    """

    coefficients: Floats
    log_likelihood: float
    covariance: Floats


def maximise(
    design: Floats,
    events: Flags,
    *,
    firth: bool,
    fixed: tuple[int, float] | None = None,
    start: Floats | None = None,
) -> Maximum:
    """Maximise the likelihood over all coefficients, or over all but one that is `fixed` at a value.

    Parameters
    ----------
    design
        Shape (n, p), the intercept's column of ones included.
    events
        Shape (n,).
    fixed
        Number of a column and the value that its coefficient keeps.
    start
        Where to begin, shape (p,); zero by default.

    Raises
    ------
    NotConvergedError
        If the coefficients grow without limit.

    References
    ----------
    Firth 1993, Biometrika 80:27; Heinze & Schemper 2002, whose package logistf keeps the penalty of the whole design
    while one coefficient is fixed.
    """
    # the units of the columns must not decide how well the equations can be solved
    scale = np.abs(design).max(axis=0)
    design, y = design / scale, events.astype(np.float64)
    coefficients = np.zeros(design.shape[1]) if start is None else start * scale
    free = np.ones(design.shape[1], dtype=np.bool_)
    if fixed is not None:
        free[fixed[0]] = False
        coefficients[fixed[0]] = fixed[1] * scale[fixed[0]]
    current = _state(design, y, coefficients, firth=firth)
    sure = float(np.linalg.eigvalsh(current[1])[0])
    for _ in range(_STEPS):
        log_likelihood, information, residual = current
        # separated classes pull a coefficient towards infinity, where nothing is known about it
        if not firth and fixed is None and np.linalg.eigvalsh(information)[0] < _KNOWN * sure:
            raise NotConvergedError("the coefficients grow without limit")
        score = (design.T @ residual)[free]
        try:
            step = np.linalg.solve(information[np.ix_(free, free)], score) if free.any() else score
        except np.linalg.LinAlgError as fault:
            raise NotConvergedError("the information of the model is singular") from fault
        if free.any() and abs(step).max() > 5:
            step = step * 5 / abs(step).max()
        # at the maximum the rounding of the likelihood must not look like a descent
        while True:
            trial = coefficients.copy()
            trial[free] += step
            following = _state(design, y, trial, firth=firth)
            if following[0] >= log_likelihood - 1e-9 * (1 + abs(log_likelihood)):
                break
            step = step / 2
        coefficients, current = trial, following
        # one more step than asked for: Newton's last step squares what is left of the error
        if not free.any() or abs(step).max() <= _TOLERANCE * (1 + abs(coefficients).max()):
            penalty_of_scale = float(np.log(scale).sum()) if firth else 0.0
            covariance = np.asarray(np.linalg.inv(current[1]) / np.outer(scale, scale), dtype=np.float64)
            return Maximum(coefficients / scale, current[0] + penalty_of_scale, covariance)
    raise NotConvergedError("the likelihood has no maximum within reach")


def separated(design: Floats, events: Flags) -> bool:
    """Whether some combination of the columns parts the classes, wholly or but for ties, so that no maximum exists.

    References
    ----------
    Albert & Anderson 1984; Konis 2007 for the linear programme.
    """
    scale = np.abs(design).max(axis=0)
    signed = np.where(events, 1.0, -1.0)[:, None] * design / np.where(scale > 0, scale, 1.0)
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), method="highs")
    return bool(found.status == 0 and -found.fun > 1e-7)


def _state(design: Floats, y: Floats, coefficients: Floats, *, firth: bool) -> tuple[float, Floats, Floats]:
    """Log-likelihood, information, and the residual whose product with the design is the score."""
    linear = design @ coefficients
    fitted = special.expit(linear)
    weights = fitted * special.expit(-linear)
    weighted = design * np.sqrt(weights)[:, None]
    information = weighted.T @ weighted
    log_likelihood = float((y * linear - np.logaddexp(0, linear)).sum())
    residual = y - fitted
    if firth:
        sign, log_determinant = np.linalg.slogdet(information)
        if sign <= 0 or not np.isfinite(log_determinant):
            raise NotConvergedError("the information of the model is singular")
        leverage = np.einsum("ij,ij->i", weighted @ np.linalg.inv(information), weighted)
        log_likelihood += float(log_determinant) / 2
        residual = residual + leverage * (0.5 - fitted)
    return log_likelihood, information, residual
