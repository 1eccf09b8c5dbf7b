"""Work that is done side by side: trees that know nothing of each other are grown at the same time.

XGBoost lets go of the interpreter while it works. Every booster keeps the number of threads it is given, on which the order
in which floats are summed depends: what is done side by side comes out as if it had been done one after the other.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")
AT_ONCE = 2


def side_by_side(work: Callable[[Argument], Result], arguments: Iterable[Argument]) -> list[Result]:
    """`work` of each argument, in their order; the first error that an argument raises is raised."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, arguments))
