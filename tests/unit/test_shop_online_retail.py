"""Online Retail II comes in as the landing contract wants it, line for line, whatever file it is in."""

import hashlib
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop import landing as contract
from shop.online_retail import COLUMNS, OnlineRetailError, import_online_retail

REAL_FILE = Path(__file__).parents[2].parent / "shared" / "data" / "online_retail_II.parquet"
HEART = "WHITE HANGING HEART T-LIGHT HOLDER"
Line = tuple[str, str, str | None, int, datetime, float, int | None, str]


def utc(text: str) -> datetime:
    """A naive UTC time, as tables hold them."""
    return datetime.fromisoformat(text)


FIRST_DAY = utc("2010-12-01T08:26")


def line(
    invoice: str,
    code: str,
    quantity: int,
    price: float,
    *,
    at: datetime = FIRST_DAY,
    customer: int | None = 17850,
    country: str = "United Kingdom",
    description: str | None = HEART,
) -> Line:
    return (invoice, code, description, quantity, at, price, customer, country)


def frame(*lines: Line) -> pl.DataFrame:
    schema = dict(
        zip(
            COLUMNS,
            (pl.String, pl.String, pl.String, pl.Int64, pl.Datetime("us"), pl.Float64, pl.Int64, pl.String),
            strict=True,
        )
    )
    return pl.DataFrame(list(lines), schema=schema, orient="row")


SMALL = frame(
    line("536365", "85123a", 6, 2.55),
    line("536365", "85123A", 6, 2.55),
    line("536365", "POST", 1, 18.0, description="POSTAGE"),
    line("536366", "22752", 2, 7.65, customer=None, description="SET 7 BABUSHKA NESTING BOXES"),
    line("536370", "22728", 24, 3.75, at=utc("2011-06-01T09:00"), customer=12583, country="France"),
    line("C536379", "85123A", -1, 2.95, at=utc("2011-07-01T09:41")),
    line("536380", "85123A", -10, 0.0, customer=None, description="damaged"),
    line("536381", "GIFT_0001_20", 1, 17.02, description="Gift Voucher"),
    line("536382", "85123A", 3, 3.25, at=utc("2011-08-01T09:41"), country="Atlantis", customer=99),
)


class Imported:
    """A source written to disk, imported, and read again."""

    def __init__(self, folder: Path, source: pl.DataFrame | Path) -> None:
        self.landing = folder / "landing"
        if isinstance(source, pl.DataFrame):
            source.write_parquet(folder / "source.parquet")
            source = folder / "source.parquet"
        self.summary = import_online_retail(source, self.landing)
        self.customers, self.products, self.events, self.consents = (
            pl.read_parquet(self.landing / table / "*.parquet")
            for table in ("customers", "products", "events", "consents")
        )


@pytest.fixture
def small(tmp_path: Path) -> Imported:
    return Imported(tmp_path, SMALL)


def test_lines_become_orders_and_cancellations_refunds(small: Imported) -> None:
    assert small.events.select("event_id", "event", "product_id", "order_id", "quantity", "price").rows() == [
        ("or2-536365-0001", "Order Completed", "85123A", "536365", 6, 2.55),
        ("or2-536365-0002", "Order Completed", "85123A", "536365", 6, 2.55),
        ("or2-536366-0001", "Order Completed", "22752", "536366", 2, 7.65),
        ("or2-536370-0001", "Order Completed", "22728", "536370", 24, 3.75),
        ("or2-C536379-0001", "Order Refunded", "85123A", "C536379", 1, 2.95),
        ("or2-536382-0001", "Order Completed", "85123A", "536382", 3, 3.25),
    ]


def test_london_summer_time_becomes_utc(small: Imported) -> None:
    at = dict(small.events.select("order_id", "occurred_at").iter_rows())
    assert at["536365"] == utc("2010-12-01T08:26")
    assert at["536370"] == utc("2011-06-01T08:00")


