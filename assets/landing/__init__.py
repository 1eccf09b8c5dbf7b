"""The landing contract: what may stand in `landing/`, and how it becomes the checked tables in `raw/`.

Pure code without Dagster. In the order data meets it: `contract` (what is promised), `discovery` (which files),
`reading` (bytes to columns), `casting` (columns to contract types), `checking` (rows against the contract),
`merging` (files to one table), `manifest` (what is already known), `ingest` (the whole pass).
"""
