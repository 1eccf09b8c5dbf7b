"""Logged decisions with the chance a target policy gives to what was done; checked before anything is computed.

Here: the columns and what they may hold. Not here: what is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics import FloatArray
from models.model import require


@dataclass(frozen=True, eq=False)
class LoggedDecisions:
    """One entry per logged decision in every array; made by `logged_decisions` or `read_log`.

    An action may be anything that has a chance: one of several options, or a product of factors (message, offer, subject,
    hour), whose chances are multiplied.

    Attributes:
        reward: what came of the action, in any unit.
        propensity: chance with which the logging policy took it, in (0, 1].
        target: chance with which the target policy takes the same action in the same context, in [0, 1].
        cluster: number of the unit (customer) from 0 on; decisions of one unit may depend on each other.
        q_logged: a reward model's expectation of the logged action; None without a model.
        q_target: its mean over the target policy's actions in the decision's context; None without a model.
        unsupported: chance that the target policy takes an action the log could not hold (propensity 0), in [0, 1]; None
            if not known.
    """

    reward: FloatArray
    propensity: FloatArray
    target: FloatArray
    cluster: NDArray[np.int64]
    q_logged: FloatArray | None = None
    q_target: FloatArray | None = None
    unsupported: FloatArray | None = None

    def __post_init__(self) -> None:
        """Raises ValueError, with the row and the remedy, where an entry cannot be."""
        _check(self)

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weight(self) -> FloatArray:
        """Importance weight: target over logged chance."""
        return self.target / self.propensity

    @property
    def n_clusters(self) -> int:
        """Units with a decision."""
        return int(self.cluster.max()) + 1

    @property
    def has_model(self) -> bool:
        """Whether a reward model's estimates are there."""
        return self.q_logged is not None

    def under(
        self, target: ArrayLike, *, q_target: ArrayLike | None = None, unsupported: ArrayLike | None = None
    ) -> LoggedDecisions:
        """The same decisions for another target policy; with a reward model, `q_target` is needed too.

        `log.under(log.propensity)` is the logging policy itself, if there is no reward model.
        """
        return replace(
            self,
            target=_numbers(target),
            q_target=None if q_target is None else _numbers(q_target),
            unsupported=None if unsupported is None else _numbers(unsupported),
        )


def logged_decisions(
    reward: ArrayLike,
    propensity: ArrayLike,
    target: ArrayLike,
    *,
    cluster: ArrayLike | pl.Series | None = None,
    q_logged: ArrayLike | None = None,
    q_target: ArrayLike | None = None,
    unsupported: ArrayLike | None = None,
) -> LoggedDecisions:
    """A log from arrays as `LoggedDecisions` describes them.

    Args:
        cluster: id of each decision's customer, text or numbers; None: every decision stands alone.
    Raises: ValueError where lengths differ, there are no rows, or an entry cannot be.
    """
    rewards = _numbers(reward)
    return LoggedDecisions(
        reward=rewards,
        propensity=_numbers(propensity),
        target=_numbers(target),
        cluster=np.arange(len(rewards)) if cluster is None else cluster_numbers(cluster),
        q_logged=None if q_logged is None else _numbers(q_logged),
        q_target=None if q_target is None else _numbers(q_target),
        unsupported=None if unsupported is None else _numbers(unsupported),
    )


