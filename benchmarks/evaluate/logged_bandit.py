"""Logs of a made-up shop whose policies and mean rewards are tables, so that every policy's value is known exactly.

Customers come back, mostly in the same situation, and differ in how much they buy: their decisions depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy import LoggedDecisions, logged_decisions


@dataclass(frozen=True, eq=False)
class Drawn:
    """One entry per logged decision: situation, what was done, what it earned, and the customer."""

    context: NDArray[np.int64]
    action: NDArray[np.int64]
    reward: FloatArray
    customer: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BanditWorld:
    """Attributes:
    context_chance: of each situation.
    mean, logging, target: situations x actions: mean reward, and chance of each action under either policy.
    frailty: variance of the customers' own factor on the rewards, which is 1 on average.
    stay: share of a customer's decisions in his own situation; the others are drawn like anybody's.
    decisions: of a customer on average, at least one.
    """

    context_chance: FloatArray
    mean: FloatArray
    logging: FloatArray
    target: FloatArray
    frailty: float = 1.0
    stay: float = 0.8
    decisions: float = 6.0

    def value(self, policy: FloatArray) -> float:
        """What a policy (situations x actions) earns per decision."""
        return float(self.context_chance @ (policy * self.mean).sum(axis=1))

    def draw(self, generator: np.random.Generator, n_customers: int) -> Drawn:
        """A log: purchases are Poisson, their amounts exponential with mean 1."""
        n_decisions = generator.geometric(1 / self.decisions, n_customers)
        customer = np.repeat(np.arange(n_customers), n_decisions)
        n, n_contexts = len(customer), len(self.context_chance)
        own = generator.choice(n_contexts, n_customers, p=self.context_chance)[customer]
        other = generator.choice(n_contexts, n, p=self.context_chance)
        context = np.where(generator.random(n) < self.stay, own, other)
        ends = self.logging.cumsum(axis=1)
        action = (generator.random(n)[:, None] > ends[context]).sum(axis=1).clip(0, ends.shape[1] - 1)
        factor = generator.gamma(1 / self.frailty, self.frailty, n_customers)[customer]
        purchases = generator.poisson(self.mean[context, action] * factor)
        return Drawn(context, action, generator.gamma(purchases), customer)

    def log(
        self,
        drawn: Drawn,
        *,
        target: FloatArray | None = None,
        expected: FloatArray | None = None,
        propensity: FloatArray | None = None,
    ) -> LoggedDecisions:
        """The log as it is evaluated.

        Args:
            target: situations x actions of another target policy.
            expected: situations x actions of a reward model; None: without one.
            propensity: situations x actions that were logged in place of the true chances.
        """
        policy = self.target if target is None else target
        logged = self.logging if propensity is None else propensity
        at = drawn.context, drawn.action
        return logged_decisions(
            drawn.reward,
            logged[at],
            policy[at],
            cluster=drawn.customer,
            q_logged=None if expected is None else expected[at],
            q_target=None if expected is None else (policy * expected).sum(axis=1)[drawn.context],
        )


def make_world(*, fall: float, seed: int = 7, n_contexts: int = 6, n_actions: int = 6) -> BanditWorld:
    """A shop whose logging policy prefers actions by a rule that knows nothing of rewards.

    Its chance falls by the factor `fall` from one action to the next: the smaller, the less is explored. The target policy
    does the best action in 8 of 10 cases, and all in equal parts in the others.
    """
    generator = np.random.default_rng(seed)
    mean = generator.gamma(1.0, 0.3, (n_contexts, n_actions)) + 0.1
    preferred = fall ** generator.permuted(np.tile(np.arange(n_actions), (n_contexts, 1)), axis=1)
    best = np.eye(n_actions)[mean.argmax(axis=1)]
    return BanditWorld(
        context_chance=generator.dirichlet(np.full(n_contexts, 4.0)),
        mean=mean,
        logging=preferred / preferred.sum(axis=1, keepdims=True),
        target=0.8 * best + 0.2 / n_actions,
    )
