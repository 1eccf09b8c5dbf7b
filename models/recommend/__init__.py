"""Which products to show to whom: baselines, a blend rule and a learnt two-stage ranker.

Every method here answers the same two calls, `fit(snapshots, labels)` and `predict(snapshot, customers)`,
on what was known at a date, and fills the same slots. What belongs elsewhere: feature building (`dbt_project`),
ranking metrics (`models.evaluation.metrics`), choosing the message that carries the products (`assets.plan`).
"""

from models.recommend.als import Als
from models.recommend.blend import Blend
from models.recommend.buy_again import BuyAgain
from models.recommend.evaluate import evaluate_recommendations
from models.recommend.linear import Ease
from models.recommend.neighbours import ItemNeighbours
from models.recommend.popular import Popular
from models.recommend.ranker import Ranker
from models.recommend.slots import SlotRules
from models.recommend.snapshot import Recommender, Snapshot, snapshots_by_date

__all__ = [
    "Als",
    "Blend",
    "BuyAgain",
    "Ease",
    "ItemNeighbours",
    "Popular",
    "Ranker",
    "Recommender",
    "SlotRules",
    "Snapshot",
    "evaluate_recommendations",
    "snapshots_by_date",
]
