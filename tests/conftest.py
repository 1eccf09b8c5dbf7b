"""For all tests: the command line, kept away from the developer's own home folder."""

import sys
from pathlib import Path

import pytest
from command_line import SETTINGS, Command, Said

from pipelines.cli import main, output

WIDTH = 500
"""Columns of the terminal: no message is broken into lines."""


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
