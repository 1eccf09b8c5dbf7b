"""Prices of hours: what room for one more mail in an hour is worth.

Here: the Lagrangian bound when every mail must go out in one of its hours. A first approach lets each mail take every hour a
little (a softmax), where the bound is smooth and Newton's method is quick; cutting planes end it exactly. Not here: who gets
which hour (hours).

Source: Nesterov 2005, "Smooth minimization of non-smooth functions".
"""

from __future__ import annotations

import numpy as np

from models.features import FloatArray
from models.policy.prices import Choice, Prices, lowest_bound

_GROUPS = 32
_TEMPERATURES = (0.5, 0.15, 0.05, 0.015, 0.005)  # of the mean worth
_STEPS = 8
_RIDGE = 1e-9
_SUFFICIENT = 1e-4


def hour_prices(worth: FloatArray, most: FloatArray, *, tolerance: float, max_choices: int = 60) -> Prices:
    """Prices at which what each mail likes best comes nearest to what the hours take.

    Args:
        worth: mails x hours, -inf where a mail may not go out; there is room for all mails in hours they may use.
        most: capacity of each hour.
        tolerance: of the bound.
        max_choices: most passes over all mails by cutting planes.
    """
    n, n_hours = worth.shape
    start = np.zeros(n_hours)
    if not n:
        return Prices(start, 0.0, 0)
    scale = max(float(np.where(np.isfinite(worth), worth, 0.0).max(axis=1).mean()), np.finfo(np.float64).tiny)
    liked = np.bincount(worth.argmax(axis=1), minlength=n_hours)
    if (liked <= most).all():
        return Prices(start, float(worth.max(axis=1).sum()), 1)
    for temperature in _TEMPERATURES:
        start = _smooth_prices(worth, most, start, temperature * scale)
    box = np.full(n_hours, _TEMPERATURES[-1] * scale)
    return lowest_bound(
        _choice(worth), most, start, box, may_be_none=False, tolerance=tolerance, max_choices=max_choices
    )


def _smooth_prices(worth: FloatArray, most: FloatArray, prices: FloatArray, temperature: float) -> FloatArray:
    """A few of Newton's steps down the smoothed bound, kept at 0 or more.

    There is room for all mails, so that lowering all prices alike never raises the bound: the lowest price is 0.
    """
    bound, slope, curve = _smooth_bound(worth, most, prices, temperature)
    for _ in range(_STEPS):
        is_free = (prices > 0) | (slope < 0)
        step = np.zeros(len(prices))
        inner = curve[np.ix_(is_free, is_free)]
        ridge = _RIDGE * max(float(np.trace(curve)), np.finfo(np.float64).tiny)
        step[is_free] = np.linalg.lstsq(inner + ridge * np.eye(len(inner)), -slope[is_free], rcond=None)[0]
        length = 1.0
        while length > _SUFFICIENT:
            trial = np.maximum(prices + length * step, 0.0)
            trial -= trial.min()
            found = _smooth_bound(worth, most, trial, temperature)
            if found[0] < bound:
                break
            length *= 0.25
        else:
            return prices
        gain = bound - found[0]
        prices, (bound, slope, curve) = trial, found
        if gain < _SUFFICIENT * temperature * len(worth):
            break
    return prices


def _smooth_bound(
    worth: FloatArray, most: FloatArray, prices: FloatArray, temperature: float
) -> tuple[float, FloatArray, FloatArray]:
    """The bound with each mail's best surplus replaced by temperature x log sum exp, its gradient and Hessian."""
    surplus = (worth - prices) / temperature
    top = surplus.max(axis=1, keepdims=True)
    share = np.exp(surplus - top)
    total = share.sum(axis=1, keepdims=True)
    share /= total
    use = share.sum(axis=0)
    bound = float(most @ prices + temperature * (top + np.log(total)).sum())
    # Not by BLAS, whose threads cost more than they save on so narrow a matrix, and round in an order of their own.
    together = np.einsum("ij,ik->jk", share, share)
    return bound, most - use, (np.diag(use) - together) / temperature


def _choice(worth: FloatArray) -> Choice:
    """What the mails, in groups, take at given prices."""
    n, n_hours = worth.shape
    n_groups = min(n, _GROUPS)
    group = np.arange(n) * n_groups // n

    def choose(prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        hour = (worth - prices).argmax(axis=1)
        value = np.bincount(group, weights=worth[np.arange(n), hour], minlength=n_groups)
        use = np.bincount(group * n_hours + hour, minlength=n_groups * n_hours).reshape(n_groups, n_hours)
        return value.astype(np.float64), use.astype(np.float64)

    return choose
