"""How well machine opens and clicks are told from a person's: precision and recall against the simulator's truth.

    .venv/bin/python -m benchmarks.machine_opens [--customers 2000] [--days 120] [--seeds 7 8 9]

Each seed is a shop of its own, simulated, ingested and run through dbt up to `fct_messages` in a temporary folder. An event
is right when `fct_message_responses.is_machine` says what the simulator knows; a message is right when
`fct_messages.has_machine_open` does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import datetime, time
from pathlib import Path

import duckdb

from assets.dbt import Dbt, warehouse_vars
from assets.home import Home
from assets.landing.ingest import ingest
from shop.config import ShopConfig
from shop.simulate import simulate

QUERY = """
with events as (
    select kind, is_machine as said, event_id in (select event_id from read_parquet('{truth}/machine_events.parquet')) as is_so
    from fct_message_responses
    where kind in ('open', 'click')
),
messages as (
    select 'message' as kind, told.has_machine_open as said, truth.has_machine_open as is_so
    from fct_messages as told
    inner join read_parquet('{truth}/messages.parquet') as truth using (message_id)
)
select
    kind,
    count(*) as n,
    count(*) filter (where is_so) as machines,
    count(*) filter (where said and is_so) / count(*) filter (where said) as "precision",
    count(*) filter (where said and is_so) / count(*) filter (where is_so) as recall
from (from events union all by name from messages)
group by kind
order by kind desc
"""


def measure(config: ShopConfig, root: Path) -> list[tuple[str, int, int, float, float]]:
    """Kind, number, number by machines, precision and recall for one simulated shop."""
    home = Home(root, root / "landing")
    simulate(config, home.landing, root / "truth")
    ingest(home, datetime.combine(config.end, time()))
    Dbt(home, memory="2GB", threads=2).run(
        ["run", "--quiet", "--select", "+fct_messages", "--vars", json.dumps(warehouse_vars(home))],
        "benchmark",
    )
    with duckdb.connect(str(home.warehouse), read_only=True) as warehouse:
        return warehouse.execute(QUERY.format(truth=root / "truth")).fetchall()


def main() -> None:
    """Simulate one shop for each seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    options = parser.parse_args()
    print(f"{'seed':>4} {'kind':<8} {'n':>8} {'machines':>9} {'precision':>10} {'recall':>7}")
    for seed in options.seeds:
        config = ShopConfig(customers=options.customers, days=options.days, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            for kind, n, machines, precision, recall in measure(config, Path(folder)):
                print(f"{seed:>4} {kind:<8} {n:>8,} {machines:>9,} {precision:>10.4f} {recall:>7.4f}")


if __name__ == "__main__":
    main()
