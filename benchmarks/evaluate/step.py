"""Part of a job in this process, for a trial that measures it: `python -m benchmarks.evaluate.step JOB PART FILE [DAY]`.

PART is an asset group of the job, or one asset (left out of its group then). Writes to FILE how long each step took, as
a JSON list of {step, seconds}. The home folder is that of the environment, as for `sendplan`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipelines.definitions import build_defs
from pipelines.instance import open_instance
from pipelines.settings import Settings

SEPARATE = "training_snapshots"
"""The feature build of the training group."""


def main(job: str, part: str, file: str, day: str | None = None) -> None:
    """Run the part of the job and note its steps."""
    settings = Settings.from_env()
    resolved = build_defs(settings).resolve_job_def(job)
    layer = resolved.asset_layer
    parts = {
        key: SEPARATE if key.to_user_string() == SEPARATE else layer.asset_graph.get(key).group_name
        for key in layer.executable_asset_keys
    }
    with open_instance(settings.home) as instance:
        result = resolved.execute_in_process(
            partition_key=day, instance=instance, asset_selection=[key for key in parts if parts[key] == part]
        )
    spent = [
        {"step": event.step_key, "seconds": event.step_success_data.duration_ms / 1000}
        for event in result.all_events
        if event.is_step_success
    ]
    Path(file).write_text(json.dumps(spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
