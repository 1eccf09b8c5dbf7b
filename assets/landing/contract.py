"""The five landing tables as data: the one source for readers, checks, documentation and column metadata.

Only facts about the contract belong here; how a fact is checked belongs in `checking`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from zoneinfo import available_timezones

import polars as pl

CONTRACT_VERSION = "3"
"""Raised whenever the same file would be read into other rows; a new version re-reads all files."""

EVENT_NAMES = (
    "Page Viewed",
    "Product Viewed",
    "Products Searched",
    "Content Viewed",
    "Product Added",
    "Product Removed",
    "Checkout Started",
    "Order Completed",
    "Order Refunded",
    "Email Sent",
    "Email Delivered",
    "Email Opened",
    "Email Link Clicked",
    "Email Bounced",
    "Email Marked as Spam",
    "Subscribed",
    "Unsubscribed",
    "Support Contacted",
    "Review Submitted",
)
CONTENT_KINDS = ("article", "video", "podcast", "webinar", "event")
PURPOSES = ("email_marketing", "profiling", "tracking")
TIMEZONES = tuple(sorted(available_timezones()))


@dataclass(frozen=True)
class Shape:
    """A textual form: `pattern` (in the syntax of Rust's regex) is found in the value; `example` is a correct one."""

    pattern: str
    example: str


EMAIL = Shape(
    r"""^[^@\s\p{C}\p{Z}<>()\[\]\\,;:"]+@(?:[\p{L}\p{M}\p{N}-]+\.)+[\p{L}\p{M}\p{N}-]+$""",
    "ann@example.org",
)
IDENTIFIER = Shape(r"""^(?:[^\[{]|\{[^"}])""", "c-1042")
"""A plain value, not a JSON list or object; a GUID in braces is one."""
LARGEST_AMOUNT = 1e9
"""No price, discount, cost or quantity is larger."""
LOCALE = Shape(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", "de-CH")
COUNTRY = Shape(r"^[A-Z]{2}$", "CH")
CURRENCY = Shape(r"^[A-Z]{3}$", "EUR")


@dataclass(frozen=True)
class Column:
    """One column of a landing table.

    Attributes:
        name: the name in the file and in `raw/`.
        dtype: the type in `raw/`; times are naive UTC.
        description: meaning and unit.
        required: the column must exist and no row may leave it empty.
        essential: a bad value quarantines the row. Other bad values become null and are quarantined alone.
        allowed: the only values allowed, where not empty.
        shape: the form of the text.
        minimum: the smallest value, for numbers.
        maximum: the largest value, for numbers.
        earliest: the earliest time that is believed.
        past: the time lies in the past; one day of clock error is tolerated.
        is_json: the text is JSON.
        personal: identifies a person; kept out of previews.
    """

    name: str
    dtype: pl.DataType
    description: str
    required: bool = False
    essential: bool = False
    allowed: tuple[str, ...] = ()
    shape: Shape | None = None
    minimum: float | None = None
    maximum: float | None = None
    earliest: datetime | None = None
    past: bool = False
    is_json: bool = False
    personal: bool = False

    @property
    def breaks_row(self) -> bool:
        """Whether a bad value takes the whole row into quarantine."""
        return self.required or self.essential


class Keep(Enum):
    """Which of several rows with one id stays."""

    NEWEST_FILE = "the file whose path sorts last, and in it the last row"
    EARLIEST = "the earliest occurred_at, then the smallest content"
    ALL = "every distinct row"


@dataclass(frozen=True)
class Table:
    """One landing table.

    Attributes:
        name: file or folder name below `landing/`.
        description: what one row is.
        columns: all columns, in the order of `raw/`.
        ids: the columns that identify a row; an empty value counts as one.
        keep: which row stays where ids repeat.
        order: total order of the rows in `raw/`.
        required: whether a landing folder without it is refused.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    ids: tuple[str, ...]
    keep: Keep
    order: tuple[str, ...]
    required: bool

    @property
    def schema(self) -> pl.Schema:
        """Names and types in `raw/`."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def names(self) -> tuple[str, ...]:
        """All column names."""
        return tuple(column.name for column in self.columns)


TEXT, NUMBER, WHOLE, FLAG = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean()
TIME, DAY = pl.Datetime("us"), pl.Date()
_SHOP_START = datetime(1990, 1, 1)  # noqa: DTZ001  (tables hold naive UTC)
_BIRTH_START = datetime(1900, 1, 1)  # noqa: DTZ001

CUSTOMERS = Table(
    name="customers",
    description="One row per known customer; a newer file replaces what an older one said about him.",
    columns=(
        Column("customer_id", TEXT, "The shop's own id of the customer.", shape=IDENTIFIER, required=True),
        Column("email", TEXT, "Address that mail goes to.", required=True, shape=EMAIL, personal=True),
        Column("first_name", TEXT, "Given name, as used in a salutation.", personal=True),
        Column("last_name", TEXT, "Family name.", personal=True),
        Column("locale", TEXT, "Language and region of the customer, BCP 47.", shape=LOCALE),
        Column(
            "timezone", TEXT, "IANA time zone in which quiet hours and send times hold.", allowed=TIMEZONES
        ),
        Column("country", TEXT, "ISO 3166-1 alpha-2 code.", shape=COUNTRY),
        Column("region", TEXT, "State, canton or region."),
        Column("city", TEXT, "Town."),
        Column("signed_up_at", TIME, "When the customer became known, UTC.", earliest=_SHOP_START, past=True),
        Column("signup_source", TEXT, "Where the customer came from."),
        Column(
            "birth_date",
            DAY,
            "Date of birth; for birthday mail and audits, never a feature.",
            earliest=_BIRTH_START,
            past=True,
            personal=True,
        ),
        Column(
            "gender", TEXT, "As stated by the customer; for audits alone, never a feature.", personal=True
        ),
        Column("company", TEXT, "Employer, in business to business."),
        Column("industry", TEXT, "Industry of the employer."),
        Column("job_role", TEXT, "Role at the employer."),
        Column("company_size", TEXT, "Size class of the employer."),
    ),
    ids=("customer_id",),
    keep=Keep.NEWEST_FILE,
    order=("customer_id",),
    required=True,
)

PRODUCTS = Table(
    name="products",
    description=(
        "One row per product and `updated_at`: rows of one product with different times are its history, in price, "
        "cost and stock; the newest one says what the product is now. A newer file replaces what an older one said "
        "of the same time."
    ),
    columns=(
        Column("product_id", TEXT, "The shop's own id of the product.", shape=IDENTIFIER, required=True),
        Column("name", TEXT, "Name as a recipient reads it.", required=True),
        Column("category", TEXT, "Category."),
        Column("subcategory", TEXT, "Category below the category."),
        Column("brand", TEXT, "Brand."),
        Column(
            "price",
            NUMBER,
            "Price of one unit, in `currency`.",
            essential=True,
            minimum=0.0,
            maximum=LARGEST_AMOUNT,
        ),
        Column(
            "cost",
            NUMBER,
            "What one unit costs the shop, in `currency`.",
            minimum=0.0,
            maximum=LARGEST_AMOUNT,
        ),
        Column("currency", TEXT, "ISO 4217 code.", shape=CURRENCY),
        Column("image_url", TEXT, "Picture."),
        Column("url", TEXT, "Product page."),
        Column("in_stock", FLAG, "Whether it can be delivered now."),
        Column("is_consumable", FLAG, "Whether it is used up and bought again."),
        Column("is_sensitive", FLAG, "Whether a mail must never name it unasked."),
        Column("released_at", TIME, "When it came or comes on sale, UTC.", earliest=_BIRTH_START),
        Column(
            "updated_at",
            TIME,
            "When this row became true, UTC; empty for since always. Several rows of one product with different times "
            "are its history.",
            essential=True,
            earliest=_SHOP_START,
            past=True,
        ),
    ),
    ids=("product_id", "updated_at"),
    keep=Keep.NEWEST_FILE,
    order=("product_id", "updated_at"),
    required=False,
)

CONTENTS = Table(
    name="contents",
    description="One row per article, video, podcast, webinar or event; a newer file replaces an older one.",
    columns=(
        Column("content_id", TEXT, "The publisher's own id of the content.", shape=IDENTIFIER, required=True),
        Column("title", TEXT, "Title as a recipient reads it.", required=True),
        Column("kind", TEXT, "What it is.", allowed=CONTENT_KINDS),
        Column("summary", TEXT, "A sentence or two."),
        Column("topics", TEXT, "Topics it is about."),
        Column("url", TEXT, "Its page."),
        Column("image_url", TEXT, "Picture."),
        Column("published_at", TIME, "When it was or will be published, UTC.", earliest=_BIRTH_START),
        Column("starts_at", TIME, "When a webinar or event begins, UTC.", earliest=_BIRTH_START),
        Column("city", TEXT, "Where an event takes place."),
    ),
    ids=("content_id",),
    keep=Keep.NEWEST_FILE,
    order=("content_id",),
    required=False,
)

EVENTS = Table(
    name="events",
    description="One row per thing that happened, in the words of the Segment e-commerce and e-mail specs.",
    columns=(
        Column("event_id", TEXT, "Unique id of the event.", shape=IDENTIFIER, required=True),
        Column("event", TEXT, "What happened.", required=True, allowed=EVENT_NAMES),
        Column("occurred_at", TIME, "When it happened, UTC.", required=True, earliest=_SHOP_START, past=True),
        Column("customer_id", TEXT, "Who did it; empty for an unknown visitor.", shape=IDENTIFIER),
        Column("anonymous_id", TEXT, "Browser or device id of a visitor.", shape=IDENTIFIER),
        Column("product_id", TEXT, "Product concerned.", shape=IDENTIFIER),
        Column("content_id", TEXT, "Content concerned.", shape=IDENTIFIER),
        Column("order_id", TEXT, "Order concerned; an order has one row per line.", shape=IDENTIFIER),
        Column("quantity", WHOLE, "Units.", essential=True, minimum=0, maximum=LARGEST_AMOUNT),
        Column("price", NUMBER, "Price of one unit.", essential=True, minimum=0.0, maximum=LARGEST_AMOUNT),
        Column(
            "discount",
            NUMBER,
            "Discount on the whole line.",
            essential=True,
            minimum=0.0,
            maximum=LARGEST_AMOUNT,
        ),
        Column("coupon", TEXT, "Coupon code used."),
        Column("message_id", TEXT, "Message concerned, for e-mail events.", shape=IDENTIFIER),
        Column("url", TEXT, "Page or link."),
        Column("query", TEXT, "What was searched for."),
        Column("device", TEXT, "Kind of device."),
        Column("user_agent", TEXT, "User agent; tells machine opens from people's."),
        Column("properties", TEXT, "Anything else, as a JSON object.", is_json=True),
    ),
    ids=("event_id",),
    keep=Keep.EARLIEST,
    order=("occurred_at", "event_id"),
    required=True,
)

CONSENTS = Table(
    name="consents",
    description="One row per statement of consent; append-only, the latest one holds.",
    columns=(
        Column("customer_id", TEXT, "Who said it.", shape=IDENTIFIER, required=True),
        Column("purpose", TEXT, "What it is about.", required=True, allowed=PURPOSES),
        Column("granted", FLAG, "Whether consent was given (true) or withdrawn (false).", required=True),
        Column("occurred_at", TIME, "When it was said, UTC.", required=True, earliest=_SHOP_START, past=True),
        Column("source", TEXT, "Where it was said."),
    ),
    ids=(),
    keep=Keep.ALL,
    order=("customer_id", "purpose", "occurred_at", "granted", "source"),
    required=False,
)

TABLES = MappingProxyType({table.name: table for table in (CUSTOMERS, PRODUCTS, CONTENTS, EVENTS, CONSENTS)})
"""All landing tables by name."""
