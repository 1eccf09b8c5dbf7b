"""What the trial of contents holds for the truth."""

import polars as pl
from content_tables import AS_OF, contents, interactions, products, reads

from benchmarks.evaluate.contents import true_order
from models.contents import ContentSnapshot
from shop.articles import ARTICLES
from shop.catalogue import SUBCATEGORY_NAMES

RUNNING, YOGA, CYCLING = "Evening Track Session", "Slow Flow for Stiff Backs", "Fix a Flat in Five Minutes"


def test_the_truth_ranks_what_is_unread_by_the_taste_for_its_main_category() -> None:
    assert {RUNNING, YOGA, CYCLING} <= {title for title, *_ in ARTICLES}
    snapshot = ContentSnapshot(
        AS_OF,
        reads([("ann", "bike", 3.0)]),
        contents(
            [
                {"content_id": "run", "title": RUNNING},
                {"content_id": "flow", "title": YOGA},
                {"content_id": "bike", "title": CYCLING},
            ]
        ),
        interactions([]),
        products([]),
    )
    labels = pl.DataFrame({"customer_id": ["ann"], "content_id": ["run"], "as_of": [AS_OF], "n_views": [1]})
    tastes = pl.DataFrame(
        {"customer_id": ["ann"]} | {name: [2.0 if "Yoga" in name else 0.1] for name in SUBCATEGORY_NAMES}
    )
    order = true_order(snapshot, labels, tastes)
    assert order["content_id"].to_list() == ["flow", "run"]
    assert order["rank"].to_list() == [1, 2]
