"""The landing contract as Polars schemas, and writing to a landing folder so that no reader meets half a table.

Which rows go in is decided by the simulator and the importers.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

TIME = pl.Datetime("us")
PURPOSES = ("email_marketing", "profiling", "tracking")

CUSTOMERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "email": pl.String,
    "first_name": pl.String,
    "last_name": pl.String,
    "locale": pl.String,
    "timezone": pl.String,
    "country": pl.String,
    "region": pl.String,
    "city": pl.String,
    "signed_up_at": TIME,
    "signup_source": pl.String,
    "birth_date": pl.Date,
    "gender": pl.String,
    "company": pl.String,
    "industry": pl.String,
    "job_role": pl.String,
    "company_size": pl.String,
}
PRODUCTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "product_id": pl.String,
    "name": pl.String,
    "category": pl.String,
    "subcategory": pl.String,
    "brand": pl.String,
    "price": pl.Float64,
    "cost": pl.Float64,
    "currency": pl.String,
    "image_url": pl.String,
    "url": pl.String,
    "in_stock": pl.Boolean,
    "is_consumable": pl.Boolean,
    "is_sensitive": pl.Boolean,
    "released_at": TIME,
    "updated_at": TIME,
}
CONTENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "content_id": pl.String,
    "title": pl.String,
    "kind": pl.String,
    "summary": pl.String,
    "topics": pl.List(pl.String),
    "url": pl.String,
    "image_url": pl.String,
    "published_at": TIME,
    "starts_at": TIME,
    "city": pl.String,
}
EVENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.String,
    "event": pl.String,
    "occurred_at": TIME,
    "customer_id": pl.String,
    "anonymous_id": pl.String,
    "product_id": pl.String,
    "content_id": pl.String,
    "order_id": pl.String,
    "quantity": pl.Int64,
    "price": pl.Float64,
    "discount": pl.Float64,
    "coupon": pl.String,
    "message_id": pl.String,
    "url": pl.String,
    "query": pl.String,
    "device": pl.String,
    "user_agent": pl.String,
    "properties": pl.String,
}
CONSENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "purpose": pl.String,
    "granted": pl.Boolean,
    "occurred_at": TIME,
    "source": pl.String,
}


class LandingNotEmptyError(FileExistsError):
    """The landing folder holds tables of another origin; nothing was written."""


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder to write in; on success its files move to the same relative paths under ``folder``, one rename each.

    After an error ``folder`` is as it was. Other files in ``folder`` stay untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage = folder.parent / f".{folder.name}.writing"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        yield stage
        for source in sorted(path for path in stage.rglob("*") if path.is_file()):
            target = folder / source.relative_to(stage)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
