"""The same command again gives the same bytes, whatever has been planned in between."""

from conftest import Replanned
from planned_shop import DAY, LATER, Shop, assert_same_files


def test_a_day_planned_again_after_a_later_one_is_the_same_byte_for_byte(
    shop: Shop, replanned: Replanned
) -> None:
    assert replanned.code == (0, 0)
    assert_same_files(replanned.shop.contents_of(DAY), shop.contents_of(DAY))


def test_the_later_day_is_another_plan(shop: Shop, replanned: Replanned) -> None:
    later = replanned.shop.plan(LATER)
    assert later["plan_date"].unique().to_list() == [LATER]
    assert later.height >= shop.plan().height
    assert not set(later["message_id"].drop_nulls()) & set(shop.plan()["message_id"].drop_nulls())


def test_mails_planned_but_not_yet_reported_as_sent_count(shop: Shop, replanned: Replanned) -> None:
    """The simulated shop never sends what was planned, so `DAY`'s sends are pending on `LATER`."""
    pending = shop.plan().filter(action="send").select("customer_id")
    counted = replanned.shop.plan(LATER).join(pending, on="customer_id", how="semi")
    assert counted.height > 100
    assert counted["n_sent_7d"].min() >= 1
