"""The global control group: customers never mailed, so that what mailing brings can be measured."""

from __future__ import annotations

import polars as pl

from models.policy import draws


def in_control(customer_ids: pl.Series, *, salt: str, share: float) -> pl.Series:
    """True for members of the control group, in the order given.

    Membership depends on identity and salt alone, never on the date, and a larger share keeps every member
    of a smaller one.
    """
    position = draws.uniforms(customer_ids, seed=salt, streams=["control"]).get_column("control")
    return (position < share).alias("is_control")
