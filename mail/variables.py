"""The words a subject or preheader may contain: names, meaning, and how raw values are made fit to be read.

Here: the one list of variables, and cleaning. Not here: templates (subjects), where values come from
(assets/mail.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "first_name": "First name, 'Anna'; missing if none is on file or it is no name.",
        "product_name": "Name of the product the mail speaks of: the trigger's, else the first shown.",
        "product_brand": "Its brand.",
        "category": "Its category, in lower case.",
        "city": "City of the recipient.",
        "days_since_last_order": "Whole days since the last order, a number.",
        "n_orders": "Number of orders placed so far, a number; missing without one.",
        "offer_label": "The offer in words, 'free shipping'; missing without an offer.",
        "n_products": "Number of products shown, a number; never missing.",
        "content_title": "Title of the first article shown.",
    }
)

LEARNT = (
    *("product_name", "product_brand", "category", "city", "days_since_last_order", "n_orders"),
    "content_title",
)
"""Variables that show what is known of a person; a subject may not name them where personalisation is 'discreet'."""

SAMPLES: tuple[Mapping[str, str | int], ...] = tuple(
    MappingProxyType(
        {
            "first_name": "Anna",
            "product_name": "Aero runner",
            "product_brand": "Northway",
            "category": "running shoes",
            "city": "Leeds",
            "days_since_last_order": days,
            "n_orders": orders,
            "offer_label": "free shipping",
            "n_products": products,
            "content_title": "Your first ten kilometres",
        }
    )
    for days, orders, products in ((34, 5, 4), (0, 1, 1), (34, 5, 2), (34, 5, 3), (34, 5, 12), (34, 5, 0))
)
"""Values a template is tried out with when it is read: usual ones, the least numbers, and every usual number of products."""

MAX_PRODUCT_NAME = 48
_MAX_NAME = 24
_SEPARATORS = " ,;:-/&"
_NO_NAME = ["n/a", "na", "null", "none", "nan", "unknown", "test", "customer", "kunde", "anonymous"]
_NO_NAME_CHARACTERS = r"[\d@/\\<>{}%$#*_=|\[\]:;!?\"&]|\.\p{L}{2}"
_CONTROL = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+"
_LETTER = r"\p{L}"


def plain(text: pl.Expr) -> pl.Expr:
    """Text on one line: control characters, line breaks and runs of spaces become one space; blank becomes
    null."""
    cleaned = text.cast(pl.String).str.replace_all(_CONTROL, " ").str.strip_chars()
    return pl.when(cleaned != "").then(cleaned)


def clean_name(name: pl.Expr) -> pl.Expr:
    """A person's or city's name as one would write it: 'ANNA' and 'anna' become 'Anna', 'McKay' stays.

    Null for what is no name: blank, a placeholder such as 'n/a', digits, addresses, markup, or longer than 24
    characters - a sign-up form is open to everybody, and a name stands in a subject line.
    """
    text = plain(name)
    one_case = (text == text.str.to_uppercase()) | (text == text.str.to_lowercase())
    written = pl.when(one_case).then(text.str.to_titlecase()).otherwise(text)
    is_name = (
        text.str.contains(_LETTER)
        & ~text.str.contains(_NO_NAME_CHARACTERS)
        & ~text.str.to_lowercase().is_in(_NO_NAME)
        & (text.str.len_chars() <= _MAX_NAME)
        & ~text.str.to_lowercase().str.contains("www.", literal=True)
    )
    return pl.when(is_name).then(written)


def clean_product_name(name: pl.Expr) -> pl.Expr:
    """A product's name in a sentence: capitals throughout become a sentence's, more than 48 characters are
    cut at a word; null if only separators are left."""
    text = plain(name).str.strip_chars_start(_SEPARATORS)
    shouting = (text == text.str.to_uppercase()) & (text.str.len_chars() > 4)
    calm = text.str.slice(0, 1).str.to_uppercase() + text.str.slice(1).str.to_lowercase()
    text = pl.when(shouting).then(calm).otherwise(text)
    cut = text.str.slice(0, MAX_PRODUCT_NAME)
    at_word = pl.coalesce(cut.str.extract(r"^(.*\S)\s+\S*$", 1), cut).str.strip_chars_end(_SEPARATORS)
    short = pl.when(text.str.len_chars() > MAX_PRODUCT_NAME).then(at_word).otherwise(text)
    return pl.when(short != "").then(short)


def personal_flags(customers: pl.DataFrame) -> pl.DataFrame:
    """Which personal words are known, for the policy, which must not see them.

    Args:
        customers: customer_id, first_name, city.

    Returns:
        customer_id, has_first_name, has_city; sorted.
    """
    return customers.select(
        "customer_id",
        has_first_name=clean_name(pl.col("first_name")).is_not_null(),
        has_city=clean_name(pl.col("city")).is_not_null(),
    ).sort("customer_id")


def with_variables(
    sends: pl.DataFrame,
    *,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    contents: pl.DataFrame,
    offers: pl.DataFrame,
) -> pl.DataFrame:
    """Adds a column for each of `VARIABLES`, null where missing.

    Args:
        sends: rows of the plan with action send: customer_id, subject_product_id, product_ids, content_ids,
            offer_key, days_since_last_order, n_orders (0 counts as missing).
        customers: customer_id, first_name, city.
        products: product_id, name, brand, category.
        contents: content_id, title.
        offers: offer_key, label.
    """
    people = customers.select(
        "customer_id", first_name=clean_name(pl.col("first_name")), city=clean_name(pl.col("city"))
    )
    things = products.select(
        subject_product_id="product_id",
        product_name=clean_product_name(pl.col("name")),
        product_brand=plain(pl.col("brand")),
        category=plain(pl.col("category")).str.to_lowercase(),
    )
    titles = contents.select(first_content_id="content_id", content_title=plain(pl.col("title")))
    labels = offers.select("offer_key", offer_label=plain(pl.col("label")))
    return (
        sends.with_columns(
            first_content_id=pl.col("content_ids").list.first(),
            n_products=pl.col("product_ids").list.len(),
            days_since_last_order=pl.col("days_since_last_order").floor().cast(pl.Int64),
            n_orders=pl.when(pl.col("n_orders") > 0).then(pl.col("n_orders")),
        )
        .join(people, on="customer_id", how="left")
        .join(things, on="subject_product_id", how="left")
        .join(titles, on="first_content_id", how="left")
        .join(labels, on="offer_key", how="left")
        .drop("first_content_id")
    )
