"""feat_customer of one date in plain pandas, from the same raw tables: what the dbt models are measured and checked against.

Here: groupby, merge and merge_asof as one would write them in a notebook. Not here: SQL, or any code of the product, so that
an error in one of the two shows as a difference. The constants are the variables of `dbt_project.yml`. Run as a script:
`pandas_features.py RAW AS_OF OUT`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

DEFAULT_MARGIN_RATE = 0.4
MACHINE_OPEN_SECONDS, MACHINE_CLICK_SECONDS, MACHINE_CLICK_BURST_SECONDS = 10, 5, 2
SESSION_GAP = pd.Timedelta(minutes=30)
HALF_LIFE_DAYS = {"fast": 30, "slow": 90}
DEVICE_DAYS = 180
NEW_CUSTOMER_DAYS, LOYAL_ORDER_DAYS = 30, 4
AT_RISK_MIN_DAYS, AT_RISK_GAPS, LAPSED_MIN_DAYS, LAPSED_GAPS = 60, 2, 180, 3

LEFT_OUT = {
    "n_offers_365d": "coupons are read from the JSON of every send, which would count against pandas",
    "n_offers_used_365d": "as n_offers_365d",
    "offer_use_rate_365d": "as n_offers_365d",
    "has_bad_experience_30d": "the rules of mood, rating and topic belong to the service model and its unit tests",
    "usual_hour": "circular statistics of the hours of activity",
    "usual_weekday": "as usual_hour",
    "usual_hour_share": "as usual_hour",
    "n_activity_365d": "as usual_hour",
    "utc_offset_hours_inferred": "a posterior over time zones with a prior of the country, no plain aggregate",
    "timezone_confidence": "as utc_offset_hours_inferred",
    "timezone_basis": "as utc_offset_hours_inferred",
    "top_topic": "comes from the decayed affinities of customers by product, a feature table of its own",
    "category_affinity_share": "as top_topic",
    "category_entropy": "as top_topic",
}
"""Columns of feat_customer that are not computed here, with the reason; dbt's time includes them all the same."""

SITE_EVENTS = (
    "Page Viewed", "Product Viewed", "Products Searched", "Content Viewed", "Product Added", "Product Removed", "Checkout Started",
)  # fmt: skip
EVENT_COLUMNS = [
    "event_id", "event", "occurred_at", "customer_id", "anonymous_id", "product_id", "order_id", "quantity", "price", "discount",
    "coupon", "message_id", "url", "device", "user_agent", "properties",
]  # fmt: skip
MACHINE_AGENTS = (
    "bot|crawler|spider|scanner|mimecast|proofpoint|barracuda|safelinks|symantec|cloudmark|trendmicro|mailguard|urldefense"
    "|headlesschrome|python-requests|curl/|wget/"
)
DEVICE_CLASSES = {
    **dict.fromkeys(("mobile", "phone", "smartphone", "ios", "android", "iphone"), "mobile"),
    **dict.fromkeys(("tablet", "ipad"), "tablet"),
    **dict.fromkeys(("desktop", "computer", "laptop", "pc", "web"), "desktop"),
}
HAND_HELD = ("mobile", "phone", "smartphone", "tablet", "ios", "android")
LONG_AGO = pd.Timestamp("0001-01-01")


def feat_customer(raw: Path, as_of: pd.Timestamp) -> pd.DataFrame:
    """All columns of feat_customer but `LEFT_OUT`, one row per customer known before `as_of`, in the order of their ids."""
    events = read_events(raw, as_of)
    customers = known_customers(raw, events, as_of)
    allowed = customers.index[customers["has_behaviour"]]
    catalogue = pd.read_parquet(raw / "products.parquet")
    lines = order_lines(events, catalogue)
    responses = message_responses(events)
    site = site_events(events, responses, as_of)
    bought = lines[lines["customer_id"].isin(allowed)]
    features = (
        customers.join(orders(bought, as_of))
        .join(rhythm(bought, as_of))
        .join(refunds(events, catalogue, allowed, as_of))
        .join(visits(site[site["customer_id"].isin(allowed)], as_of))
        .join(mail(events, responses, allowed, as_of))
        .join(tastes(bought, lines, catalogue, as_of))
        .join(service(events, allowed, as_of))
    )
    return completed(features, as_of).reset_index().sort_values("customer_id", ignore_index=True)


