"""The decision: who gets which message, with what, when, or is left alone, and why.

Pure Polars in, Polars out.

The files in the order data meets them: `inputs` (what a plan is made from), `candidates`, `products`,
`values`, `constraints`, `control`, `choice`, `offers`, `timing`, `variants`, `segments`, `explain`,
`decide`. Not here: message files, names and rendering (mail/), reading and writing (assets/).
"""

from models.policy.config import PolicyConfig
from models.policy.decide import decide
from models.policy.inputs import PlanInputs, empty_frame
from models.policy.plan_schema import PLAN_COLUMNS, REASONS

__all__ = ["PLAN_COLUMNS", "REASONS", "PlanInputs", "PolicyConfig", "decide", "empty_frame"]
