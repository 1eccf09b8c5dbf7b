"""Who behaves alike: learnt segments that keep their ids from week to week.

Here: clusters of behaviour, how many, which of them are last week's. Not here: their names (`segment_names`), marketers' own
segments (`mail.segments`), the plan's segments of stage and value (`policy.segments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from models.features import KEYS, FloatArray
from models.model import NotFittedError, require
from models.order_rates import profiled
from models.segment_names import NAMED_BY, Segment, describe

LOGGED = (
    "n_orders_365d",
    "revenue_365d",
    "avg_order_value",
    "days_since_last_order",
    "tenure_days",
    "n_sessions_30d",
    "n_carts_30d",
    "n_content_views_90d",
    "days_since_last_session",
)
PLAIN = (
    "discount_share",
    "price_position",
    "n_categories",
    "open_rate_90d",
    "click_rate_90d",
    "refund_rate",
    "mobile_share",
)
BEHAVIOUR = (*LOGGED, *PLAIN)
"""What segments are made of: columns of feat_customer, counts, amounts and ages on a log scale."""

NOT_PROFILED = Segment(0, "Not profiled", "none")
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SegmentParams:
    """How segments are looked for.

    Attributes:
        fewest, most: segments to choose among; fewer say nothing to a marketer, more he cannot remember.
        min_share: least part of the customers in a segment.
        switch_gain: silhouette that another number of segments must gain before last week's is given up.
        same_overlap: least Jaccard overlap of members for a segment to be last week's.
        clip: standard deviations beyond which a value is no further away.
        sample: customers on which silhouettes are measured.
        restarts, seed: of k-means.
    """

    fewest: int = 5
    most: int = 8
    min_share: float = 0.02
    switch_gain: float = 0.03
    same_overlap: float = 0.3
    clip: float = 3.0
    sample: int = 2_000
    restarts: int = 5
    seed: int = 7


@dataclass(frozen=True)
class Scaling:
    """Columns to comparable numbers: logarithms, mean 0, deviation 1, clipped; what is not known is average."""

    mean: FloatArray
    deviation: FloatArray
    clip: float

    @classmethod
    def of(cls, frame: pl.DataFrame, clip: float) -> Scaling:
        """Fitted on a frame; a column without spread counts nothing."""
        values = _logged(frame)
        known = np.isfinite(values)
        n = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / n
        variance = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / n
        return cls(mean, np.where(variance > 1e-12, np.sqrt(variance), np.inf), clip)

    def __call__(self, frame: pl.DataFrame) -> FloatArray:
        """Shape (rows, len(BEHAVIOUR))."""
        scaled = (_logged(frame) - self.mean) / self.deviation
        return np.clip(np.nan_to_num(scaled, nan=0.0), -self.clip, self.clip)


class CustomerSegments:
    """k-means on scaled behaviour; the number of segments by silhouette, ids by overlap with last week's.

    With a `former` model the search starts from its centroids, keeps their number unless another is better by
    `switch_gain`, and gives each cluster the id of the former segment that it shares most members with (Hungarian
    assignment of Jaccard overlaps, both models asked about the customers of now). A cluster without one gets a new id; an
    id is never used again.

    `fit(frame)`: feat_customer; its newest snapshot is clustered. `predict(frame)`: customer_id, as_of, segment_id
    (Int32; 0 where profiling is not allowed), segment (its name), distance (to the segment's centre, in
    deviations; 0 where not profiled). Source: MacQueen (1967); Rousseeuw (1987) for silhouettes; Kuhn (1955) for the
    assignment.
    """

    name: ClassVar[str] = "k_means"
    features: ClassVar[tuple[str, ...]] = (*BEHAVIOUR, "has_behaviour")

    def __init__(self, params: SegmentParams | None = None, former: CustomerSegments | None = None) -> None:
        self.params = params or SegmentParams()
        self.scaling: Scaling | None = None
        self.next_id: int = 1 if former is None else former.next_id
        self.segments: list[Segment] = []
        self._former = former

    def fit(self, frame: pl.DataFrame) -> Self:
        """Find the segments of the newest snapshot."""
        require(frame, (*KEYS, *self.features, *NAMED_BY), self.name)
        now = frame.filter(profiled(), pl.col("as_of") == pl.col("as_of").max()).sort("customer_id")
        self.scaling = Scaling.of(now, self.params.clip)
        points = self.scaling(now)
        former, self._former = self._former, None
        self.silhouette, self.centres = self._clusters(points, self._start(former))
        labels = _nearest(points, self.centres)
        before = former._codes(now) if former is not None else None
        ids = self._ids(labels, before, former)
        self.stability = (
            float(adjusted_rand_score(former._ids_of(before), ids[labels]))
            if former is not None and before is not None and now.height
            else float("nan")
        )
        known = {} if former is None else {segment.id: segment for segment in former.segments}
        self.segments = describe(now, points, labels, ids.tolist(), BEHAVIOUR, known)
        self.sizes = np.bincount(labels, minlength=len(self.centres)).tolist()
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The segment of each row."""
        require(frame, (*KEYS, *self.features), self.name)
        codes = self._codes(frame)
        points = self._points(frame)
        distance = np.linalg.norm(points - self.centres[codes], axis=1)
        names = [segment.name for segment in self.segments]
        return frame.select(
            *KEYS,
            segment_id=pl.when(profiled())
            .then(pl.Series(self._ids_of(codes), dtype=pl.Int32))
            .otherwise(NOT_PROFILED.id)
            .cast(pl.Int32),
            segment=pl.when(profiled())
            .then(pl.Series(np.array(names, dtype=object)[codes].tolist(), dtype=pl.String))
            .otherwise(pl.lit(NOT_PROFILED.name)),
            distance=pl.when(profiled()).then(pl.Series(distance, dtype=pl.Float64)).otherwise(0.0),
        )

    @property
    def metrics(self) -> Mapping[str, float]:
        """silhouette, n_segments, adjusted_rand (to last week's on the same customers), share of each segment by id."""
        total = max(sum(self.sizes), 1)
        shares = {
            f"share_{segment.id}": size / total
            for segment, size in zip(self.segments, self.sizes, strict=True)
        }
        n = float(len(self.centres))
        return {
            "silhouette": self.silhouette,
            "n_segments": n,
            "adjusted_rand": self.stability,
            **shares,
        }

    def _points(self, frame: pl.DataFrame) -> FloatArray:
        if self.scaling is None:
            raise NotFittedError(self.name)
        return self.scaling(frame)

    def _codes(self, frame: pl.DataFrame) -> IntArray:
        return _nearest(self._points(frame), self.centres)

    def _ids_of(self, codes: IntArray | None) -> IntArray:
        ids = np.array([segment.id for segment in self.segments], dtype=np.int64)
        return ids if codes is None else ids[codes]

    def _start(self, former: CustomerSegments | None) -> FloatArray | None:
        """The former centroids on the scale of now."""
        if former is None or former.scaling is None or self.scaling is None:
            return None
        known = np.isfinite(former.scaling.deviation) & np.isfinite(self.scaling.deviation)
        raw = former.centres * np.where(known, former.scaling.deviation, 0.0) + former.scaling.mean
        return np.where(known, (raw - self.scaling.mean) / np.where(known, self.scaling.deviation, 1.0), 0.0)

    def _clusters(self, points: FloatArray, start: FloatArray | None) -> tuple[float, FloatArray]:
        """Silhouette and centroids of the best number of segments; one segment where there are too few customers."""
        params = self.params
        found: dict[int, tuple[float, FloatArray]] = {}
        distinct = len(np.unique(points, axis=0)) if len(points) else 0
        for k in range(params.fewest, min(params.most, distinct - 1) + 1):
            is_start = start is not None and len(start) == k
            with threadpool_limits(limits=1):
                fitted = KMeans(
                    k,
                    init=start if is_start else "k-means++",
                    n_init=1 if is_start else params.restarts,
                    random_state=params.seed,
                ).fit(points)
            labels = _nearest(points, fitted.cluster_centers_)
            shares = np.bincount(labels, minlength=k) / len(points)
            if shares.min() >= params.min_share or is_start:
                found[k] = self._silhouette(points, labels), fitted.cluster_centers_
        if not found:
            centre = points.mean(axis=0) if len(points) else np.zeros(len(BEHAVIOUR))
            return float("nan"), centre[None, :]
        best = max(found, key=lambda k: (found[k][0], -k))
        kept = len(start) if start is not None else best
        if kept in found and found[best][0] - found[kept][0] < params.switch_gain:
            best = kept
        return found[best]

    def _silhouette(self, points: FloatArray, labels: IntArray) -> float:
        draw = np.random.default_rng(self.params.seed)
        some = np.sort(draw.permutation(len(points))[: self.params.sample])
        if len(np.unique(labels[some])) < 2:
            return float("nan")
        with threadpool_limits(limits=1):
            return float(silhouette_score(points[some], labels[some]))

    def _ids(self, labels: IntArray, before: IntArray | None, former: CustomerSegments | None) -> IntArray:
        """The id of each cluster."""
        ids = np.zeros(len(self.centres), dtype=np.int64)
        if before is not None and former is not None:
            overlap = jaccard(before, labels, len(former.centres), len(self.centres))
            old, new = linear_sum_assignment(-overlap)
            for one, other in zip(old, new, strict=True):
                if overlap[one, other] >= self.params.same_overlap:
                    ids[other] = former.segments[one].id
        sizes = np.bincount(labels, minlength=len(self.centres))
        for code in np.lexsort((np.arange(len(ids)), -sizes)):
            if ids[code] == 0:
                ids[code] = self.next_id
                self.next_id += 1
        return ids


def jaccard(before: IntArray, now: IntArray, n_before: int, n_now: int) -> FloatArray:
    """Members in common over members of either, shape (n_before, n_now)."""
    both = np.zeros((n_before, n_now))
    np.add.at(both, (before, now), 1.0)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    overlap: FloatArray = both / np.maximum(either, 1.0)
    return overlap


def _nearest(points: FloatArray, centres: FloatArray) -> IntArray:
    """The nearest centre of each point; of equals the first."""
    distance = (points**2).sum(axis=1)[:, None] - 2.0 * points @ centres.T + (centres**2).sum(axis=1)[None, :]
    return np.asarray(distance.argmin(axis=1), dtype=np.int64)


def _logged(frame: pl.DataFrame) -> FloatArray:
    values: FloatArray = (
        frame.select(
            *(pl.col(column).cast(pl.Float64).clip(lower_bound=0.0).log1p() for column in LOGGED),
            *(pl.col(column).cast(pl.Float64) for column in PLAIN),
        )
        .with_columns(pl.all().fill_null(float("nan")))
        .to_numpy()
    )
    return values