def test_what_is_left_out_is_counted_by_reason(small: Imported) -> None:
    summary = small.summary
    assert summary.left_out == {"fee code GIFT_0001_20": 1, "fee code POST": 1, "price not above 0": 1}
    assert (summary.lines, summary.order_lines, summary.refund_lines, summary.anonymous_lines) == (9, 5, 1, 1)
    assert summary.unknown_countries == ("Atlantis",)
    assert any("consents" in assumption for assumption in summary.assumptions)


def test_lines_without_customer_are_anonymous(small: Imported) -> None:
    anonymous = small.events.filter(pl.col("customer_id").is_null())
    assert anonymous["anonymous_id"].to_list() == ["invoice:536366"]
    assert small.events.filter(pl.col("customer_id").is_not_null())["anonymous_id"].null_count() == 5


def test_customers_have_reserved_addresses_and_the_zone_of_their_country(small: Imported) -> None:
    rows = small.customers.select(
        "customer_id", "email", "country", "timezone", "locale", "signed_up_at"
    ).rows()
    assert rows == [
        (
            "12583",
            "customer-12583@online-retail.invalid",
            "FR",
            "Europe/Paris",
            "fr-FR",
            utc("2011-06-01T08:00"),
        ),
        (
            *("17850", "customer-17850@online-retail.invalid", "GB", "Europe/London", "en-GB"),
            utc("2010-12-01T08:26"),
        ),
        ("99", "customer-99@online-retail.invalid", None, None, None, utc("2011-08-01T08:41")),
    ]


def test_consent_is_assumed_at_the_first_invoice_and_says_so(small: Imported) -> None:
    mine = small.consents.filter(pl.col("customer_id") == "17850")
    assert mine["purpose"].to_list() == ["email_marketing", "profiling", "tracking"]
    assert mine["occurred_at"].unique().to_list() == [utc("2010-12-01T08:26")]
    assert small.consents["source"].unique().to_list() == ["assumed:online_retail_import"]
    assert small.consents["granted"].all()


def test_products_are_named_priced_and_shelved_from_the_past_alone(small: Imported) -> None:
    heart = small.products.row(by_predicate=pl.col("product_id") == "85123A", named=True)
    assert heart["name"] == "White Hanging Heart T-Light Holder"
    assert heart["category"] == "Lights & candles"
    assert heart["price"] == 2.55
    assert heart["currency"] == "GBP"
    assert heart["released_at"] == utc("2010-12-01T08:26")
    assert heart["in_stock"] is None
    boxes = small.products.row(by_predicate=pl.col("product_id") == "22752", named=True)
    assert (boxes["name"], boxes["category"]) == ("Set 7 Babushka Nesting Boxes", "Storage")


def test_tables_use_columns_and_types_of_the_contract(small: Imported) -> None:
    for table, schema in (
        (small.customers, contract.CUSTOMERS),
        (small.products, contract.PRODUCTS),
        (small.events, contract.EVENTS),
        (small.consents, contract.CONSENTS),
    ):
        assert dict(table.schema).items() <= schema.items()


def test_csv_and_xlsx_give_the_same_tables_as_parquet(tmp_path: Path, small: Imported) -> None:
    csv = tmp_path / "source.csv"
    SMALL.with_columns(pl.col("Customer ID").cast(pl.Float64)).write_csv(
        csv, datetime_format="%Y-%m-%d %H:%M:%S"
    )
    xlsx = tmp_path / "source.xlsx"
    write_xlsx(xlsx, {"Year 2009-2010": SMALL[:3], "Year 2010-2011": SMALL[3:]})
    for source in (csv, xlsx):
        (tmp_path / source.suffix).mkdir()
        other = Imported(tmp_path / source.suffix, source)
        assert other.summary == small.summary
        for table in ("customers", "products", "events", "consents"):
            assert getattr(other, table).equals(getattr(small, table)), (source.suffix, table)


