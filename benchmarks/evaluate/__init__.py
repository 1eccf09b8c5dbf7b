"""Every model beside its baselines on public data and on shops whose truth is known: `sendplan evaluate`.

One module per trial, each with `tables(data)`. What belongs elsewhere: the models and the metrics (`models`), the weekly
contest on a shop's own data (`models.lessons`), how fast the feature tables are built (`benchmarks.features`).
"""
