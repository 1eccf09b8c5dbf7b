"""The command line. `main` is the entry point; each other module holds the commands of one purpose."""

from pipelines.cli.app import main

__all__ = ["main"]
