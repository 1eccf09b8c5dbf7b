"""Part of a job in this process, for a trial that measures it: `python -m benchmarks.evaluate.step JOB PART FILE [DAY]`.

PART is an asset group of the job, or one asset (left out of its group then). Writes to FILE how long each step took, as
a JSON list of {step, seconds}. The home folder is that of the environment, as for `sendplan`.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from pathlib import Path

from assets.training import QUESTIONS
from pipelines.definitions import build_defs
from pipelines.instance import open_instance
from pipelines.runs import run_job
from pipelines.settings import Settings

SEPARATE = "training_snapshots"
"""The feature build of the training group."""


def main(job: str, part: str, file: str, day: str | None = None) -> None:
    """Run the part of the job and note its steps."""
    settings = Settings.from_env()
    definitions = build_defs(settings)
    resolved = definitions.resolve_job_def(job)
    graph = resolved.asset_layer.asset_graph
    names = {
        key: key.to_user_string() if key.to_user_string() == SEPARATE else graph.get(key).group_name
        for key in resolved.asset_layer.executable_asset_keys
    }
    began: dict[str, float] = {}
    spent: dict[str, float] = {}

    def on_step(step: str, done: int, total: int) -> None:
        if step in began:
            spent[step] = time.monotonic() - began[step]
        began.setdefault(step, time.monotonic())

    chosen = [key for key, name in names.items() if name == part]
    with open_instance(settings.home) as instance:
        run_job(definitions, instance, job, date.fromisoformat(day) if day else None, on_step, only=chosen)
    steps = [
        {"step": step, "seconds": seconds}
        for step, seconds in spent.items()
        if step in QUESTIONS or part == "scores"
    ]
    Path(file).write_text(json.dumps(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