def test_days_that_both_sheets_hold_come_in_once(tmp_path: Path) -> None:
    old = frame(
        line("530000", "22752", 1, 7.65, at=utc("2010-11-01T09:00")),
        line("536365", "85123A", 6, 2.55),
        line("536365", "85123A", 6, 2.55),
    )
    new = frame(
        line("536365", "85123A", 6, 2.55),
        line("536365", "85123A", 6, 2.55),
        line("540000", "22752", 1, 7.65, at=utc("2011-01-09T09:00")),
    )
    write_xlsx(tmp_path / "both.xlsx", {"Year 2009-2010": old, "Year 2010-2011": new})
    pl.concat([old, frame(line("536300", "22752", 1, 7.65, at=utc("2010-12-08T00:00"))), new]).write_csv(
        tmp_path / "both.csv", datetime_format="%Y-%m-%d %H:%M:%S"
    )
    for name, orders in (("both.xlsx", 4), ("both.csv", 5)):
        (tmp_path / name[-3:]).mkdir()
        imported = Imported(tmp_path / name[-3:], tmp_path / name)
        assert imported.summary.repeated_lines == 2
        assert imported.summary.order_lines == orders


def test_importing_again_changes_nothing_and_leaves_other_files_alone(
    tmp_path: Path, small: Imported
) -> None:
    other = small.landing / "events" / "mail.jsonl"
    other.write_text("{}\n", encoding="utf-8")
    before = digests(small.landing)
    import_online_retail(tmp_path / "source.parquet", small.landing)
    assert digests(small.landing) == before


@settings(max_examples=25)
@given(data=st.data())
def test_every_line_is_accounted_for_and_order_of_lines_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = data.draw(
        st.lists(
            st.builds(
                line,
                st.sampled_from(["536365", "536366", "C536367", "A536368"]),
                st.sampled_from(["85123A", "85123a", "22752", "POST", "M", "GIFT_0001_30"]),
                st.integers(-5, 5),
                st.sampled_from([0.0, 1.25, -3.0, 7.65]),
                at=st.sampled_from([utc("2011-03-01T09:00"), utc("2011-03-01T09:01")]),
                customer=st.sampled_from([None, 1, 2]),
            ),
            min_size=1,
            max_size=25,
        )
    )
    lines.append(line("600000", "85123A", 1, 1.0, at=utc("2011-03-02T00:00")))
    one, two = (tmp_path_factory.mktemp("import") for _ in range(2))
    first = Imported(one, frame(*lines))
    second = Imported(two, frame(*data.draw(st.permutations(lines))))
    summary = first.summary
    assert summary.lines == (
        summary.order_lines + summary.refund_lines + sum(summary.left_out.values()) + summary.repeated_lines
    )
    assert first.events["event_id"].is_unique().all()
    assert (first.events["quantity"] > 0).all()
    assert (first.events["price"] > 0).all()
    assert first.events.equals(second.events)
    assert first.customers.equals(second.customers)
    assert first.products.equals(second.products)


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.xlsx does not exist\. Download Online Retail II"):
        import_online_retail(tmp_path / "nowhere.xlsx", tmp_path / "landing")


def test_a_missing_column_is_named_with_file_and_remedy(tmp_path: Path) -> None:
    SMALL.drop("Customer ID").write_parquet(tmp_path / "short.parquet")
    with pytest.raises(
        OnlineRetailError, match=r"short\.parquet has no column 'Customer ID'; it has Invoice, .*original"
    ):
        import_online_retail(tmp_path / "short.parquet", tmp_path / "landing")
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize("name", ["broken.parquet", "broken.xlsx"])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not what it says")
    with pytest.raises(OnlineRetailError, match=rf"{name} cannot be read as .*; get it anew"):
        import_online_retail(tmp_path / name, tmp_path / "landing")


