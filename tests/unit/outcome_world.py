"""Outcomes of a made-up shop in which it is known what each mail adds, to whom it goes, and who is held back."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models.outcomes import OUTCOME_COLUMNS

FIRST = date(2025, 3, 3)
MESSAGES = np.array(["news", "win_back"])
MARGIN = 20.0
REVENUE = 50.0


@dataclass(frozen=True)
class OutcomeWorld:
    """Customers who order at rates of their own, and mails that add orders on their day.

    Frequent buyers get `news` and subject `b` more often than others, by chances that are logged; members of the control
    group are drawn by lot. A mail is opened by every second, and every order of an opened mail's day is attributed to it.
    """

    customers: int = 900
    days: int = 6
    control_share: float = 0.25
    effect: tuple[float, float] = (0.05, 0.15)
    effect_of_b: float = 0.05
    days_before: float = 80.0
    mail_chance: float = 0.6

    def outcomes(self, seed: int) -> pl.DataFrame:
        """A frame of OUTCOME_COLUMNS, a row per customer and day."""
        rng = np.random.default_rng(seed)
        rate = rng.gamma(0.6, 0.25, self.customers)
        before = rng.poisson(rate * self.days_before)
        who = np.tile(np.arange(self.customers), self.days)
        often = (rate > np.median(rate))[who]
        is_control = (rng.random(self.customers) < self.control_share)[who]
        n = len(who)
        is_due = rng.random(n) < self.mail_chance
        message = (rng.random(n) > np.where(often, 0.8, 0.3)).astype(int)
        chance_b = np.where(often, 0.8, 0.2)
        is_b = rng.random(n) < chance_b
        is_sent = is_due & ~is_control
        added = is_sent * (np.asarray(self.effect)[message] + self.effect_of_b * is_b)
        orders = (rng.poisson(rate[who]) + rng.poisson(added)).astype(float)
        is_open = is_sent & (rng.random(n) < 0.5)
        attributed = np.where(is_open, orders, 0.0)
        key = MESSAGES[message]
        frame = pl.DataFrame(
            {
                "plan_date": [FIRST + timedelta(days=int(day)) for day in np.arange(n) // self.customers],
                "customer_id": who,
                "message": key,
                "is_control": is_control,
                "is_due": is_due,
                "is_sent": is_sent,
                "opened": is_open,
                "variant": np.where(is_b, "b", "a"),
                "propensity_variant": np.where(is_b, chance_b, 1 - chance_b),
                "orders": orders,
                "attributed": attributed,
                "before": before[who].astype(float),
                "segment": np.where(often, "frequent", "rare"),
            }
        )
        sent, held = pl.col("is_sent"), pl.col("is_due") & pl.col("is_control")
        known = frame.select(
            "plan_date",
            "segment",
            "is_control",
            "is_sent",
            "propensity_variant",
            pl.format("c{}", "customer_id").alias("customer_id"),
            action=pl.when(sent)
            .then(pl.lit("send"))
            .when(held)
            .then(pl.lit("control"))
            .otherwise(pl.lit("hold")),
            message_key=pl.when(sent).then("message"),
            control_message_key=pl.when(held).then("message"),
            subject_variant=pl.when(sent).then("variant"),
            is_human_open=pl.when(sent).then("opened"),
            is_human_click=pl.when(sent).then(pl.lit(False)),
            is_unsubscribed=pl.when(sent).then(pl.lit(False)),
            has_behaviour=pl.lit(True),
            is_complete=pl.lit(True),
            **{
                f"{prefix}{measure}": pl.col("before" if prefix == "pre_" else "orders") * worth
                for prefix in ("day_", "credited_", "pre_")
                for measure, worth in (("orders", 1.0), ("revenue", REVENUE), ("margin", MARGIN))
            },
            n_attributed_orders=pl.when(sent).then("attributed"),
            attributed_revenue=pl.when(sent).then(pl.col("attributed") * REVENUE),
        )
        missing = [name for name in OUTCOME_COLUMNS if name not in known.columns]
        return known.with_columns(**dict.fromkeys(missing)).select(
            pl.col(name).cast(column.dtype) for name, column in OUTCOME_COLUMNS.items()
        )

    def truth(self) -> dict[tuple[str, str], float]:
        """Orders that a mail adds, by dimension and level; of a subject, were it sent to everyone whom the message suits."""
        # Half of the customers are frequent.
        chances = {"news": (0.8, 0.3), "win_back": (0.2, 0.7)}
        b = {"news": (0.8 * 0.8 + 0.3 * 0.2) / 1.1, "win_back": (0.2 * 0.8 + 0.7 * 0.2) / 0.9}
        base = dict(zip(("news", "win_back"), self.effect, strict=True))
        by_message = {key: base[key] + self.effect_of_b * b[key] for key in base}
        share = {key: sum(chances[key]) / 2 for key in base}
        return {
            ("all", "all"): sum(share[key] * by_message[key] for key in base),
            **{("message_key", key): value for key, value in by_message.items()},
            **{("subject_variant", f"{key} / a"): value for key, value in base.items()},
            **{("subject_variant", f"{key} / b"): value + self.effect_of_b for key, value in base.items()},
            ("segment", "frequent"): 0.8 * base["news"] + 0.2 * base["win_back"] + 0.8 * self.effect_of_b,
            ("segment", "rare"): 0.3 * base["news"] + 0.7 * base["win_back"] + 0.2 * self.effect_of_b,
        }
