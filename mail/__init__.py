"""What a recipient sees: message, offer and policy files, their checks, and subjects.

The files in the order data meets them: `errors` (reading YAML), `schema`, `templates`, `variables`, `catalogue`,
`subjects`. Not here: who gets what (models/policy), reading tables (assets/).
"""
