"""Which articles, videos and events to show to whom: rules, and a learnt order of what the rules put forward.

The machinery is that of `models.recommend`: to its `Snapshot`, slots, similarities and learnt order a content is an item
like a product, and a read is a purchase. Here: what is known of contents alone - topics, words, what products say of topics.
"""

from models.contents.evaluate import evaluate_contents
from models.contents.ranker import ContentRanker
from models.contents.rules import RULES, ContentRule
from models.contents.served import ServedContents
from models.contents.snapshot import ContentRecommender, ContentSnapshot, content_snapshots

__all__ = [
    "RULES",
    "ContentRanker",
    "ContentRecommender",
    "ContentRule",
    "ContentSnapshot",
    "ServedContents",
    "content_snapshots",
    "evaluate_contents",
]
