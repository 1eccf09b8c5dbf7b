"""To whom a subject with an emoji may go: segments and customers that take to it, or of whom too little is known.

Here: whom they are kept from. Not here: which of the subjects left is chosen (`variants`).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import logit

from models.bandit import FactorBandit
from models.features import FloatArray

HAS_EMOJI = "has_emoji"
CLEARLY = 1.645
"""Standard deviations below 0 at which an effect is clearly negative: 95 % sure, of one side."""
FEWEST_SENDS = 5
"""A customer is judged from so many mails with an emoji, and as many without, on."""
PRIOR_SENDS = 10.0
"""So many mails of each kind, answered at his own rate, are added to a customer's: emoji are expected to change nothing."""


def segments_that_ignore(bandit: FactorBandit, segment: str) -> list[str]:
    """Levels of the column `segment` in which the effect of an emoji on opens is clearly negative; sorted.

    bandit: fitted, with `has_emoji` among its factors.
    """
    is_clear = pl.col("effect") + CLEARLY * pl.col("effect_sd") < 0
    emoji = bandit.effects().filter(pl.col("factor") == HAS_EMOJI, pl.col("level") == "true", is_clear)
    return emoji.filter(pl.col("segment") == segment).get_column("segment_level").sort().to_list()


def customers_that_ignore(history: pl.DataFrame, variants: pl.DataFrame) -> pl.Series:
    """Ids of customers who clearly open less with an emoji than without; sorted.

    Both rates are shrunk to the customer's own rate of all mails, which is shrunk to everyone's; the difference of their
    log-odds must lie `CLEARLY` standard deviations below 0.

    Args:
        history: customer_id, message_key, subject_variant, n_sent, n_human_opens (<= n_sent).
        variants: message_key, subject_variant, has_emoji; what it does not have is left out of the history.
    """
    has_emoji = pl.col(HAS_EMOJI)
    counts = (
        history.join(variants, on=["message_key", "subject_variant"])
        .group_by("customer_id")
        .agg(
            n_with=pl.col("n_sent").filter(has_emoji).sum(),
            n_without=pl.col("n_sent").filter(~has_emoji).sum(),
            opens_with=pl.col("n_human_opens").filter(has_emoji).sum(),
            opens_without=pl.col("n_human_opens").filter(~has_emoji).sum(),
        )
        .sort("customer_id")
    )
    n_with, n_without, opens_with, opens_without = (
        counts.get_column(name).cast(pl.Float64).to_numpy()
        for name in ("n_with", "n_without", "opens_with", "opens_without")
    )
    sends, opens = n_with + n_without, opens_with + opens_without
    everyone = (opens.sum() + 1.0) / (sends.sum() + 2.0)
    own = (opens + PRIOR_SENDS * everyone) / (sends + PRIOR_SENDS)
    mean_with, variance_with = _log_odds(opens_with, n_with, own)
    mean_without, variance_without = _log_odds(opens_without, n_without, own)
    upper = mean_with - mean_without + CLEARLY * np.sqrt(variance_with + variance_without)
    is_judged = np.minimum(n_with, n_without) >= FEWEST_SENDS
    return counts.get_column("customer_id").filter(pl.Series(is_judged & (upper < 0), dtype=pl.Boolean))


def _log_odds(opens: FloatArray, sends: FloatArray, own: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the log-odds of opening, by the normal approximation to a Beta posterior around `own`."""
    opened = opens + PRIOR_SENDS * own
    unopened = sends - opens + PRIOR_SENDS * (1.0 - own)
    return np.asarray(logit(opened / (opened + unopened))), 1.0 / opened + 1.0 / unopened
