"""The command line as tests use it: run in this process, with what it said and how it ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SETTINGS = ("SENDPLAN_ENV", "SENDPLAN_HOME", "SENDPLAN_LANDING", "SENDPLAN_MAIL", "DAGSTER_HOME")


@dataclass(frozen=True)
class Said:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value; raises where anything else stands there."""
        return json.loads(self.out)


Command = Callable[..., Said]
"""`sendplan(*arguments, home=..., **variables)`."""
