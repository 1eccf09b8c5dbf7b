"""Import of UCI Online Retail II (parquet, csv or xlsx with its original columns) to the landing contract.

Decisions about what the file leaves open, so that nobody takes them for facts:
- Customers are taken to have granted all three consents at their first invoice; the rows say so in ``source``.
- Addresses are made up under the reserved domain ``online-retail.invalid``; names are unknown and absent.
- Times are London shop time and become UTC. A customer's time zone is that of his first invoice's country.
- A cancellation (invoice C...) is an Order Refunded under its own number; the file does not name the order it cancels.
- A product's price is that of its first sale, and it is released then, so nothing reaches back from the future.
- Categories are read off the descriptions; stock is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import fastexcel
import polars as pl

from shop import landing as contract
from shop.landing import PURPOSES, staged
from shop.online_retail_terms import CATEGORIES, COUNTRIES, FEE_CODES, OTHER_CATEGORY

COLUMNS = (
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
)
FILE_NAME = "online_retail.parquet"
CONSENT_SOURCE = "assumed:online_retail_import"
SHOP_TIMEZONE = "Europe/London"
SHOP_URL = "https://online-retail.invalid"
REMEDIES = {
    "Invoice": "every line needs its invoice number",
    "StockCode": "every line needs its stock code",
    "InvoiceDate": "write dates as 2010-12-01 08:26:00",
    "Quantity": "write whole numbers",
    "Price": "write numbers with a decimal point",
    "Customer ID": "write whole numbers, or nothing for an unknown customer",
}
MAX_UNREADABLE_SHARE = 0.01
"""Up to this share of lines with an unreadable value is left out and counted; more means another format."""
Progress = Callable[[str, float], None]


class OnlineRetailError(ValueError):
    """The source cannot be read as Online Retail II; says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import did with each line of the source.

    lines: read. order_lines + refund_lines + the values of left_out + repeated_lines = lines.
    anonymous_lines: order and refund lines without a customer. left_out: reason or fee code -> lines.
    repeated_lines: lines of invoices found in two parts of the file. unknown_countries: without a time zone.
    assumptions: what the importer had to decide.
    """

    lines: int
    order_lines: int
    refund_lines: int
    anonymous_lines: int
    repeated_lines: int
    left_out: dict[str, int]
    customers: int
    products: int
    unknown_countries: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    assumptions: tuple[str, ...]


def import_online_retail(source: Path, landing: Path, progress: Progress | None = None) -> ImportSummary:
    """Write ``landing/<table>/online_retail.parquet`` for customers, products, events and consents.

    source: .parquet, .csv (UTF-8, ISO dates) or .xlsx (all sheets). progress: called with what is being done and the
    share done, 0-1. The same source gives the same bytes; importing again replaces these files by equal ones, and
    other files in ``landing`` are left alone. After an error nothing has been written.
    Raises FileNotFoundError for a missing source and OnlineRetailError for one that cannot be understood.
    """
    tell = progress or (lambda _what, _share: None)
    tell(f"Reading {source.name}", 0.0)
    read = _typed(_read(source), source)
    tell("Checking lines", 0.35)
    lines = _without_repeats(read)
    marked = _marked(lines)
    kept = marked.filter(pl.col("reason").is_null())
    if kept.is_empty():
        raise OnlineRetailError(
            f"{source} holds no order line; is it the Online Retail II file with its rows?"
        )
    tell("Making events", 0.5)
    events = _events(kept)
    customers = _customers(marked)
    tell("Making products", 0.75)
    tables = {
        "customers": customers,
        "products": _products(kept),
        "events": events,
        "consents": _consents(customers),
    }
    tell("Writing tables", 0.85)
    with staged(landing) as stage:
        for name, table in tables.items():
            (stage / name).mkdir()
            table.write_parquet(stage / name / FILE_NAME)
    tell("Done", 1.0)
    unknown = marked.filter(~pl.col("Country").is_in(list(COUNTRIES)))["Country"].unique().sort()
    return ImportSummary(
        lines=read.height,
        order_lines=events.filter(pl.col("event") == "Order Completed").height,
        refund_lines=events.filter(pl.col("event") == "Order Refunded").height,
        anonymous_lines=events["customer_id"].null_count(),
        repeated_lines=read.height - lines.height,
        left_out=dict(
            marked.filter(pl.col("reason").is_not_null())
            .group_by("reason")
            .len()
            .sort(["len", "reason"], descending=[True, False])
            .iter_rows()
        ),
        customers=customers.height,
        products=tables["products"].height,
        unknown_countries=tuple(unknown.drop_nulls()),
        first_at=events["occurred_at"][0],
        last_at=events["occurred_at"][-1],
        assumptions=tuple(line[2:] for line in (__doc__ or "").splitlines() if line.startswith("- ")),
    )


def _read(source: Path) -> pl.DataFrame:
    """The source's rows with its own columns and ``part``, the sheet a row comes from."""
    if not source.is_file():
        raise FileNotFoundError(
            f"{source} does not exist. Download Online Retail II from the UCI Machine Learning Repository and name its "
            "file (.xlsx, .csv or .parquet)."
        )
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".xlsx": _read_xlsx}
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise OnlineRetailError(f"{source} is not one of {', '.join(readers)}; convert it to one of these.")
    try:
        return reader(source)
    except (pl.exceptions.PolarsError, fastexcel.FastExcelError, OSError) as error:
        raise OnlineRetailError(
            f"{source} cannot be read as {source.suffix[1:]}: {str(error).splitlines()[0]}. "
            "The file may be damaged or in another format or encoding (csv must be UTF-8); get it anew."
        ) from error


