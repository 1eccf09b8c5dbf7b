"""Gamma-Gamma: what a customer spends per order, from what he and all others have spent.

Here: the model. Not here: how many orders to expect (`btyd`, `pareto_nbd`).

Source: Fader, Hardie, Lee (2005), "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of
Marketing Research 42(4). Each order is gamma(p, v) around the customer's own mean, v is gamma(q, gamma) over customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import digamma, gammaln

from models.features import FloatArray
from models.model import NotFittedError
from models.penalised import Objective, Prior, climb_from

# The published fit to the CDNOW sample (p, q - 1, gamma over the mean spend of an order).
MEDIANS = (6.25, 2.74, 15.45 / 35.24)
LOG_SD = (1.5, 1.0, 1.5)
STARTS = ((0.0, 0.0, 0.0), (-1.5, 0.5, 1.5), (0.5, -1.0, -1.0))


@dataclass(frozen=True)
class GammaGammaParams:
    """How strongly the prior holds: 1 is as strong as stated, 0 is plain maximum likelihood."""

    prior_weight: float = 1.0


class GammaGamma:
    """Gamma-Gamma by penalised maximum likelihood: p, q (above 1), gamma (in the currency).

    `fit(orders, mean_spend)`: number of orders and their mean spend per customer; only positive ones teach. Without any
    customer the expected spend is 0.
    """

    name = "gamma_gamma"

    def __init__(self, params: GammaGammaParams | None = None) -> None:
        self.params = params or GammaGammaParams()
        self.converged = False
        self._fitted: tuple[float, float, float] | None = None

    def fit(self, orders: FloatArray, mean_spend: FloatArray) -> Self:
        """Fit to one entry per customer."""
        known = (orders > 0) & (mean_spend > 0)
        n, mean = orders[known], mean_spend[known]
        if not len(n):
            self._fitted, self.converged = (MEDIANS[0], 1.0 + MEDIANS[1], 0.0), True
            return self
        unit = float((n * mean).sum() / n.sum())
        centre = np.log(MEDIANS)
        prior = Prior(centre, np.array(LOG_SD), self.params.prior_weight / len(n))
        best = climb_from(
            [centre + np.array(start) for start in STARTS], _log_likelihood(n, mean / unit), prior, 1e-12
        )
        p, beyond, gamma = np.exp(best.log_params)
        self._fitted, self.converged = (float(p), 1.0 + float(beyond), float(gamma) * unit), best.converged
        return self

    @property
    def fitted(self) -> tuple[float, float, float]:
        """p, q, gamma."""
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted

    @property
    def population_mean(self) -> float:
        """Expected spend of an order of a customer of whom nothing is known."""
        p, q, gamma = self.fitted
        return gamma * p / (q - 1.0)

    @property
    def prior_orders(self) -> float:
        """How many orders of his own the population's mean is worth."""
        p, q, _ = self.fitted
        return (q - 1.0) / p

    def expected_spend(self, orders: FloatArray, mean_spend: FloatArray) -> FloatArray:
        """Expected spend of the next order: between the customer's own mean and the population's (equation 5)."""
        prior = self.prior_orders
        expected: FloatArray = (orders * mean_spend + prior * self.population_mean) / (orders + prior)
        return expected


def _log_likelihood(n: FloatArray, mean: FloatArray) -> Objective:
    """Equation 1a of Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value", by p, q - 1, gamma."""
    log_mean, total = np.log(mean), n * mean

    def objective(log_params: FloatArray) -> tuple[float, FloatArray]:
        p, beyond, gamma = np.exp(log_params)
        q = 1.0 + beyond
        shape = p * n
        log_sum = np.log(gamma + total)
        value = (
            gammaln(shape + q)
            - gammaln(shape)
            - gammaln(q)
            + q * np.log(gamma)
            + (shape - 1.0) * log_mean
            + shape * np.log(n)
            - (shape + q) * log_sum
        )
        gradient = np.array(
            [
                np.mean(n * (digamma(shape + q) - digamma(shape) + log_mean + np.log(n) - log_sum)),
                np.mean(digamma(shape + q) - digamma(q) + np.log(gamma) - log_sum),
                np.mean(q / gamma - (shape + q) / (gamma + total)),
            ]
        )
        return float(np.mean(value)), gradient * np.array([p, beyond, gamma])

    return objective
