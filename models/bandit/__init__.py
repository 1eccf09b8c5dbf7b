"""Which subject, tone and layout to choose: Thompson sampling over arms that are described by factors.

What is learnt of emoji, questions or a tone carries over to every arm that has them, also to one that was never sent.
The files in the order data meets them: `params`, `delay` (how much of the answers has come), `design` (arms and contexts
as a matrix), `posterior` (what is believed after the counts), `wins` (how often an arm is the best), `bandit` (all of it
on frames). Not here: the draw of the action and the waves of a campaign (`models.policy`).
"""

from models.bandit.bandit import FactorBandit
from models.bandit.delay import DelayCurve, with_exposure
from models.bandit.params import BanditParams, Scales, Score

__all__ = ["BanditParams", "DelayCurve", "FactorBandit", "Scales", "Score", "with_exposure"]
