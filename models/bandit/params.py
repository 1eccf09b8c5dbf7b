"""What a bandit is told of its arms and contexts, and how far effects are expected to reach before any answer.

Here: names, limits and defaults. Not here: what becomes of them (`design`, `posterior`).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field


@dataclass(frozen=True)
class Score:
    """A number known of the recipient that says how he takes to a factor, as his answers to emoji against others'.

    column: numeric, in units of about one standard deviation, 0 for who is like everybody. factor: one of the factors.
    """

    column: str
    factor: str


@dataclass(frozen=True)
class Scales:
    """Standard deviations of effects on the log-odds before any answer.

    A factor of .2 makes one level's odds of an answer a fifth better or worse than another's in two of three cases:
    about what differences between subjects of one mail come to. What an arm has beyond its factors is expected to be
    as large, what a segment or a unit of a score changes of it to be half of it. Rates of messages and segments differ
    more, and say nothing of the choice.
    """

    level: float = 1.5
    baseline: float = 0.7
    factor: float = 0.2
    arm: float = 0.2
    segment: float = 0.1
    score: float = 0.1

    def __post_init__(self) -> None:
        """Raises ValueError unless all are above 0."""
        if not min(astuple(self)) > 0:
            raise ValueError(f"scales are {self}; standard deviations must be above 0")


@dataclass(frozen=True)
class BanditParams:
    """Columns and settings of a `FactorBandit`.

    Attributes:
        arm: columns that together name an arm; the whole of it has an effect of its own.
        factors: columns that describe arms (text, boolean or integer; no numbers to be multiplied).
        own: parts of the arm with an effect of their own besides, as a subject in whatever layout.
        segments: columns of the context in whose levels factors may work differently.
        baselines: columns of the context that move the rate of all arms alike, as the message.
        scores: numbers of the context by which a factor may work differently.
        expected_rate: rate of answers before the first is seen.
        scales: sizes of effects before the first answer.
        prior_levels: how many levels' worth `scales` count when the size of a term's effects is estimated from its
            levels. Two levels of a factor say little about its size, a hundred arms say much.
        explore: share of choices spread evenly over the eligible arms.
        n_draws: samples of the posterior.
    """

    arm: tuple[str, ...]
    factors: tuple[str, ...] = ()
    own: tuple[tuple[str, ...], ...] = ()
    segments: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    expected_rate: float = 0.2
    scales: Scales = field(default_factory=Scales)
    prior_levels: float = 4.0
    explore: float = 0.10
    n_draws: int = 10_000

    def __post_init__(self) -> None:
        """Raises ValueError naming the setting that is wrong."""
        if not self.arm:
            raise ValueError("arm names no column; give the columns that together name an arm")
        unknown = sorted({score.factor for score in self.scores} - set(self.factors))
        if unknown:
            raise ValueError(f"a score is given for {', '.join(unknown)}, which is not among the factors")
        twice = sorted(set(self.segments) & set(self.baselines))
        if twice:
            raise ValueError(
                f"{', '.join(twice)} is among the segments and the baselines; a segment has a rate already"
            )
        if not 0.0 < self.expected_rate < 1.0:
            raise ValueError(f"expected_rate is {self.expected_rate}; it must lie between 0 and 1")
        if not 0.0 <= self.explore <= 1.0:
            raise ValueError(f"explore is {self.explore}; it is a share and must lie between 0 and 1")
        if self.prior_levels <= 0:
            raise ValueError(f"prior_levels is {self.prior_levels}; it must be above 0")
        if self.n_draws < 1:
            raise ValueError(f"n_draws is {self.n_draws}; it must be 1 or more")

    @property
    def labels(self) -> tuple[str, ...]:
        """All columns whose levels matter."""
        parts = (column for part in self.own for column in part)
        return tuple(dict.fromkeys((*self.arm, *parts, *self.factors, *self.context_labels)))

    @property
    def context_labels(self) -> tuple[str, ...]:
        """Columns with levels that are the same for all arms of a choice."""
        return (*self.segments, *self.baselines)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns of scores."""
        return tuple(dict.fromkeys(score.column for score in self.scores))
