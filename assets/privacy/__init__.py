"""Erasing a person, keeping him erased, and giving him what is held about him.

In the order of an erasure: `person` (who he is), `suppression` (no import brings him back), `journal` (what is needed to
finish after a kill), `sweep` (every file, by `tables`, `records`, `databases` and `documents`), which also verifies that
nothing is left, `proof` (what was removed where). `erasure` puts them together; `subject` answers a request for access.
"""