def _read_parquet(source: Path) -> pl.DataFrame:
    return _complete(pl.read_parquet(source), str(source)).with_columns(part=pl.lit(0))


def _read_csv(source: Path) -> pl.DataFrame:
    return _complete(pl.read_csv(source, infer_schema=False), str(source)).with_columns(part=pl.lit(0))


def _read_xlsx(source: Path) -> pl.DataFrame:
    texts = dict.fromkeys(("Invoice", "StockCode", "Description", "Country"), pl.String)
    sheets = pl.read_excel(source, sheet_id=0, engine="calamine", infer_schema_length=None)
    parts = []
    for part, (name, sheet) in enumerate(sheets.items()):
        complete = _complete(sheet, f"{source}, sheet {name!r}")
        parts.append(
            complete.with_columns(pl.col(column).cast(kind) for column, kind in texts.items()).with_columns(
                part=pl.lit(part)
            )
        )
    return pl.concat(parts, how="vertical_relaxed")


def _complete(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise OnlineRetailError(
            f"{where} has no column {', '.join(repr(name) for name in missing)}; it has {', '.join(frame.columns)}. "
            "Use the file with its original column names."
        )
    return frame.select(COLUMNS)


def _typed(frame: pl.DataFrame, source: Path) -> pl.DataFrame:
    """Columns in their own types; codes trimmed and in capitals; empty descriptions null."""
    text = {
        name: pl.col(name).cast(pl.String).str.strip_chars() for name in ("Invoice", "StockCode", "Country")
    }
    description = pl.col("Description").cast(pl.String).str.replace_all(r"\s+", " ").str.strip_chars(" .,")
    typed = frame.with_columns(
        text["Invoice"].str.to_uppercase().str.replace(r"\.0$", ""),
        text["StockCode"].str.to_uppercase().str.replace(r"\.0$", ""),
        text["Country"],
        pl.when(~description.str.to_lowercase().is_in(["", "nan"])).then(description).alias("Description"),
        pl.col("Quantity").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False),
        pl.col("Price").cast(pl.Float64, strict=False),
        pl.col("Customer ID").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False),
        pl.col("InvoiceDate").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
        if frame.schema["InvoiceDate"] == pl.String
        else pl.col("InvoiceDate").cast(contract.TIME),
        unreadable=pl.lit(None, dtype=pl.String),
    )
    for name, remedy in REMEDIES.items():
        was_empty = frame[name].cast(pl.String).str.strip_chars().fill_null("") == ""
        bad = (typed[name].is_null() & (~was_empty | (name != "Customer ID"))).arg_true()
        if len(bad) > MAX_UNREADABLE_SHARE * typed.height:
            raise OnlineRetailError(
                f"{source}: column {name!r} cannot be understood in {len(bad)} of {typed.height} rows, first in data "
                f"row {bad[0] + 1} ({frame[name][int(bad[0])]!r}); {remedy}."
            )
        typed = typed.with_columns(
            pl.when(pl.int_range(pl.len()).is_in(bad.implode()))
            .then(pl.lit(name))
            .otherwise("unreadable")
            .alias("unreadable")
        )
    return typed


def _without_repeats(lines: pl.DataFrame) -> pl.DataFrame:
    """Each invoice from the first part of the file that has it: the two years' sheets share nine days.

    A text file made of both sheets shows the seam as its only jump back in time of more than a day.
    """
    jumps_back = (pl.col("InvoiceDate").diff().dt.total_hours() < -24).fill_null(False)
    if lines["part"].n_unique() == 1 and lines.select(jumps_back.sum()).item() == 1:
        lines = lines.with_columns(part=jumps_back.cum_sum())
    return lines.filter(pl.col("part") == pl.col("part").min().over("Invoice"))


