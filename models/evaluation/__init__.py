"""How good a model is: metrics, time splits, intervals, and when a challenger becomes champion."""
