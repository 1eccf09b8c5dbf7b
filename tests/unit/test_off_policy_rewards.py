"""Cross-fitted reward models: what each fold may know, and models of several kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from models.evaluation.off_policy import Options, cross_fitted_rewards, from_model, from_sklearn
from models.model import NoParams

N = 60
CUSTOMER = np.arange(N) // 3


def both_actions(context: np.ndarray) -> Options:
    """Context and action 0 or 1 of every decision."""
    n = len(context)
    features = np.column_stack([np.repeat(context, 2), np.tile([0.0, 1.0], n)])
    return Options(features, np.repeat(np.arange(n), 2))


def log_of(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Options]:
    generator = np.random.default_rng(seed)
    context, action = generator.normal(size=N), generator.integers(0, 2, N).astype(float)
    return np.column_stack([context, action]), 2 * context + 3 * action, both_actions(context)


def test_a_linear_truth_is_found_and_averaged_over_the_policy() -> None:
    features, reward, options = log_of()
    found = cross_fitted_rewards(
        from_sklearn(LinearRegression), features, reward, cluster=CUSTOMER, options=options
    )
    assert found.logged == pytest.approx(reward)
    q_target = found.under(np.tile([0.25, 0.75], N))
    assert q_target == pytest.approx(2 * features[:, 0] + 3 * 0.75)


def test_nobody_is_judged_by_a_model_that_has_seen_him() -> None:
    _, _, options = log_of()
    customers = CUSTOMER.astype(float)
    seen: list[set[float]] = []

    def learn(features, reward):
        known = set(features[:, 0])
        seen.append(known)

        def predict(asked):
            assert not known & set(asked[:, 0])
            return np.zeros(len(asked))

        return predict

    cross_fitted_rewards(
        learn,
        np.column_stack([customers, customers]),
        np.zeros(N),
        cluster=CUSTOMER,
        options=Options(options.features * 0 + np.repeat(customers, 2)[:, None], options.decision),
        n_folds=4,
    )
    assert len(seen) == 4
    assert [len(known) for known in seen] == [15] * 4


def test_the_order_of_rows_does_not_count() -> None:
    features, reward, options = log_of()
    reward = reward + np.random.default_rng(1).normal(size=N)
    order = np.random.default_rng(2).permutation(N)
    learn = from_sklearn(LinearRegression)
    plain = cross_fitted_rewards(learn, features, reward, cluster=CUSTOMER, options=options)
    mixed = cross_fitted_rewards(
        learn,
        features[order],
        reward[order],
        cluster=CUSTOMER[order],
        options=both_actions(features[order, 0]),
    )
    assert mixed.logged == pytest.approx(plain.logged[order])
    assert mixed.under(np.tile([0.5, 0.5], N)) == pytest.approx(plain.under(np.tile([0.5, 0.5], N))[order])


def test_a_classifier_answers_with_the_mean_of_its_classes() -> None:
    features, reward, options = log_of()
    clicks = (reward > 1.5).astype(float)
    found = cross_fitted_rewards(
        from_sklearn(LogisticRegression), features, clicks, cluster=CUSTOMER, options=options
    )
    assert ((found.logged > 0) & (found.logged < 1)).all()
    assert np.corrcoef(found.logged, clicks)[0, 1] > 0.7
    nothing = cross_fitted_rewards(
        from_sklearn(LogisticRegression), features, np.zeros(N), cluster=CUSTOMER, options=options
    )
    assert not nothing.options.any()


@dataclass
class MeanByAction:
    """A model as ours are: frames in, frames out."""

    params: NoParams = field(default_factory=NoParams)
    name: ClassVar[str] = "mean_by_action"
    features: ClassVar[tuple[str, ...]] = ("offer_key",)

    def fit(self, frame: pl.DataFrame) -> Self:
        self.means = frame.group_by("offer_key").agg(expected=pl.col("margin").mean())
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(self.means, on="offer_key", how="left", maintain_order="left").select("expected")


def test_our_own_models_learn_from_frames() -> None:
    offers = np.where(np.arange(N) % 2, "free_shipping", "none")
    frame = pl.DataFrame({"offer_key": offers})
    found = cross_fitted_rewards(
        from_model(MeanByAction, reward="margin", prediction="expected"),
        frame,
        np.where(offers == "none", 1.0, 4.0),
        cluster=pl.Series(CUSTOMER).cast(pl.String),
        options=Options(
            pl.DataFrame({"offer_key": ["none", "free_shipping"] * N}), np.repeat(np.arange(N), 2)
        ),
    )
    assert found.logged == pytest.approx(np.where(offers == "none", 1.0, 4.0))
    assert found.under(np.tile([0.5, 0.5], N)) == pytest.approx(np.full(N, 2.5))


def test_what_does_not_fit_together_is_refused() -> None:
    features, reward, options = log_of()
    learn = from_sklearn(LinearRegression)
    with pytest.raises(ValueError, match="60 rows of features, 59 rewards and 60 customers"):
        cross_fitted_rewards(learn, features, reward[1:], cluster=CUSTOMER, options=options)
    with pytest.raises(
        ValueError, match="n_folds must lie between 2 and the number of customers, 20; it is 21"
    ):
        cross_fitted_rewards(learn, features, reward, cluster=CUSTOMER, options=options, n_folds=21)
    with pytest.raises(ValueError, match="120 options with 119 numbers of decisions"):
        cross_fitted_rewards(
            learn,
            features,
            reward,
            cluster=CUSTOMER,
            options=Options(options.features, options.decision[1:]),
        )
    with pytest.raises(ValueError, match=r"options\.decision must lie in 0\.\.59"):
        cross_fitted_rewards(
            learn,
            features,
            reward,
            cluster=CUSTOMER,
            options=Options(options.features, options.decision + 1),
        )
    found = cross_fitted_rewards(learn, features, reward, cluster=CUSTOMER, options=options)
    with pytest.raises(ValueError, match=r"the chances of decision 0 sum to 0\.900000, not 1 \(60 of 60"):
        found.under(np.tile([0.5, 0.4], N))
    with pytest.raises(ValueError, match="give one entry per option"):
        found.under([1.0])
