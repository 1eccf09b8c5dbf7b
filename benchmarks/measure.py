"""What a command costs: seconds by the clock, seconds of processor, and the most memory it held.

Standard library alone: this file is also the small process that starts the command. A child's largest resident set
counts what its parent held at the start, so the parent must hold next to nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


class Cost(NamedTuple):
    """What one or several commands, one after another, cost.

    Attributes:
        wall_seconds: by the clock.
        cpu_seconds: of processor, in user and system mode, of all cores.
        peak_bytes: the largest resident set.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int

    def then(self, other: Cost) -> Cost:
        """Of two steps that follow each other."""
        return Cost(
            self.wall_seconds + other.wall_seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_bytes, other.peak_bytes),
        )


def run(
    command: Sequence[str | Path],
    log: Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Run a command to its end; what it alone cost. What it says goes to `log`.

    Raises:
        RuntimeError: it failed; carries the end of what it said.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    starter = subprocess.run(
        [sys.executable, "-I", "-S", __file__, log, *command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        check=True,
    )
    code, *cost = json.loads(starter.stdout)
    if code != 0:
        line = " ".join(str(part) for part in command)
        raise RuntimeError(f"{line}\nfailed with code {code}:\n{log.read_text()[-4000:]}")
    return Cost(*cost)


def _start(log: str, command: Sequence[str]) -> None:
    """Run the command; print its exit code and cost."""
    with Path(log).open("w") as said:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(wall_seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * BYTES_PER_MAXRSS)
    sys.stdout.write(json.dumps([process.returncode, *cost]))


if __name__ == "__main__":
    _start(sys.argv[1], sys.argv[2:])