def read_events(raw: Path, as_of: pd.Timestamp) -> pd.DataFrame:
    """Everything that happened before the date."""
    return pd.read_parquet(
        raw / "events", columns=EVENT_COLUMNS, filters=[("occurred_at", "<", as_of)], partitioning=None
    )


def known_customers(raw: Path, events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Who is known by then, since when, and whether he lets his behaviour be looked at."""
    customers = pd.read_parquet(raw / "customers.parquet").set_index("customer_id")
    first_event_at = events.groupby("customer_id")["occurred_at"].min().reindex(customers.index)
    signed_up_at = customers["signed_up_at"].where(customers["signed_up_at"] < as_of)
    is_known = customers["signed_up_at"].isna() | signed_up_at.notna() | first_event_at.notna()
    consents = pd.read_parquet(raw / "consents.parquet").query(
        "purpose == 'profiling' and occurred_at < @as_of"
    )
    # Of two words at one moment the refusal holds.
    last_word = (
        consents.sort_values(["occurred_at", "granted"], ascending=[True, False])
        .groupby("customer_id")["granted"]
        .last()
    )
    has_behaviour = last_word.reindex(customers.index).astype("boolean").fillna(True).astype(bool)
    first_seen_at = pd.concat([signed_up_at, first_event_at.where(has_behaviour)], axis=1).min(axis=1)
    company = ["company_size", "industry", "job_role"]
    return pd.DataFrame(
        {
            "as_of": as_of.date(),
            "first_seen_at": first_seen_at,
            "tenure_days": days_before(first_seen_at, as_of),
            "signup_source": customers["signup_source"],
            "country": customers["country"],
            "is_business": customers[company].notna().any(axis=1),
            **{column: customers[column] for column in company},
            "has_behaviour": has_behaviour,
        }
    )[is_known]


def order_lines(events: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """One row per line of an order, with revenue and with the margin at the cost of that moment."""
    lines = events[events["event"] == "Order Completed"]
    lines = lines.assign(
        order_id=lines["order_id"].fillna(lines["event_id"]),
        quantity=lines["quantity"].fillna(1),
        price=lines["price"].fillna(0),
        discount=lines["discount"].fillna(0),
        date=lines["occurred_at"].dt.normalize(),
    )
    lines["gross"] = lines["quantity"] * lines["price"]
    lines["revenue"] = lines["gross"] - lines["discount"]
    return with_margin(lines, "revenue", catalogue)


def with_margin(rows: pd.DataFrame, amount: str, catalogue: pd.DataFrame) -> pd.DataFrame:
    """`margin`: the amount less the cost of the units; at the default rate where no cost is known."""
    versions = product_versions(catalogue)[["product_id", "valid_from", "cost"]]
    rows = pd.merge_asof(
        rows.sort_values("occurred_at"),
        versions,
        left_on="occurred_at",
        right_on="valid_from",
        by="product_id",
    )
    return rows.assign(
        margin=(rows[amount] - rows["quantity"] * rows["cost"]).fillna(rows[amount] * DEFAULT_MARGIN_RATE)
    )


def product_versions(catalogue: pd.DataFrame) -> pd.DataFrame:
    """The catalogue's rows by the moment from which they hold."""
    since_always = pd.Timestamp("1900-01-01")
    return catalogue.assign(
        valid_from=catalogue["updated_at"].astype("datetime64[us]").fillna(since_always)
    ).sort_values(["valid_from", "product_id"])


def orders(lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Frequency and value."""
    lines = lines.assign(discounted=lines["gross"].where(lines["discount"] > 0, 0))
    sums = ["quantity", "gross", "discounted", "discount", "revenue", "margin"]
    parts = lines.groupby(["customer_id", "order_id", "occurred_at"], as_index=False)[sums].sum()
    age_days = days_before(parts["occurred_at"], as_of)
    for speed, half_life in HALF_LIFE_DAYS.items():
        parts[f"revenue_decayed_{speed}"] = fixed(parts["revenue"] * 0.5 ** (age_days / half_life))
    by_customer = parts.groupby("customer_id")
    total = by_customer[[*sums, "revenue_decayed_fast", "revenue_decayed_slow"]].sum()
    columns = {
        "n_orders": by_customer["order_id"].nunique(),
        "n_units": total["quantity"],
        "bought": total["revenue"],
        "bought_margin": total["margin"],
        "revenue_decayed_fast": total["revenue_decayed_fast"],
        "revenue_decayed_slow": total["revenue_decayed_slow"],
        "first_order_at": by_customer["occurred_at"].min(),
        "last_order_at": by_customer["occurred_at"].max(),
        "discount_share": ratio(total["discounted"], total["gross"]),
        "mean_discount_depth": ratio(total["discount"], total["discounted"]),
        "n_coupon_orders": lines[lines["coupon"].notna()].groupby("customer_id")["order_id"].nunique(),
    }
    for days in (7, 30, 90, 180, 365):
        recent = since(parts, as_of, days).groupby("customer_id")
        columns[f"n_orders_{days}d"] = recent["order_id"].nunique()
        columns[f"bought_{days}d"] = recent["revenue"].sum()
    columns["bought_margin_365d"] = since(parts, as_of, 365).groupby("customer_id")["margin"].sum()
    return pd.DataFrame(columns)


def rhythm(lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Days with orders, and the gaps between them."""
    days = lines.drop_duplicates(["customer_id", "date"]).sort_values(["customer_id", "date"])[
        ["customer_id", "date"]
    ]
    days["gap"] = days.groupby("customer_id")["date"].diff().dt.days
    for speed, half_life in HALF_LIFE_DAYS.items():
        days[f"order_days_decayed_{speed}"] = fixed(0.5 ** ((as_of - days["date"]).dt.days / half_life))
    by_customer = days.groupby("customer_id")
    first, last = by_customer["date"].min(), by_customer["date"].max()
    return pd.DataFrame(
        {
            "n_order_days": by_customer.size(),
            "order_days_decayed_fast": by_customer["order_days_decayed_fast"].sum(),
            "order_days_decayed_slow": by_customer["order_days_decayed_slow"].sum(),
            "recency_days": (last - first).dt.days,
            "age_days": (as_of - first).dt.days,
            "mean_gap_days": by_customer["gap"].mean(),
            "std_gap_days": by_customer["gap"].std(),
            "median_gap_days": by_customer["gap"].median(),
        }
    )


def refunds(
    events: pd.DataFrame, catalogue: pd.DataFrame, allowed: pd.Index, as_of: pd.Timestamp
) -> pd.DataFrame:
    """What was given back."""
    rows = events[events["event"] == "Order Refunded"]
    rows = rows.assign(
        order_id=rows["order_id"].fillna(rows["event_id"]), quantity=rows["quantity"].fillna(1).abs()
    )
    rows["customer_id"] = rows["customer_id"].fillna(rows["event_id"].map(buyers(rows, events)))
    rows = rows[rows["customer_id"].isin(allowed)]
    rows["amount"] = (rows["quantity"] * rows["price"].fillna(0)).abs() - rows["discount"].fillna(0)
    rows = with_margin(rows, "amount", catalogue)
    by_customer = rows.groupby("customer_id")
    columns = {"refunded": by_customer["amount"].sum(), "refunded_margin": by_customer["margin"].sum()}
    for days in (7, 30, 90, 180, 365):
        recent = since(rows, as_of, days).groupby("customer_id")
        columns[f"n_refunds_{days}d"] = recent["order_id"].nunique()
        columns[f"refunded_{days}d"] = recent["amount"].sum()
        columns[f"refunded_margin_{days}d"] = recent["margin"].sum()
    return pd.DataFrame(columns)


def buyers(refunded: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """The one buyer of a refunded order, as far as the order had come by then; by the refund's event_id."""
    bought = events[(events["event"] == "Order Completed") & events["customer_id"].notna()]
    bought = bought.assign(order_id=bought["order_id"].fillna(bought["event_id"]))
    pairs = refunded[["event_id", "order_id", "occurred_at"]].merge(
        bought[["order_id", "customer_id", "occurred_at"]], on="order_id", suffixes=("", "_bought")
    )
    pairs = pairs[pairs["occurred_at_bought"] <= pairs["occurred_at"]].groupby("event_id")["customer_id"]
    return pairs.first()[pairs.nunique() == 1]


def message_responses(events: pd.DataFrame) -> pd.DataFrame:
    """Opens and clicks, with whose they are, whether a machine did it, and from when that is clear."""
    sent = (
        events[events["event"] == "Email Sent"]
        .assign(message_id=lambda rows: rows["message_id"].fillna(rows["event_id"]))
        .sort_values(["occurred_at", "event_id"])
        .drop_duplicates("message_id")
        .set_index("message_id")
    )
    delivered_at = events[events["event"] == "Email Delivered"].groupby("message_id")["occurred_at"].min()
    rows = events[events["event"].isin(["Email Opened", "Email Link Clicked"])]
    rows = rows.join(
        sent[["customer_id", "occurred_at"]].rename(
            columns={"customer_id": "recipient", "occurred_at": "sent_at"}
        ),
        on="message_id",
    )
    rows = rows.join(delivered_at.rename("delivered_at"), on="message_id")
    is_after_send = rows["sent_at"] <= rows["occurred_at"]
    arrived_at = rows["delivered_at"].where(rows["delivered_at"] <= rows["occurred_at"], rows["sent_at"])
    seconds = (rows["occurred_at"] - arrived_at).dt.total_seconds().where(is_after_send)
    is_click = rows["event"] == "Email Link Clicked"
    agent = rows["user_agent"]
    is_fast = seconds < np.where(is_click, MACHINE_CLICK_SECONDS, MACHINE_OPEN_SECONDS)
    is_agent = (agent.str.strip() == "Mozilla/5.0") | agent.str.lower().str.contains(MACHINE_AGENTS, na=False)
    is_machine = is_fast | is_agent | rows["event_id"].isin(click_bursts(rows[is_click]))
    # Where only the mail tells whose an answer is, it is no older than the mail.
    is_early = rows["customer_id"].isna() & (rows["sent_at"] > rows["occurred_at"])
    answered_at = rows["occurred_at"].where(~is_early, rows["sent_at"])
    known_at = answered_at + pd.to_timedelta(np.where(is_click, MACHINE_CLICK_BURST_SECONDS, 0), unit="s")
    return rows.assign(
        customer_id=rows["customer_id"].fillna(rows["recipient"]),
        occurred_at=answered_at,
        is_click=is_click,
        is_machine=is_machine,
        known_at=known_at,
    )


def click_bursts(clicks: pd.DataFrame) -> pd.Series:
    """Ids of clicks with another link of the same message clicked within seconds."""
    clicks = clicks.loc[
        clicks["message_id"].notna() & clicks["url"].notna(), ["event_id", "message_id", "url", "occurred_at"]
    ]
    pairs = clicks.merge(clicks, on="message_id", suffixes=("", "_other"))
    seconds = (pairs["occurred_at"] - pairs["occurred_at_other"]).dt.total_seconds().abs()
    return pairs.loc[
        (pairs["url"] != pairs["url_other"]) & (seconds <= MACHINE_CLICK_BURST_SECONDS), "event_id"
    ]


def identities(events: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    """Whose a browser or app is from which moment on; what came before the first link is his, too."""
    is_link = (
        events["anonymous_id"].notna()
        & events["customer_id"].notna()
        & ~events["event"].isin(["Email Opened", "Email Link Clicked"])
    )
    links = events[is_link].assign(known_at=lambda rows: rows["occurred_at"])
    clicks = responses[
        responses["is_click"]
        & ~responses["is_machine"]
        & responses["anonymous_id"].notna()
        & responses["customer_id"].notna()
    ]
    columns = ["anonymous_id", "customer_id", "known_at", "event_id"]
    moments = (
        pd.concat([links[columns], clicks[columns]])
        .sort_values(["anonymous_id", "known_at", "event_id"])
        .drop_duplicates(["anonymous_id", "known_at"])
    )
    before = moments.groupby("anonymous_id")["customer_id"].shift()
    spans = moments[before.isna() | (before != moments["customer_id"])]
    is_first = ~spans["anonymous_id"].duplicated()
    return spans.assign(valid_from=spans["known_at"].mask(is_first, LONG_AGO))


def site_events(events: pd.DataFrame, responses: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """What was done on the site, in sessions, with the person it is known to be of before `as_of`."""
    site = events[events["event"].isin(SITE_EVENTS)]
    site = site.assign(visitor_id=site["anonymous_id"].fillna(site["customer_id"])).dropna(
        subset="visitor_id"
    )
    site = with_sessions(site.sort_values(["visitor_id", "occurred_at", "event_id"]))
    spans = identities(events, responses)
    spans = spans[["anonymous_id", "valid_from", "known_at", "customer_id"]].sort_values("valid_from")
    is_unknown = site["customer_id"].isna()
    stitched = pd.merge_asof(
        site[is_unknown].drop(columns="customer_id").sort_values("occurred_at"),
        spans,
        left_on="occurred_at",
        right_on="valid_from",
        by="anonymous_id",
    )
    stitched["known_at"] = stitched[["known_at", "occurred_at"]].max(axis=1)
    named = site[~is_unknown].assign(known_at=lambda rows: rows["occurred_at"])
    columns = ["customer_id", "event", "occurred_at", "known_at", "session", "is_session_start", "device"]
    both = pd.concat([named[columns], stitched[columns]])
    return both[both["customer_id"].notna() & (both["known_at"] < as_of)]


def with_sessions(site: pd.DataFrame) -> pd.DataFrame:
    """`session`: a pause of more than 30 minutes begins another one, and so does a second midnight."""
    by_visitor = site.groupby("visitor_id")
    pause = by_visitor["occurred_at"].diff()
    is_start = pause.isna() | (pause > SESSION_GAP)
    date = site["occurred_at"].dt.normalize()
    stay_began_at = site["occurred_at"].groupby(is_start.cumsum()).transform("min")
    is_long = date - stay_began_at.dt.normalize() > pd.Timedelta(days=1)
    is_start = is_start | (is_long & (date != date.groupby(site["visitor_id"]).shift()))
    return site.assign(session=is_start.cumsum(), is_session_start=is_start)


def visits(site: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Sessions, views, carts, searches, devices."""
    by_customer = site.groupby("customer_id")
    device = site["device"].str.lower()
    hand_held = (
        site[device.isin(HAND_HELD)]
        .groupby("customer_id")
        .size()
        .reindex(by_customer.size().index, fill_value=0)
    )
    columns = {
        "last_visit_at": by_customer["occurred_at"].max(),
        "mobile_share": ratio(hand_held, by_customer["device"].count()),
    }
    for days in (7, 30, 90):
        columns[f"n_sessions_{days}d"] = since(site, as_of, days).groupby("customer_id")["session"].nunique()
    for name, event, days in (
        ("n_product_views_7d", "Product Viewed", 7),
        ("n_product_views_30d", "Product Viewed", 30),
        ("n_carts_30d", "Product Added", 30),
        ("n_searches_30d", "Products Searched", 30),
        ("n_content_views_90d", "Content Viewed", 90),
    ):
        columns[name] = since(site[site["event"] == event], as_of, days).groupby("customer_id").size()
    starts = since(site[site["is_session_start"]], as_of, DEVICE_DAYS)
    return pd.DataFrame(columns).join(device_shares(starts, "site"))


def mail(
    events: pd.DataFrame, responses: pd.DataFrame, allowed: pd.Index, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Messages, with human opens and clicks."""
    sent = events[events["event"] == "Email Sent"]
    sent = sent.assign(message_id=sent["message_id"].fillna(sent["event_id"]))
    sent = sent.sort_values(["occurred_at", "event_id"]).drop_duplicates("message_id")
    sent = sent[sent["customer_id"].isin(allowed)]
    known = responses[responses["known_at"] < as_of]
    human = known[~known["is_machine"] & known["message_id"].notna()]
    opens, clicks = human[~human["is_click"]], human[human["is_click"]]
    # Nobody answers a mail before it is sent.
    sent = sent.assign(
        is_opened=sent["message_id"].isin(opens.loc[opens["occurred_at"] >= opens["sent_at"], "message_id"]),
        is_clicked=sent["message_id"].isin(
            clicks.loc[clicks["occurred_at"] >= clicks["sent_at"], "message_id"]
        ),
    )
    columns = {}
    for days in (7, 30, 90, 180):
        recent = since(sent, as_of, days).groupby("customer_id")
        columns[f"n_emails_{days}d"] = recent.size()
        columns[f"n_human_opens_{days}d"] = recent["is_opened"].sum()
        columns[f"n_clicks_{days}d"] = recent["is_clicked"].sum()
    columns["last_open_at"] = (
        opens[opens["customer_id"].isin(allowed)].groupby("customer_id")["occurred_at"].max()
    )
    columns["last_click_at"] = (
        clicks[clicks["customer_id"].isin(allowed)].groupby("customer_id")["occurred_at"].max()
    )
    recent = since(known[known["customer_id"].isin(allowed)], as_of, 180)
    columns["machine_open_share_180d"] = (
        recent[~recent["is_click"]].groupby("customer_id")["is_machine"].mean()
    )
    return pd.DataFrame(columns).join(device_shares(recent[~recent["is_machine"]], "mail"), how="outer")


def device_shares(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Shares of the three kinds of device, and the most frequent one."""
    kinds = rows["device"].str.lower().map(DEVICE_CLASSES)
    counts = pd.crosstab(rows["customer_id"], kinds).reindex(
        columns=["mobile", "desktop", "tablet"], fill_value=0
    )
    shares = counts.div(counts.sum(axis=1), axis=0).add_prefix(f"{place}_").add_suffix("_share")
    # Of equally frequent ones the first.
    return shares.assign(**{f"{place}_device": counts.idxmax(axis=1)})


def tastes(
    bought: pd.DataFrame, lines: pd.DataFrame, catalogue: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """What kind of things are bought, and how dear they are for their kind."""
    products = products_at(lines, catalogue, as_of)
    purchases = (
        bought.groupby(["customer_id", "product_id", "date"], as_index=False)
        .agg(n_orders=("order_id", "nunique"), n_units=("quantity", "sum"))
        .merge(products, on="product_id")
    )
    purchases["weighted_position"] = fixed(purchases["price_position"] * purchases["n_orders"])
    placed = purchases[purchases["price_position"].notna()].groupby("customer_id")
    return pd.DataFrame(
        {
            "n_categories": purchases.groupby("customer_id")["category"].nunique(),
            "price_position": placed["weighted_position"].sum() / placed["n_orders"].sum(),
            "top_category": most_bought(purchases, "category"),
            "top_brand": most_bought(purchases, "brand"),
        }
    )


def products_at(lines: pd.DataFrame, catalogue: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Category, brand and price position of every product at the date; a price is the catalogue's, else the last one paid."""
    versions = product_versions(catalogue)
    newest = versions.drop_duplicates("product_id", keep="last").set_index("product_id")
    oldest = versions.drop_duplicates("product_id").set_index("product_id")
    valid = (
        versions[versions["valid_from"] < as_of]
        .drop_duplicates("product_id", keep="last")
        .set_index("product_id")
    )
    valid = valid.reindex(newest.index)
    paid = lines[lines["product_id"].notna() & (lines["price"] > 0)].sort_values(["occurred_at", "event_id"])
    paid = paid.groupby("product_id")["price"].last().reindex(newest.index)
    is_undated = newest["released_at"].isna() & valid["valid_from"].isna()
    fallback = oldest["price"].reindex(newest.index).where(is_undated)
    is_dated = valid["updated_at"].notna()
    price = valid["price"].fillna(paid).where(is_dated, paid.fillna(valid["price"]).fillna(fallback))
    is_released = newest["released_at"].isna() | (newest["released_at"] < as_of)
    by_category = price.where(is_released).groupby(newest["category"])
    position = (by_category.rank(method="min") - 1) / (by_category.transform("count") - 1).clip(lower=1)
    return newest[["category", "brand"]].assign(price_position=position).reset_index()


def most_bought(purchases: pd.DataFrame, kind: str) -> pd.Series:
    """The category or brand of most orders, then of most units, then the first by name."""
    sums = purchases.groupby(["customer_id", kind], as_index=False)[["n_orders", "n_units"]].sum()
    sums = sums.sort_values(
        ["customer_id", "n_orders", "n_units", kind], ascending=[True, False, False, True]
    )
    return sums.drop_duplicates("customer_id").set_index("customer_id")[kind]


def service(events: pd.DataFrame, allowed: pd.Index, as_of: pd.Timestamp) -> pd.DataFrame:
    """Contacts with the service, and ratings."""
    rows = events[
        events["event"].isin(["Support Contacted", "Review Submitted"]) & events["customer_id"].isin(allowed)
    ]
    said = rows["properties"].map(lambda text: json.loads(text).get("rating"), na_action="ignore")
    rows = rows.assign(rating=pd.to_numeric(said, errors="coerce")).sort_values(["occurred_at", "event_id"])
    contacts = rows[rows["event"] == "Support Contacted"]
    recent = since(rows, as_of, 180).groupby("customer_id")["rating"]
    return pd.DataFrame(
        {
            **{
                f"n_support_{days}d": since(contacts, as_of, days).groupby("customer_id").size()
                for days in (7, 30, 90)
            },
            "last_support_at": contacts.groupby("customer_id")["occurred_at"].max(),
            "mean_rating": rows.groupby("customer_id")["rating"].mean(),
            "mean_rating_180d": recent.mean(),
            "last_rating_180d": recent.last(),
        }
    )


def completed(features: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Counts and sums are 0 where nothing happened; what is made of several parts; only the published columns."""
    summed = ("n_", "bought", "refunded", "revenue_decayed", "order_days_decayed", "recency_days", "age_days")
    filled = features.assign(**{c: features[c].fillna(0) for c in features if c.startswith(summed)})
    f = filled.astype({c: "int64" for c in filled if c.startswith("n_")})
    made = {
        "repeat_days": (f["n_order_days"] - 1).clip(lower=0),
        "days_since_last_order": days_before(f["last_order_at"], as_of),
        "days_since_first_order": days_before(f["first_order_at"], as_of),
        "days_since_last_session": days_before(f["last_visit_at"], as_of),
        "days_since_last_open": days_before(f["last_open_at"], as_of),
        "days_since_last_click": days_before(f["last_click_at"], as_of),
        "days_since_last_support": days_before(f["last_support_at"], as_of),
        "avg_order_value": ratio(f["bought"], f["n_orders"]),
        "revenue_total": f["bought"] - f["refunded"],
        "margin_total": f["bought_margin"] - f["refunded_margin"],
        "margin_365d": f["bought_margin_365d"] - f["refunded_margin_365d"],
        "refund_rate": ratio(f["refunded"], f["bought"]).where(f["n_orders"] > 0),
        "coupon_order_share": ratio(f["n_coupon_orders"], f["n_orders"]),
        "gap_variation": f["std_gap_days"] / f["mean_gap_days"],
    }
    made["gaps_since_last_order"] = made["days_since_last_order"] / f["mean_gap_days"]
    for days in (7, 30, 90, 180, 365):
        made[f"revenue_{days}d"] = f[f"bought_{days}d"] - f[f"refunded_{days}d"]
    for days in (90, 180, 365):
        bought = f[f"bought_{days}d"]
        made[f"refund_rate_{days}d"] = f[f"refunded_{days}d"] / bought.where(bought > 0)
    for days in (7, 30, 90, 180):
        made[f"open_rate_{days}d"] = ratio(f[f"n_human_opens_{days}d"], f[f"n_emails_{days}d"])
        made[f"click_rate_{days}d"] = ratio(f[f"n_clicks_{days}d"], f[f"n_emails_{days}d"])
    for kind in ("open", "click"):
        made[f"{kind}_rate_trend"] = made[f"{kind}_rate_30d"] - made[f"{kind}_rate_90d"]
    parts = (
        "bought",
        "refunded",
        "n_coupon_orders",
        "n_refunds_7d",
        "last_visit_at",
        "last_open_at",
        "last_click_at",
        "last_support_at",
    )
    published = pd.concat([f.drop(columns=[c for c in f if c.startswith(parts)]), pd.DataFrame(made)], axis=1)
    return published.assign(lifecycle_stage=lifecycle_stage(published))


def lifecycle_stage(features: pd.DataFrame) -> pd.Series:
    """The first stage that fits."""
    gap, silence = features["mean_gap_days"].fillna(0), features["days_since_last_order"]
    n_days = features["n_order_days"]
    stages = [
        ("prospect", n_days == 0),
        ("lapsed", silence > (LAPSED_GAPS * gap).clip(lower=LAPSED_MIN_DAYS)),
        ("at_risk", silence > (AT_RISK_GAPS * gap).clip(lower=AT_RISK_MIN_DAYS)),
        ("new", (n_days == 1) & (features["days_since_first_order"] <= NEW_CUSTOMER_DAYS)),
        ("loyal", n_days >= LOYAL_ORDER_DAYS),
    ]
    chosen = np.select([is_it for _, is_it in stages], [name for name, _ in stages], default="active")
    return pd.Series(chosen, index=features.index)


def since(rows: pd.DataFrame, as_of: pd.Timestamp, days: int) -> pd.DataFrame:
    """The rows of the last `days` days."""
    return rows[rows["occurred_at"] >= as_of - pd.Timedelta(days=days)]


def days_before(moments: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    """Days from the moments to the date, with fractions."""
    return (as_of - moments).dt.total_seconds() / 86400


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Null where the whole is 0."""
    return part / whole.where(whole != 0)


def fixed(values: pd.Series) -> pd.Series:
    """To the sixth decimal, halves upwards, as the warehouse holds what it sums."""
    return np.floor(values * 1e6 + 0.5) / 1e6


def main(arguments: Iterable[str]) -> None:
    """Write the features as one Parquet file."""
    raw, as_of, out = arguments
    feat_customer(Path(raw), pd.Timestamp(as_of)).to_parquet(out, index=False)


if __name__ == "__main__":
    main(sys.argv[1:])
