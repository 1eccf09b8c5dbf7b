"""What a recipient sees: message, offer and policy files, their checks, and subjects; what marketers decide.

The files in the order data meets them: `errors` (reading YAML), `schema`, `templates`, `variables`, `catalogue`,
`subjects`; `segments`, `overrides`, `campaigns`; `json_schemas` (all of them for editors). Not here: who gets what
(models/policy), reading tables (assets/).
"""
