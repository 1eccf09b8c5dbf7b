"""How fast and how near the best a plan under limits is: `python -m benchmarks.policy`.

Each size is a process of its own (`measure.py`). One reads a day's inputs, which another has made (`plan_inputs.py`), and makes the whole plan; one makes
options alone (`policy_instance.py`), chooses, gives tickets and assigns hours. Beside the latter, on the same instances: greedy by value, and HiGHS. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from benchmarks.measure import run
from benchmarks.plan_inputs import plan_config, plan_inputs, read_inputs, write_inputs
from benchmarks.policy_instance import KEYS, Instance, make_instance
from models.policy.assignment import assign
from models.policy.decide import decide_with_options
from models.policy.hour_exploration import plan_hours
from models.policy.limits import Problem, read_options
from models.policy.tickets import tickets

RESERVE, EXPLORE = 0.1, 0.1
TARGETS = {
    "plan seconds": "< 60",
    "plan peak GB": "< 4",
    "plan relative gap": "< 0.01",
    "plan growth": "<= 4.4",
    "seconds": "< 15",
    "peak GB": "< 4",
    "relative gap": "< 0.01",
    "growth": "<= 4.4",
}

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and the seconds it takes."""
    began = time.monotonic()
    result = work()
    return result, time.monotonic() - began


def choose(instance: Instance) -> dict[str, float]:
    """Choose for everyone; seconds of each part and how good the result is.

    Raises:
        RuntimeError: a limit is not kept.
    """
    problem, reading = timed(lambda: read_options(instance.options, instance.limits, KEYS))
    plan, assigning = timed(lambda: assign(problem, share=1.0 - RESERVE))
    opened, giving = timed(lambda: tickets(problem, plan, reserve=RESERVE, seed="benchmark"))
    ids = plan.chosen.get_column("customer_id")
    rows = ids.str.slice(1).cast(pl.Int64).to_numpy()
    worth = instance.worth[rows] * plan.chosen.get_column("value").to_numpy()[:, None]
    hours, placing = timed(
        lambda: plan_hours(ids, worth, instance.hour_capacity, explore=EXPLORE, seed="benchmark")
    )
    if (plan.resources["use"] > plan.resources["limit"]).any() or (
        opened.use["at_most"] > opened.use["limit"]
    ).any():
        raise RuntimeError("a limit is broken")
    if (hours.hours["use"] > hours.hours["capacity"]).any():
        raise RuntimeError("an hour is overfull")
    return {
        "seconds": reading + assigning + giving + placing,
        "reading seconds": reading,
        "assignment seconds": assigning,
        "tickets seconds": giving,
        "hours seconds": placing,
        "relative gap": plan.relative_gap,
        "relative gap of hours": hours.planned.relative_gap,
        "prices tried": plan.n_choices,
        "scarce resources": int((plan.resources["price"] > 0).sum()),
        "chosen": plan.chosen.height,
        "waiting for an hour": hours.mails["hour"].null_count(),
    }


def plan(n_customers: int, folder: Path) -> dict[str, float]:
    """The whole plan from given scores: candidates, products, values, offers, choice under limits, wording, hours, reasons."""
    inputs, reading = timed(lambda: read_inputs(folder))
    decision, deciding = timed(lambda: decide_with_options(inputs, plan_config(n_customers)))
    return {
        "plan seconds": deciding,
        "reading the inputs, seconds": reading,
        "plan options": decision.options.height,
        "plan sends": decision.plan.filter(action="send").height,
        "plan relative gap": decision.actions.relative_gap,
    }


def greedy_by_value(problem: Problem) -> float:
    """The usual alternative: options from the most valuable down, each taken if its customer has none and all limits allow."""
    left = problem.most.tolist()
    has = np.zeros(problem.n_customers, dtype=np.bool_).tolist()
    owner, value = problem.owner.tolist(), problem.value.tolist()
    starts, limits, amounts = (
        part.tolist() for part in (problem.uses.indptr, problem.uses.indices, problem.uses.data)
    )
    total = 0.0
    for row in np.argsort(-problem.value, kind="stable").tolist():
        if value[row] < 0:
            break
        if has[owner[row]]:
            continue
        uses = range(starts[row], starts[row + 1])
        if all(left[limits[i]] >= amounts[i] for i in uses):
            has[owner[row]] = True
            total += value[row]
            for i in uses:
                left[limits[i]] -= amounts[i]
    return total


