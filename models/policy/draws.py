"""Random numbers that are functions of (seed, stream, key): the same on every machine and in every order.

Here: uniforms and hex digests by MD5, set-based. Not here: what is drawn with them. Polars' own hash is not
used because it may change from one version to the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import duckdb
import numpy as np
import polars as pl

_SEPARATOR = "\x1f"
_DIGITS = 13  # hexadecimal digits: 52 bits, all of which a double holds
_SCALE = float(16**_DIGITS)


def digests(keys: pl.Series, *, seed: str, stream: str) -> pl.Series:
    """MD5 of `seed`, `stream` and each key as 32 hexadecimal digits, in the order of `keys`."""
    return _digests(keys, seed, [stream]).get_column(stream)


def uniforms(keys: pl.Series, *, seed: str, streams: Sequence[str]) -> pl.DataFrame:
    """One column per stream with a number in [0, 1) for each key, in the order of `keys`."""
    leading = pl.all().str.slice(0, _DIGITS).str.to_integer(base=16, dtype=pl.Int64)
    return _digests(keys, seed, streams).select(leading.cast(pl.Float64) / _SCALE)


def _digests(keys: pl.Series, seed: str, streams: Sequence[str]) -> pl.DataFrame:
    """One column of digests per stream."""
    frame = pl.DataFrame({"position": pl.int_range(len(keys), eager=True), "key": keys.cast(pl.String)})
    columns = ", ".join(f"md5($prefix_{i} || key) as digest_{i}" for i in range(len(streams)))
    prefixes = {f"prefix_{i}": f"{seed}{_SEPARATOR}{stream}{_SEPARATOR}" for i, stream in enumerate(streams)}
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("keys", frame.to_arrow())
        hashed = connection.sql(
            f"select {columns} from keys order by position", params=prefixes
        ).to_arrow_table()
    return pl.DataFrame(hashed).select(
        pl.col(f"digest_{i}").cast(pl.String).alias(stream) for i, stream in enumerate(streams)
    )


def generator(*, seed: str, stream: str) -> np.random.Generator:
    """A NumPy generator for draws that belong to no single customer."""
    digest = hashlib.sha256(f"{seed}{_SEPARATOR}{stream}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
