"""A week's lesson per question: fit every method on the past, judge all on one holdout, fit the winner on everything."""