def test_a_csv_in_another_encoding_is_named(tmp_path: Path) -> None:
    text = SMALL.with_columns(pl.lit("CAFÉ £5").alias("Description")).write_csv()
    (tmp_path / "latin.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(OnlineRetailError, match=r"latin\.csv cannot be read as csv.*must be UTF-8"):
        import_online_retail(tmp_path / "latin.csv", tmp_path / "landing")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sales.pdf").write_bytes(b"%PDF")
    with pytest.raises(OnlineRetailError, match=r"sales\.pdf is not one of \.parquet, \.csv, \.xlsx"):
        import_online_retail(tmp_path / "sales.pdf", tmp_path / "landing")


def test_dates_in_another_format_are_named_with_row_and_remedy(tmp_path: Path) -> None:
    SMALL.write_csv(tmp_path / "dates.csv", datetime_format="%d/%m/%Y %H:%M")
    with pytest.raises(
        OnlineRetailError,
        match=r"'InvoiceDate' .* in 9 of 9 rows, first in data row 1 \('01/12/2010 08:26'\); write dates",
    ):
        import_online_retail(tmp_path / "dates.csv", tmp_path / "landing")


def test_a_single_unreadable_value_is_left_out_and_counted(tmp_path: Path) -> None:
    many = pl.concat([SMALL] * 20).with_columns(pl.col("Price").cast(pl.String))
    many = many.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("two")).otherwise("Price").alias("Price")
    )
    imported = Imported(tmp_path, many)
    assert imported.summary.left_out["unreadable Price"] == 1
    assert imported.summary.order_lines == 5 * 20 - 1


def test_a_file_without_order_lines_is_refused(tmp_path: Path) -> None:
    SMALL.filter(pl.col("StockCode") == "POST").write_parquet(tmp_path / "fees.parquet")
    with pytest.raises(OnlineRetailError, match=r"fees\.parquet holds no order line"):
        import_online_retail(tmp_path / "fees.parquet", tmp_path / "landing")


@pytest.mark.skipif(not REAL_FILE.is_file(), reason=f"the real Online Retail II file is not at {REAL_FILE}")
def test_the_real_file_comes_in_whole(tmp_path: Path) -> None:
    imported = Imported(tmp_path, REAL_FILE)
    summary = imported.summary
    assert summary.lines == 1_044_847
    assert summary.customers == imported.customers.height == 5_942
    assert summary.order_lines + summary.refund_lines + sum(summary.left_out.values()) == summary.lines
    assert imported.events["event_id"].is_unique().all()
    assert imported.events["product_id"].is_in(imported.products["product_id"].implode()).all()
    assert (imported.products["category"] == "Other gifts").mean() < 0.12
    assert imported.customers["timezone"].null_count() < 15
    assert (summary.first_at, summary.last_at) == (
        utc("2009-12-01T07:45"),
        utc("2011-12-09T12:50"),
    )


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_xlsx(path: Path, sheets: dict[str, pl.DataFrame]) -> None:
    """A small workbook in which, as in the original, invoice and stock codes of digits alone are numbers."""
    office = "http://schemas.openxmlformats.org"
    main, related = f"{office}/spreadsheetml/2006/main", f"{office}/officeDocument/2006/relationships"
    package = f"{office}/package/2006"
    numbers = range(1, len(sheets) + 1)
    content = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{content}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{content}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{content}.worksheet+xml"/>'
            for n in numbers
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{related}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{related}"><sheets>'
        + "".join(
            f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>'
            for n, name in zip(numbers, sheets, strict=True)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{related}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in numbers
        )
        + f'<Relationship Id="rId99" Type="{related}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2">'
        '<xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
    }
    for n, sheet in zip(numbers, sheets.values(), strict=True):
        rows = [sheet.columns, *sheet.iter_rows()]
        parts[f"xl/worksheets/sheet{n}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>'
            + "".join(
                f'<row r="{r}">'
                + "".join(cell(f"{'ABCDEFGH'[c]}{r}", value) for c, value in enumerate(row))
                + "</row>"
                for r, row in enumerate(rows, start=1)
            )
            + "</sheetData></worksheet>"
        )
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)


def cell(place: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f'<c r="{place}" s="1"><v>{(value - utc("1899-12-30T00:00")) / timedelta(days=1)!r}</v></c>'
    if isinstance(value, int | float) or str(value).isdigit():
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
