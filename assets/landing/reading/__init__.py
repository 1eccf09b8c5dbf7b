"""From the bytes of one landing file to its known columns, still untyped. What cannot be read is set apart."""

from assets.landing.contract import Table
from assets.landing.discovery import LandingFile
from assets.landing.reading.csv_file import read_csv
from assets.landing.reading.json_lines import read_jsonl
from assets.landing.reading.parquet_file import read_parquet
from assets.landing.reading.source import BROKEN, ROW, FileRejectedError, Source

__all__ = ["BROKEN", "ROW", "FileRejectedError", "Source", "read"]


def read(file: LandingFile, table: Table) -> Source:
    """Reads one file.

    Raises:
        FileRejectedError: the file cannot be opened, is not what its extension says, or lacks a required column.
    """
    reader = {"parquet": read_parquet, "csv": read_csv, "jsonl": read_jsonl}[file.extension]
    try:
        return reader(file, table)
    except OSError as error:
        raise FileRejectedError(
            "unreadable file",
            f"the file cannot be opened ({error.strerror or error}); give read access to it",
        ) from error
