"""Look-alikes of a segment of a day: who is not in it, and most like those who are."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.privacy.exports import remember
from assets.privacy.suppression import Suppression
from assets.storage import replace_bytes, replace_parquet
from mail.errors import nearest
from models.lookalikes import MEMBER, MembershipModel, lookalike_frame, rank_lookalikes
from models.order_rates import profiled
from pipelines.spreadsheet import as_csv

SUFFIXES = (".csv", ".parquet")


class LookalikeError(ValueError):
    """The day has no segments, or there is no such segment, or nobody can resemble it."""


def find_lookalikes(home: Home, day: date, segment: str, n: int) -> pl.DataFrame:
    """The `n` customers most like those in a segment: customer_id, similarity, rank, consent_status.

    No mailing list: it holds those too who have not agreed to mail, or may have withdrawn since that day.

    Args:
        home: a planned home.
        day: the planned day.
        segment: key of a learnt or a marketer's segment, see `score_segments`.
        n: how many at most.

    Raises:
        LookalikeError: naming the remedy.
    """
    scores = home.scores(day) / "score_segments.parquet"
    if not scores.exists():
        raise LookalikeError(
            f"there are no segments for {day} in {home.root}; make them with: sendplan plan --date {day}"
        )
    segments = pl.read_parquet(scores)
    members = segments.filter(pl.col("segment_key") == segment)["customer_id"]
    if members.is_empty():
        known = sorted(segments["segment_key"].unique())
        raise LookalikeError(f"nobody is in a segment '{segment}' on {day}; {nearest(segment, known)}")
    folder = home.features(day)
    customers = pl.read_parquet(folder / "feat_customer.parquet")
    affinity = pl.read_parquet(folder / "feat_affinity.parquet")
    frame = lookalike_frame(customers, affinity, members)
    if frame.filter(profiled(), MEMBER).is_empty():
        raise LookalikeError(
            f"of those in '{segment}' on {day} nobody has a profile that others could resemble: they do not allow "
            "profiling; name another segment"
        )
    erased = Suppression.load(home).is_his(frame.select("customer_id", email=pl.lit(None, dtype=pl.String)))
    ranked = rank_lookalikes(MembershipModel(), frame.filter(~erased), n)
    consent = pl.read_parquet(folder / "feat_eligibility.parquet", columns=["customer_id", "consent_status"])
    return ranked.join(consent, on="customer_id", how="left", maintain_order="left")


def write_lookalikes(home: Home, found: pl.DataFrame, to: Path) -> None:
    """Write the list to `to` (.csv or .parquet; see `require_destination`), where an erasure finds it."""
    remember(home, to)
    if to.suffix == ".parquet":
        replace_parquet(to, found)
    else:
        replace_bytes(to, as_csv(found))
