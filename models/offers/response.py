"""What each offer brings in orders and margin, for whom: learnt from randomised sends alone.

Here: the model, and the methods it competes with. Not here: the decision (`models.policy.offers`), the contest
(`models.lessons.offers`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from models.features import FloatArray
from models.model import NotFittedError, require
from models.offers import trials
from models.offers.evidence import evidence_slopes, mean_and_error, towards_zero
from models.offers.learners import Arms, TLearner, XLearner, cross_fitted_scores
from models.offers.regression import Constant, Linear, Logistic, Scale
from models.offers.trials import FEATURES, NO_OFFER, SENDS

NONE = "no offer"
UNKNOWN = "no effect known: no randomised send of this offer"
THIN = "average of randomised sends, shrunk to zero: evidence is thin"
AVERAGE = "average of randomised sends, the same for everyone"
OWN = "randomised sends, by customer"
SURE = 1.96


@dataclass(frozen=True)
class OfferParams:
    """When sends of an offer count, and how customers' economics are shrunk.

    min_sends: fewer randomised sends of an offer say nothing. shrinkage_orders: a customer's order value and margin count
    as if he had so many average orders beside his own. max_relative: no effect is more than so many times the average.
    """

    min_sends: int = 100
    shrinkage_orders: float = 3.0
    max_relative: float = 4.0


@dataclass(frozen=True)
class Level:
    """The average effect of one offer: orders per send, raw and shrunk, with the raw one's standard error."""

    effect: float
    error: float
    kept: float

    @property
    def shrunk(self) -> float:
        """The effect that is believed."""
        return self.effect * self.kept

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would hardly bring it about."""
        return abs(self.effect) >= SURE * self.error

    @property
    def deviation(self) -> float:
        """How far the true effect may lie from it: the standard deviation of a normal posterior."""
        return self.error * float(np.sqrt(self.kept))


@dataclass
class OfferModel(ABC):
    """What the methods share: average effects, redemption, economics, answers. Subclasses say how customers differ.

    `fit`: rows of `trials.with_features`: SENDS columns and FEATURES, one per randomised send. `predict`: one row per
    customer and offer asked about, with customer_id, FEATURES, offer_key, percent (off the order's value, 0..100) and
    fixed_cost (per order) -> customer_id, offer_key, uplift_order (change of the chance to order within the label's days, by
    one mail), uplift_margin (what these orders earn less what all who redeem are given), uplift_margin_error (standard error
    of the average effect in margin, after shrinking), is_proven (the offer's average effect is more than chance; true of no
    offer), sensitivity_rank (0..1, rank
    among the customers learnt from), basis.
    """

    params: OfferParams = field(default_factory=OfferParams)
    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]] = ("customer_id", "offer_key", "percent", "fixed_cost", *FEATURES)
    levels: dict[str, Level] = field(default_factory=dict)
    is_fitted: bool = False

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from randomised sends; frames without any are answered by 'no effect known'."""
        require(frame, (*SENDS, *FEATURES), self.name)
        self._average = trials.average_discount_share(frame)
        self._economics = _Economics(self.params.shrinkage_orders).fit(frame)
        matrix = trials.matrix_of(frame, self._average)
        self._scale = Scale().fit(matrix)
        scaled = self._scale(matrix)
        ordered = frame["is_ordered"].to_numpy().astype(np.float64)
        names = trials.levels(frame, self.params.min_sends)
        experiments = {name: trials.trial(frame, name, scaled, ordered) for name in names}
        scores = {name: cross_fitted_scores(arms, Logistic) for name, arms in experiments.items()}
        found = [mean_and_error(scores[name], experiments[name].group) for name in names]
        kept = towards_zero([mean for mean, _ in found], [error for _, error in found])
        self.levels = {
            name: Level(mean, error, float(share))
            for name, (mean, error), share in zip(names, found, kept, strict=True)
        }
        self._redeemed = _Redemption(names).fit(frame, scaled)
        self._learn(experiments, scores)
        share = trials.discount_share(frame, self._average)
        relative = self._relative_sensitivity(scaled, share)
        self._reference = np.quantile(relative, np.linspace(0, 1, 101)) if len(relative) else np.zeros(101)
        self.is_fitted = True
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Effects per row of `frame`, in its order."""
        require(frame, self.features, self.name)
        if not self.is_fitted:
            raise NotFittedError(self.name)
        key = frame["offer_key"].cast(pl.String).fill_null("").to_numpy().astype(str)
        scaled = self._scale(trials.matrix_of(frame, self._average))
        share = trials.discount_share(frame, self._average)
        effect, error = np.zeros(len(key)), np.zeros(len(key))
        is_proven = key == NO_OFFER
        for name, level in self.levels.items():
            rows = key == name
            effect[rows] = self._effects(name, scaled[rows], share[rows])
            error[rows] = level.deviation
            is_proven = is_proven | (rows & level.is_sure)
        value, margin = self._economics(frame)
        given = (
            frame["percent"].fill_null(0.0).to_numpy() / 100 * value
            + frame["fixed_cost"].fill_null(0.0).to_numpy()
        )
        relative = self._relative_sensitivity(scaled, share)
        rank = 0.5 * (
            np.searchsorted(self._reference, relative, "left")
            + np.searchsorted(self._reference, relative, "right")
        )
        return frame.select("customer_id", "offer_key").with_columns(
            uplift_order=pl.Series(effect),
            uplift_margin=pl.Series(effect * margin - self._redeemed(key, scaled) * given),
            uplift_margin_error=pl.Series(error * margin),
            is_proven=pl.Series(is_proven),
            sensitivity_rank=pl.Series(np.clip(rank / len(self._reference), 0.0, 1.0)),
            basis=pl.Series([self._basis(name) for name in key], dtype=pl.String),
        )

    @abstractmethod
    def _learn(self, experiments: dict[str, Arms], scores: dict[str, FloatArray]) -> None:
        """Learn how effects differ between customers, from each offer's rows and their doubly robust scores."""

    @abstractmethod
    def _effects(self, level: str, scaled: FloatArray, share: FloatArray) -> FloatArray:
        """Orders won per send; `share`: bought at a discount."""

    @property
    def _differs(self) -> bool:
        """Whether customers are told apart by what they did in the experiment."""
        return True

    def _relative_sensitivity(self, scaled: FloatArray, share: FloatArray) -> FloatArray:
        """What ranks customers: the mean effect of all offers; the share bought at a discount where no effect is known."""
        if not self._differs or not any(level.shrunk for level in self.levels.values()):
            return share
        effects = [self._effects(name, scaled, share) for name in self.levels]
        return np.asarray(np.mean(effects, axis=0), dtype=np.float64)

    def _limited(self, level: str, effect: FloatArray) -> FloatArray:
        """Effects between none and `max_relative` times the average, on the average's side of zero."""
        average = self.levels[level].shrunk
        farthest = self.params.max_relative * average
        return np.clip(effect, min(0.0, farthest), max(0.0, farthest))

    def _basis(self, key: str) -> str:
        if key == NO_OFFER:
            return NONE
        level = self.levels.get(key)
        if level is None:
            return UNKNOWN
        if not level.is_sure:
            return THIN
        return OWN if self._differs else AVERAGE


class PooledOffers(OfferModel):
    """Everyone answers like the average."""

    name: ClassVar[str] = "pooled"

    def _learn(self, experiments: dict[str, Arms], scores: dict[str, FloatArray]) -> None:
        pass

    def _effects(self, level: str, scaled: FloatArray, share: FloatArray) -> FloatArray:
        return np.full(len(scaled), self.levels[level].shrunk)

    @property
    def _differs(self) -> bool:
        return False


class DiscountShareOffers(OfferModel):
    """The rule of one column: who bought more of his purchases at a discount answers more, in proportion."""

    name: ClassVar[str] = "discount_share"

    def _learn(self, experiments: dict[str, Arms], scores: dict[str, FloatArray]) -> None:
        pass

    def _effects(self, level: str, scaled: FloatArray, share: FloatArray) -> FloatArray:
        relative = share / self._average if self._average > 0 else np.ones(len(share))
        return self._limited(level, self.levels[level].shrunk * relative)


class _PerOffer(OfferModel):
    """A learner of effects per offer; its deviations from the mean count as much as the mean does."""

    def _learn(self, experiments: dict[str, Arms], scores: dict[str, FloatArray]) -> None:
        self._learners = {name: self._learner().fit(arms) for name, arms in experiments.items()}
        self._means = {
            name: float(self._learners[name].effect(arms.matrix).mean()) for name, arms in experiments.items()
        }

    def _effects(self, level: str, scaled: FloatArray, share: FloatArray) -> FloatArray:
        deviation = self._learners[level].effect(scaled) - self._means[level]
        return np.asarray(self.levels[level].shrunk + self.levels[level].kept * deviation)

    @abstractmethod
    def _learner(self) -> Any:
        """A learner to fit."""


class TLearnerOffers(_PerOffer):
    """Chance of an order by logistic regression, per offer and without."""

    name: ClassVar[str] = "t_learner"

    def _learner(self) -> TLearner:
        return TLearner(partial(Logistic, 0.1))


class XLearnerOffers(_PerOffer):
    """Effects imputed from the other arm, ridge regression."""

    name: ClassVar[str] = "x_learner"

    def _learner(self) -> XLearner:
        return XLearner(partial(Logistic, 0.1), Linear)


class DRLearnerOffers(OfferModel):
    """Doubly robust scores of each offer, regressed under a prior that the evidence sets."""

    name: ClassVar[str] = "dr_learner"

    def _learn(self, experiments: dict[str, Arms], scores: dict[str, FloatArray]) -> None:
        self._slopes = {}
        for name, arms in experiments.items():
            noise = max(float(scores[name].std()), 1e-9)
            unit = max(abs(self.levels[name].shrunk), 1e-9)
            centred = (scores[name] - scores[name].mean()) / unit
            design = arms.matrix - arms.matrix.mean(axis=0)
            self._slopes[name] = unit * evidence_slopes(design, centred, np.full(len(centred), noise / unit))
        self._centre = {name: arms.matrix.mean(axis=0) for name, arms in experiments.items()}

    def _effects(self, level: str, scaled: FloatArray, share: FloatArray) -> FloatArray:
        deviation = (scaled - self._centre[level]) @ self._slopes[level]
        return self._limited(level, self.levels[level].shrunk + deviation)

    @property
    def _differs(self) -> bool:
        return any(slopes.any() for slopes in self._slopes.values())


class OfferResponse(OfferModel):
    """One sensitivity per customer for all offers: effect = the offer's average x (1 + slopes x features).

    The slopes are learnt from the doubly robust scores of all offers at once, each offer in units of its own average effect,
    under a prior whose size the marginal likelihood chooses: where the sends tell nothing of differences between customers,
    everyone is average.
    """

    name: ClassVar[str] = "offer_response"

    def _learn(self, experiments: dict[str, Arms], scores: dict[str, FloatArray]) -> None:
        self._centre = np.zeros(len(self._scale.mean))
        self._slopes = np.zeros(len(self._scale.mean))
        known = {name: arms for name, arms in experiments.items() if self.levels[name].shrunk}
        if not known:
            return
        self._centre = np.mean([arms.matrix.mean(axis=0) for arms in known.values()], axis=0)
        unit = {name: self.levels[name].shrunk for name in known}
        design = np.concatenate([(arms.matrix - self._centre) for arms in known.values()])
        target = np.concatenate([(scores[n] - scores[n].mean()) / unit[n] for n in known])
        noise = np.concatenate(
            [np.full(len(scores[n]), max(float(scores[n].std()), 1e-9) / abs(unit[n])) for n in known]
        )
        self._slopes = evidence_slopes(design, target, noise)

    def _effects(self, level: str, scaled: FloatArray, share: FloatArray) -> FloatArray:
        relative = 1 + (scaled - self._centre) @ self._slopes
        return self._limited(level, self.levels[level].shrunk * relative)

    @property
    def _differs(self) -> bool:
        return bool(self._slopes.any())


class _Economics:
    """Order value and margin per order of a customer, shrunk to those of all orders."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the averages of all orders; each customer's newest row counts."""
        newest = frame.select("customer_id", "n_orders", *trials.ECONOMICS).unique(
            "customer_id", keep="last", maintain_order=True
        )
        orders, revenue, margin = (float(newest[c].sum() or 0.0) for c in ("n_orders", *trials.ECONOMICS))
        self.value = max(revenue / orders, 0.0) if orders else 0.0
        self.margin = max(margin / orders, 0.0) if orders else 0.0
        return self

    def __call__(self, frame: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Value and margin per order, per row."""
        n, revenue, margin = (
            frame[c].cast(pl.Float64).fill_null(0.0).to_numpy() for c in ("n_orders", *trials.ECONOMICS)
        )
        k = self.strength
        return (
            np.maximum((revenue + k * self.value) / (n + k), 0.0),
            np.maximum((margin + k * self.margin) / (n + k), 0.0),
        )


class _Redemption:
    """Chance that an offer sent is redeemed."""

    def __init__(self, levels: tuple[str, ...]) -> None:
        self.levels = levels

    def fit(self, frame: pl.DataFrame, scaled: FloatArray) -> Self:
        """Learn from all sends of the offers."""
        key = frame["offer_key"].to_numpy()
        rows = np.isin(key, self.levels)
        redeemed = frame["is_redeemed"].to_numpy().astype(np.float64)
        rare = redeemed[rows].sum() < 10
        self._model = (Constant() if rare else Logistic(0.1)).fit(
            self._design(key[rows], scaled[rows]), redeemed[rows]
        )
        return self

    def __call__(self, key: Any, scaled: FloatArray) -> FloatArray:
        """The chance per row; 0 for offers never sent."""
        known = np.isin(key, self.levels)
        chance = np.zeros(len(key))
        chance[known] = self._model.predict(self._design(key[known], scaled[known]))
        return chance

    def _design(self, key: Any, scaled: FloatArray) -> FloatArray:
        return np.column_stack([scaled, *(np.where(key == level, 1.0, 0.0) for level in self.levels)])
