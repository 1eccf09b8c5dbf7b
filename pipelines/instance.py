"""The Dagster instance of a home folder: the same for the command line, the UI and the daemon."""

from __future__ import annotations

import os
import shutil

import dagster as dg

from assets.home import Home
from pipelines.settings import PROJECT
from pipelines.shops import claim


def open_instance(home: Home) -> dg.DagsterInstance:
    """The instance whose runs, logs and schedules lie in `home.dagster`; made when absent."""
    prepare_instance(home)
    return dg.DagsterInstance.from_config(str(home.dagster))


def prepare_instance(home: Home) -> None:
    """Put `dagster.yaml` where Dagster looks for it, say where that is in `DAGSTER_HOME`, and claim the home."""
    claim(home)
    home.dagster.mkdir(parents=True, exist_ok=True)
    source, target = PROJECT / "dagster.yaml", home.dagster / "dagster.yaml"
    if not target.exists() or target.read_bytes() != source.read_bytes():
        shutil.copyfile(source, target)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
