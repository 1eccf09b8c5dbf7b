"""What an offer changes: learners of treatment effects, and the answer per customer and offer level.

Not here: which offer a mail carries (`models.policy.offers`), how well effects are ranked (`models.evaluation.uplift`).
"""