def _marked(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with ``occurred_at`` in UTC, ``is_refund`` and ``reason``, why a line is left out (null: it stays)."""
    is_refund = pl.col("Invoice").str.starts_with("C")
    london = pl.col("InvoiceDate").dt.replace_time_zone(
        SHOP_TIMEZONE, ambiguous="earliest", non_existent="null"
    )
    return lines.with_columns(
        london.dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
        .fill_null(pl.col("InvoiceDate"))
        .alias("occurred_at"),
        is_refund.alias("is_refund"),
        pl.when(pl.col("unreadable").is_not_null())
        .then(pl.format("unreadable {}", "unreadable"))
        .when(pl.col("StockCode").str.contains(FEE_CODES))
        .then(pl.format("fee code {}", "StockCode"))
        .when(pl.col("Price") <= 0)
        .then(pl.lit("price not above 0"))
        .when(pl.col("Quantity") == 0)
        .then(pl.lit("quantity 0"))
        .when((pl.col("Quantity") < 0) & ~is_refund)
        .then(pl.lit("negative quantity without a cancellation"))
        .when((pl.col("Quantity") > 0) & is_refund)
        .then(pl.lit("cancellation with a positive quantity"))
        .alias("reason"),
        pl.format("{}", "Customer ID").alias("customer_id"),
    )


def _events(kept: pl.DataFrame) -> pl.DataFrame:
    """One event per line, numbered within its invoice by content, so that equal lines stay apart."""
    ordered = kept.sort(
        "occurred_at",
        "Invoice",
        "StockCode",
        "Quantity",
        "Price",
        "Description",
        "customer_id",
        maintain_order=True,
    )
    number = pl.int_range(1, pl.len() + 1).over("Invoice").cast(pl.String).str.zfill(4)
    return ordered.select(
        pl.format("or2-{}-{}", "Invoice", number).alias("event_id"),
        pl.when("is_refund")
        .then(pl.lit("Order Refunded"))
        .otherwise(pl.lit("Order Completed"))
        .alias("event"),
        "occurred_at",
        "customer_id",
        pl.when(pl.col("customer_id").is_null())
        .then(pl.format("invoice:{}", "Invoice"))
        .alias("anonymous_id"),
        pl.col("StockCode").alias("product_id"),
        pl.col("Invoice").alias("order_id"),
        pl.col("Quantity").abs().alias("quantity"),
        pl.col("Price").alias("price"),
    )


def _customers(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per customer of any line, as known at the first invoice."""
    known = {
        name: list(values)
        for name, values in zip(
            ("country", "timezone", "locale"), zip(*COUNTRIES.values(), strict=True), strict=True
        )
    }
    places = pl.DataFrame({"Country": list(COUNTRIES), **known})
    return (
        lines.filter(pl.col("customer_id").is_not_null() & pl.col("unreadable").is_null())
        .sort("occurred_at", "Invoice", "Country")
        .group_by("customer_id", maintain_order=True)
        .agg(pl.col("Country").first(), pl.col("occurred_at").first().alias("signed_up_at"))
        .join(places, on="Country", how="left")
        .select(
            "customer_id",
            pl.format("customer-{}@online-retail.invalid", "customer_id").alias("email"),
            "locale",
            "timezone",
            "country",
            "signed_up_at",
            pl.lit("online_retail_import").alias("signup_source"),
        )
        .sort("customer_id")
    )


def _products(kept: pl.DataFrame) -> pl.DataFrame:
    name = pl.col("Description").drop_nulls().mode(maintain_order=True).first()
    sales = kept.sort("is_refund", "occurred_at", "Invoice", "Price")
    first = sales.group_by("StockCode").agg(pl.col("Price").first(), pl.col("occurred_at").first())
    names = sales.sort("Description").group_by("StockCode").agg(name)
    words = pl.col("Description").str.to_uppercase()
    matches = [words.str.extract(rf"\b({nouns})(?:S|ES)?\b") for _, nouns in CATEGORIES]
    category = pl.coalesce(
        *(
            pl.when(match.is_not_null()).then(pl.lit(label))
            for match, (label, _) in zip(matches, CATEGORIES, strict=True)
        ),
        pl.lit(OTHER_CATEGORY),
    )
    return (
        first.join(names, on="StockCode")
        .select(
            pl.col("StockCode").alias("product_id"),
            pl.coalesce(_readable(pl.col("Description")), pl.format("Article {}", "StockCode")).alias("name"),
            category.alias("category"),
            pl.coalesce(*matches).str.to_titlecase().alias("subcategory"),
            pl.col("Price").alias("price"),
            pl.lit("GBP").alias("currency"),
            pl.format("{}/products/{}", pl.lit(SHOP_URL), "StockCode").alias("url"),
            pl.lit(None, dtype=pl.Boolean).alias("in_stock"),
            pl.col("occurred_at").alias("released_at"),
        )
        .sort("product_id")
    )


def _readable(description: pl.Expr) -> pl.Expr:
    """'WHITE HANGING HEART T-LIGHT HOLDER' -> 'White Hanging Heart T-Light Holder'."""
    text = description.str.to_titlecase().str.replace_all(r"'S\b", "'s").str.replace_all(r"(\d)Cm", "${1}cm")
    for word in ("And", "Of", "In", "On", "With", "The", "For", "To"):
        text = text.str.replace_all(rf" {word} ", f" {word.lower()} ")
    return text


def _consents(customers: pl.DataFrame) -> pl.DataFrame:
    return customers.select(
        "customer_id",
        pl.lit(list(PURPOSES)).alias("purpose"),
        pl.lit(True).alias("granted"),
        pl.col("signed_up_at").alias("occurred_at"),
        pl.lit(CONSENT_SOURCE).alias("source"),
    ).explode("purpose")
