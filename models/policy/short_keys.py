"""Keys as numbers, for the frames with millions of rows: a text takes 16 bytes in each row, its number one to four.

The order of rows stays the same: numbers follow the order of the texts. Not here: which frames are that long.
"""

from __future__ import annotations

import polars as pl
from polars import selectors as cs

from models.policy.inputs import PlanInputs


def short_keys(inputs: PlanInputs) -> dict[str, pl.Enum]:
    """The types of customer_id, message_key and offer_key in which they are short."""
    holders = {
        "customer_id": inputs.feat_customer,
        "message_key": inputs.messages,
        "offer_key": inputs.offers,
    }
    return {key: pl.Enum(frame.get_column(key).sort()) for key, frame in holders.items()}


def shortened(frame: pl.DataFrame, keys: dict[str, pl.Enum]) -> pl.DataFrame:
    """The frame with those of its columns that are `keys` in their short types."""
    return frame.cast({name: short for name, short in keys.items() if name in frame.columns})


def spelled_out(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with texts for short keys."""
    return frame.cast({cs.enum(): pl.String})
