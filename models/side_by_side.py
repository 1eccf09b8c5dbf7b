"""Work that is done side by side: trees that know nothing of each other, lists of customers who know nothing of each other.

XGBoost and NumPy let go of the interpreter while they work. The order in which floats are summed depends on the threads that
a booster or a matrix product is given, never on what runs beside it: each booster keeps its number, and matrices are
multiplied on one. So all comes out as if it had been done one after the other.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Argument = TypeVar("Argument")
Result = TypeVar("Result")
AT_ONCE = 2


def side_by_side(work: Callable[[Argument], Result], arguments: Iterable[Argument]) -> list[Result]:
    """`work` of each argument, in their order; the first error that an argument raises is raised."""
    # One limit around all: limits that threads set each for itself would not be lifted in the order in which they were set.
    with threadpool_limits(limits=1), ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, arguments))
