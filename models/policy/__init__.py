"""The decision: who gets which message, with what, when, or is left alone, and why.

Pure Polars in, Polars out.

The files in the order data meets them: `inputs` (what a plan is made from), `campaigns`, `public_holidays`, `candidates`,
`products`, `values`, `overrides` (what people decide), `constraints`, `control`, `offers`, `actions` (message and offer),
`options` (all that was chosen among), `choice`, `emoji`, `variants`, `timing`, `hour_capacity`, `segments`, `explain`,
`decide`. Limits shared by all customers: `limits` (what is scarce), `prices`, `assignment` (who gets what), `tickets` (who
may explore), `hours`, `hour_prices`, `hour_exploration`, `sampling`. Beside them: `config`, `plan_schema`, `draws`,
`timezones`, `short_keys`.

Not here: message files, names and rendering (mail/), reading and writing (assets/).
"""

from models.policy.config import PolicyConfig
from models.policy.decide import Decision, decide, decide_with_options
from models.policy.inputs import PlanInputs, empty_frame
from models.policy.options import OPTION_COLUMNS
from models.policy.plan_schema import PLAN_COLUMNS, REASONS

__all__ = [
    "OPTION_COLUMNS",
    "PLAN_COLUMNS",
    "REASONS",
    "Decision",
    "PlanInputs",
    "PolicyConfig",
    "decide",
    "decide_with_options",
    "empty_frame",
]