def highs(problem: Problem) -> float:
    """The exact bound of the relaxation, by HiGHS with every option as a variable."""
    n = len(problem.value)
    one_each = csr_array((np.ones(n), (problem.owner, np.arange(n))), shape=(problem.n_customers, n))
    solved = linprog(
        -problem.value,
        A_ub=vstack([one_each, problem.uses.T / problem.units[:, None]]),
        b_ub=np.concatenate([np.ones(problem.n_customers), problem.most / problem.units]),
        bounds=(0, None),
        method="highs",
    )
    return -float(solved.fun)


def compare(large: Instance, small: Instance) -> dict[str, float]:
    """Against greedy on the large instance, against HiGHS on the small one; in whole, without tickets and hours."""
    problem = read_options(large.options, large.limits, KEYS)
    plan, seconds = timed(lambda: assign(problem))
    greedy, greedy_seconds = timed(lambda: greedy_by_value(problem))
    few = read_options(small.options, small.limits, KEYS)
    few_plan, few_seconds = timed(lambda: assign(few))
    exact, exact_seconds = timed(lambda: highs(few))
    return {
        "relative gap of greedy by value": 1.0 - greedy / plan.bound,
        "value, ours : greedy": plan.value / greedy,
        "seconds, greedy : ours": greedy_seconds / seconds,
        f"seconds, HiGHS LP : ours, {few.n_customers:,} customers": exact_seconds / few_seconds,
        f"value, ours : LP bound, {few.n_customers:,} customers": few_plan.value / exact,
        f"bound, ours : LP bound, {few.n_customers:,} customers": few_plan.bound / exact,
    }


def measure(part: str, n_customers: int, folder: Path) -> dict[str, float]:
    """`plan` or `choose` in a process of its own; with peak GB. The plan reads what another process has made; of the peak of
    `choose` some is for making the instance."""
    command = [sys.executable, "-m", "benchmarks.policy", "--inputs", str(folder)]
    if part == "plan":
        run([*command, "--make", str(n_customers)], folder / "made.log")
    log = folder / "found.json"
    cost = run([*command, f"--{part}", str(n_customers)], log)
    peak = "plan peak GB" if part == "plan" else "peak GB"
    return {**json.loads(log.read_text()), peak: cost.peak_bytes / 1e9}


def both_sizes(part: str, sizes: tuple[int, int]) -> dict[str, float]:
    """`measure` of the larger size, and how many times as long as the smaller one it took."""
    seconds, growth = ("plan seconds", "plan growth") if part == "plan" else ("seconds", "growth")
    found = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(part, n, Path(folder)))
    small, large = found
    return {**large, growth: large[seconds] / small[seconds]}


def main() -> None:
    """Measure two sizes, compare with other ways, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--growth-from", type=int, default=50_000)
    parser.add_argument(
        "--exact", type=int, default=5_000, help="customers of the instance that HiGHS solves"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--choose", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--inputs", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.choose is not None:
        print(json.dumps(choose(make_instance(asked.choose))))
        return
    if asked.make is not None:
        write_inputs(plan_inputs(asked.make), asked.inputs)
        return
    if asked.plan is not None:
        print(json.dumps(plan(asked.plan, asked.inputs)))
        return
    sizes = asked.growth_from, asked.customers
    found = {
        **both_sizes("plan", sizes),
        **both_sizes("choose", sizes),
        **compare(make_instance(asked.customers), make_instance(asked.exact)),
    }
    if asked.json:
        print(json.dumps({"customers": asked.customers, "growth_from": asked.growth_from, **found}, indent=2))
        return
    print(f"{asked.customers:,} customers; growth from {asked.growth_from:,}")
    for name, value in found.items():
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if value < 0.1 else f"{value:,.4f}"
        print(f"{name:<45} {shown:>12}  {TARGETS.get(name, '')}")


if __name__ == "__main__":
    main()
