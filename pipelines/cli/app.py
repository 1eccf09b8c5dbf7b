"""The commands put together, and what every command does when something goes wrong."""

from __future__ import annotations

import sys
import warnings

import typer
from typer._click.exceptions import ClickException

from pipelines.cli import evaluate, look, people, privacy, sample, subjects, work
from pipelines.cli.output import report_error
from pipelines.settings import SettingsError

FAILED, USAGE = 1, 2

app = typer.Typer(
    name="sendplan",
    help="Open decisioning for personalised e-mail: raw events in, one explained decision per recipient and day out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (sample, work, people, evaluate, look, subjects, privacy):
    module.register(app)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage or settings."""
    # Libraries' notes to developers (beta parameters, missing type hints) tell a user of the command nothing.
    warnings.showwarning = lambda *_, **__: None
    try:
        code = app(standalone_mode=False)
    except ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (typer.Abort, KeyboardInterrupt):
        report_error("stopped; what was finished is kept, and running again goes on from there")
        sys.exit(FAILED)
    except SettingsError as error:
        report_error(str(error))
        sys.exit(USAGE)
    except (RuntimeError, LookupError, ValueError, OSError) as error:
        report_error(str(error))
        sys.exit(FAILED)
    sys.exit(code or 0)
