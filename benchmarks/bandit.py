"""How long the bandit takes for a day's choices.

    .venv/bin/python -m benchmarks.bandit [--choices 5000] [--arms 12] [--draws 10000]

Fits 18 messages of `--arms` subjects in 8 segments on random counts, then asks for all chances. Prints seconds, the size of
the posterior and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace

import numpy as np
import polars as pl

from models.bandit import BanditParams, FactorBandit, Score

N_MESSAGES, N_SEGMENTS = 18, 8
FLAGS = ("has_emoji", "is_question", "is_personal", "is_urgent")
LEVELS = {
    "length": ("long", "medium", "short"),
    "fact": ("cart", "city", "name", "none"),
    "tone": ("casual", "formal"),
    "layout": ("grid", "hero", "text"),
}
SCORED = ("has_emoji", "is_question")

PARAMS = BanditParams(
    arm=("message_key", "subject_variant"),
    factors=(*FLAGS, *LEVELS),
    segments=("segment",),
    baselines=("message_key",),
    scores=tuple(Score(f"score_{factor}", factor) for factor in SCORED),
)


def options_of(n_choices: int, n_arms: int, rng: np.random.Generator) -> pl.DataFrame:
    """choice, its context, and the arms of its message."""
    n = N_MESSAGES * n_arms
    arms = pl.DataFrame(
        {
            "message_key": [f"message_{number // n_arms}" for number in range(n)],
            "subject_variant": [f"subject_{number % n_arms:02d}" for number in range(n)],
            **{flag: rng.random(n) < 0.5 for flag in FLAGS},
            **{factor: rng.choice(levels, n) for factor, levels in LEVELS.items()},
        }
    )
    choices = pl.DataFrame(
        {
            "choice": np.arange(n_choices),
            "message_key": [f"message_{number}" for number in rng.integers(0, N_MESSAGES, n_choices)],
            "segment": [f"segment_{number}" for number in rng.integers(0, N_SEGMENTS, n_choices)],
            **{f"score_{factor}": rng.normal(size=n_choices).round(1) for factor in SCORED},
        }
    )
    return choices.join(arms, on="message_key")


def main() -> None:
    """Print one line per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--choices", type=int, default=5_000)
    parser.add_argument("--arms", type=int, default=12)
    parser.add_argument("--draws", type=int, default=PARAMS.n_draws)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    options = options_of(asked.choices, asked.arms, rng)
    history = options.with_columns(
        n_sent=pl.lit(20), n_success=pl.Series(rng.binomial(20, 0.2, options.height))
    )
    bandit = FactorBandit(replace(PARAMS, n_draws=asked.draws))
    started = time.perf_counter()
    bandit.fit(history)
    fitted = time.perf_counter()
    bandit.chances(options, by=["choice"], rng=rng)
    asked_all = time.perf_counter()
    coefficients = len(bandit.posterior.mean) if bandit.posterior else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"fit      {fitted - started:6.2f} s   {history.height} cells, {coefficients} coefficients")
    print(
        f"chances  {asked_all - fitted:6.2f} s   {asked.choices} choices x {asked.arms} arms x {asked.draws} draws"
    )
    print(f"memory   {peak:6.2f} GB  peak of the process")


if __name__ == "__main__":
    main()
