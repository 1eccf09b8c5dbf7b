"""A batch of mails as the simulated shop takes them: the frame a sender hands in, and its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from shop.catalogue import Catalogue, Floats, Ints
from shop.landing import TIME
from shop.people import People
from shop.visits import NO_ITEM

SENDS: dict[str, pl.DataType | type[pl.DataType]] = {
    "message_id": pl.String,
    "customer_id": pl.String,
    "send_at": TIME,
    "message_key": pl.String,
    "subject_variant": pl.String,
    "tone": pl.String,
    "has_emoji": pl.Boolean,
    "is_question": pl.Boolean,
    "is_personal": pl.Boolean,
    "is_urgent": pl.Boolean,
    "offer_key": pl.String,
    "discount_rate": pl.Float64,
    "has_free_shipping": pl.Boolean,
    "coupon": pl.String,
    "product_ids": pl.List(pl.String),
    "content_ids": pl.List(pl.String),
    "wave": pl.String,
    "propensity": pl.Float64,
    "propensity_offer": pl.Float64,
}
MAX_PRODUCTS = 8
MAX_CONTENTS = 3


@dataclass(frozen=True)
class Mails:
    """A batch of sends as arrays. person: row in People; products, contents: positions, NO_ITEM where empty."""

    frame: pl.DataFrame
    person: Ints
    at: Ints
    products: Ints
    contents: Ints

    @classmethod
    def read(cls, sends: pl.DataFrame, people: People, catalogue: Catalogue) -> Mails:
        frame = sends.select(pl.col(name).cast(kind) for name, kind in SENDS.items())
        person = _positions(frame["customer_id"], people.customers["customer_id"])
        if (person == NO_ITEM).any():
            unknown = frame["customer_id"].gather(np.flatnonzero(person == NO_ITEM))[0]
            raise ValueError(f"sends name customer_id {unknown!r}, who does not live in this world.")
        return cls(
            frame=frame,
            person=person,
            at=frame["send_at"].to_physical().to_numpy(),
            products=_padded(frame["product_ids"], catalogue.products["product_id"], MAX_PRODUCTS),
            contents=_padded(frame["content_ids"], catalogue.contents["content_id"], MAX_CONTENTS),
        )

    def flag(self, name: str) -> Floats:
        return self.frame[name].fill_null(False).to_numpy().astype(np.float64)

    def events(self, event: str, rows: Ints, at: Ints, **columns: Any) -> pl.DataFrame:
        """Events of the mails at ``rows``; null where a column is not given."""
        return self.frame.select("customer_id", "message_id")[rows].with_columns(
            pl.lit(event).alias("event"),
            pl.Series("occurred_at", at).cast(TIME),
            *(pl.Series(name, values) for name, values in columns.items()),
        )


def _positions(values: pl.Series, among: pl.Series) -> Ints:
    """Row of each value in ``among``; NO_ITEM where it is not there."""
    lookup = pl.DataFrame({"value": among, "row": np.arange(len(among))})
    joined = values.rename("value").to_frame().join(lookup, on="value", how="left", maintain_order="left")
    return joined["row"].fill_null(NO_ITEM).to_numpy()


def _padded(lists: pl.Series, among: pl.Series, width: int) -> Ints:
    """Positions of listed ids as rows x width; ids the shop does not know and empty places are NO_ITEM."""
    return np.column_stack(
        [_positions(lists.list.get(slot, null_on_oob=True), among) for slot in range(width)]
    )
