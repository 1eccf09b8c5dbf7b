"""Writing files that a reader never sees half-written, and that are left alone when nothing changed."""

import io
import os
import tempfile
from pathlib import Path

import polars as pl


def replace_bytes(path: Path, content: bytes, mode: int = 0o644) -> bool:
    """Writes `content` to `path` in one step with access rights `mode`, unless it already stands there.

    Returns:
        Whether the file was written.
    """
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def replace_parquet(path: Path, frame: pl.DataFrame) -> bool:
    """Writes a frame as Parquet in one step, unless the same bytes already stand there.

    Returns:
        Whether the file was written.
    """
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, compression="zstd", compression_level=3, row_group_size=250_000)
    return replace_bytes(path, buffer.getvalue())