def read_log(
    frame: pl.DataFrame,
    *,
    reward: str = "reward",
    propensity: str = "propensity",
    target: str = "target_propensity",
    cluster: str | None = "customer_id",
    q_logged: str | None = None,
    q_target: str | None = None,
    unsupported: str | None = None,
) -> LoggedDecisions:
    """A log from a frame with one row per decision: the plan's rows (`propensity`) with what happened after.

    Each argument names a column; `LoggedDecisions` says what they hold. A null is an error, as NaN is.
    """
    names = {
        "reward": reward,
        "propensity": propensity,
        "target": target,
        "q_logged": q_logged,
        "q_target": q_target,
        "unsupported": unsupported,
    }
    columns = {role: name for role, name in names.items() if name is not None}
    require(frame, [*columns.values(), *([cluster] if cluster else [])], "off-policy evaluation")
    texts = [
        name for name in columns.values() if not (frame.schema[name].is_numeric() or _is_truth(frame, name))
    ]
    if texts:
        raise ValueError(f"the column(s) {', '.join(texts)} of the log must be numbers; cast them first")
    arrays = {
        role: frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for role, name in columns.items()
    }
    return logged_decisions(**arrays, cluster=frame[cluster] if cluster else None)


def cluster_numbers(cluster: ArrayLike | pl.Series) -> NDArray[np.int64]:
    """Ids as numbers from 0 on, in the order of the ids."""
    ids = cluster if isinstance(cluster, pl.Series) else pl.Series(np.asarray(cluster))
    missing = ids.is_null() | (ids.is_nan() if ids.dtype.is_float() else False)
    if missing.any():
        raise ValueError(
            f"cluster is missing in row {missing.arg_max()} ({missing.sum()} of {len(ids)} rows); give the customer of "
            "every decision"
        )
    return (ids.rank("dense").cast(pl.Int64) - 1).to_numpy()


def _is_truth(frame: pl.DataFrame, name: str) -> bool:
    return frame.schema[name] == pl.Boolean


def _numbers(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _check(log: LoggedDecisions) -> None:
    if log.reward.ndim != 1:
        raise ValueError(f"reward must have one dimension, not the shape {log.reward.shape}; flatten it")
    n = len(log.reward)
    for name in ("propensity", "target", "cluster", "q_logged", "q_target", "unsupported"):
        values = getattr(log, name)
        if values is not None and values.shape != (n,):
            raise ValueError(
                f"{name} has the shape {values.shape}, reward {log.reward.shape}; give one entry per logged decision"
            )
    if not n:
        raise ValueError(
            "there are no logged decisions; widen the dates, or wait until the outcomes of a plan are in"
        )
    _refuse(
        "reward",
        log.reward,
        np.isfinite(log.reward),
        "be a number; give 0 where nothing came of it, and leave out whole days whose outcomes are not in yet",
    )
    _refuse(
        "propensity",
        log.propensity,
        (log.propensity > 0) & (log.propensity <= 1),
        "lie in (0, 1]: what was done had a chance; take the chance that was logged with the decision",
    )
    _refuse(
        "target",
        log.target,
        (log.target >= 0) & (log.target <= 1),
        "lie in [0, 1]; give the target policy's chance of the action that was logged",
    )
    if not log.target.any():
        raise ValueError(
            f"target is 0 in all {n} rows: the target policy does nothing that was logged, so the log says nothing of it; "
            "compare how actions are named in both, or evaluate a policy that does at times what was done"
        )
    if (log.q_logged is None) != (log.q_target is None):
        absent = "q_logged" if log.q_logged is None else "q_target"
        raise ValueError(f"{absent} is missing; give both estimates of the reward model, or neither")
    for name in ("q_logged", "q_target"):
        q = getattr(log, name)
        if q is not None:
            _refuse(name, q, np.isfinite(q), "be a number; the reward model must answer every decision")
    if log.unsupported is not None:
        _refuse(
            "unsupported",
            log.unsupported,
            (log.unsupported >= 0) & (log.unsupported <= 1),
            "lie in [0, 1]; give the target policy's total chance of actions the log could not hold",
        )


def _refuse(name: str, values: FloatArray, is_right: NDArray[np.bool_], rule: str) -> None:
    wrong = np.flatnonzero(~is_right)
    if len(wrong):
        raise ValueError(
            f"{name} in row {wrong[0]} is {values[wrong[0]]} ({len(wrong)} of {len(values)} rows are wrong); it must {rule}"
        )
