"""For all tests: the command line, kept away from the developer's own home folder, and who shares a worker."""

import sys
from pathlib import Path

import pytest
from command_line import SETTINGS, Command, Said
from hypothesis import HealthCheck, settings

from pipelines.cli import main, output

# How long an example takes says something of the machine alone.
settings.register_profile("sendplan", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sendplan")

WIDTH = 500
"""Columns of the terminal: no message is broken into lines."""


PLANNED = {"shop", "replanned", "definitions"}
"""Fixtures that take a minute to make and are made once per worker."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Which tests run in one worker, marked before xdist looks: those that share a planned shop, else those of one file."""
    for item in items:
        shares = PLANNED & set(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("planned shop" if shares else item.path.stem))


@pytest.fixture
def sendplan(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs a command in this process, on a home folder of its own where none is given."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, home: Path = tmp_path / "home", **variables: str) -> Said:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["sendplan", *map(str, arguments)])
            for name, value in {"SENDPLAN_HOME": str(home), "COLUMNS": str(WIDTH), **variables}.items():
                patch.setenv(name, value)
            patch.setattr(output.stderr, "file", sys.stderr)
            for console in (output.stdout, output.stderr):
                patch.setattr(console, "width", WIDTH)
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, captured.out, captured.err)

    return run
