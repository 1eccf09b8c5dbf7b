"""Arms with factors, readers with known log-odds, and what a bandit is told of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.bandit import BanditParams

Floats = NDArray[np.float64]

FACTORS = ("has_emoji", "is_question", "is_personal", "is_urgent", "length", "fact")
LEVELS = {"length": ("long", "medium", "short"), "fact": ("cart", "city", "name", "none")}
SEGMENTS = ("loyal", "new", "risk")


def make_arms(n: int, rng: np.random.Generator, prefix: str = "s") -> pl.DataFrame:
    """subject, FACTORS: `n` subjects whose factors are drawn."""
    return pl.DataFrame(
        {
            "subject": [f"{prefix}{number:03d}" for number in range(n)],
            **{
                factor: rng.choice(LEVELS[factor], n) if factor in LEVELS else rng.random(n) < 0.5
                for factor in FACTORS
            },
        }
    )


def params(**changes: object) -> BanditParams:
    """A bandit over subjects described by FACTORS, with few draws."""
    settings: dict[str, object] = {"arm": ("subject",), "factors": FACTORS, "n_draws": 2_000}
    return BanditParams(**(settings | changes))  # type: ignore[arg-type]


def draw_effects(
    frame: pl.DataFrame, columns: Sequence[Sequence[str]], scale: float, rng: np.random.Generator
) -> Floats:
    """Log-odds per row: for each of `columns` a Gaussian effect of each of its levels that the frame has."""
    total = np.zeros(frame.height)
    for names in columns:
        level = frame.select(pl.struct(names).rank("dense")).to_series().to_numpy() - 1
        total += scale * rng.standard_normal(int(level.max()) + 1)[level]
    return total


def answered(options: pl.DataFrame, log_odds: Floats, n_sent: int, rng: np.random.Generator) -> pl.DataFrame:
    """`options` with n_sent and n_success."""
    return options.with_columns(
        n_sent=pl.lit(n_sent), n_success=pl.Series(rng.binomial(n_sent, 1 / (1 + np.exp(-log_odds))))
    )
