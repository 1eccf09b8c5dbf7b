"""The command line as people and machines meet it: what is printed where, and how it ends."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from command_line import Command
from conftest import Replanned
from planned_shop import DAY, LATER, SENDPLAN, WEEK, Shop

from assets.training import QUESTIONS

COMMANDS = (
    "demo",
    "simulate",
    "import",
    "plan",
    "train",
    "evaluate",
    "export",
    "lookalikes",
    "subjects",
    "ui",
    "doctor",
    "forget",
    "subject-export",
)


def test_help_lists_the_commands_without_loading_the_libraries(tmp_path: Path) -> None:
    """In a process of its own: nobody waits for Dagster to read a help text."""
    script = (
        "import sys; from pipelines.cli import main\n"
        "sys.argv = ['sendplan', '--help']\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'dagster', 'mlflow', 'polars', 'xgboost'} & set(sys.modules)), file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [command for command in COMMANDS if command not in said.stdout] == []
    assert said.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "command", [(name,) for name in COMMANDS] + [("import", "online-retail"), ("subjects", "approve")]
)
def test_every_command_explains_itself(sendplan: Command, command: tuple[str, ...]) -> None:
    said = sendplan(*command, "--help")
    assert (said.code, said.err) == (0, "")
    assert "Usage:" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["plan"], "--date"),
        (["plan", "--day", "2025-04-29"], "No such option"),
        (["plan", "--date", "yesterday"], "'yesterday' is not a date; write it as YYYY-MM-DD"),
        (["plan", "--date", "2025-02-30"], "'2025-02-30' is not a date"),
        (["plan", "--date", "2999-01-01"], "2999-01-01 lies in the future"),
        (["train", "--as-of", "2999-01-01"], "2999-01-01 lies in the future"),
        (["simulate", "--customers", "0"], "--customers"),
        (["export", "--date", "2025-04-29"], "--to"),
        (["ui", "grafana"], "grafana"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_was_wrong(
    sendplan: Command, arguments: list[str], message: str
) -> None:
    said = sendplan(*arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", [["plan", "--date", "2025-04-29"], ["doctor"], ["simulate"]])
def test_an_unknown_environment_ends_with_2(sendplan: Command, command: list[str]) -> None:
    said = sendplan(*command, SENDPLAN_ENV="staging")
    assert said.code == 2
    assert (
        said.err.strip()
        == "error SENDPLAN_ENV is 'staging', which is no environment; set it to one of: local, test, production"
    )


def test_plan_reports_as_one_json_object(replanned: Replanned) -> None:
    told = json.loads(replanned.later)
    plan = replanned.shop.plan(LATER)
    assert (told["plan_date"], told["rows"]) == (str(LATER), plan.height)
    assert told["actions"] == dict(plan["action"].value_counts().iter_rows())
    assert sum(told["messages"].values()) == told["actions"]["send"]
    assert sum(told["holds"].values()) == told["actions"]["hold"]
    assert Path(told["plan"]).is_file()
    assert Path(told["marketing"]).is_file()


def test_plan_reports_to_people_what_it_made_and_where_to_look(replanned: Replanned) -> None:
    plan = replanned.shop.plan(DAY)
    assert f"Send plan for {DAY}: {plan.height} customers" in replanned.again
    assert f"{plan.filter(action='send').height} send" in replanned.again
    assert f"sendplan export --date {DAY} --to plan.csv" in replanned.again
    assert str(replanned.shop.home.marketing) in replanned.again
    assert len(replanned.again.splitlines()) < 25


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_export_joins_addresses_and_adds_no_row(
    sendplan: Command, shop: Shop, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"plan{suffix}"
    said = sendplan("export", "--date", DAY, "--to", file, "--json", home=shop.home.root)
    plan = shop.plan()
    assert (said.code, said.json["rows"], said.json["to"]) == (0, plan.height, str(file))
    read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}[suffix]
    exported = read(file, infer_schema_length=None) if suffix != ".parquet" else read(file)
    people = pl.read_parquet(shop.home.landing / "customers.parquet")
    addresses = dict(people.select("customer_id", "email").iter_rows())
    assert exported["customer_id"].to_list() == plan["customer_id"].to_list()
    assert exported["email"].to_list() == [addresses[customer] for customer in plan["customer_id"]]
    # Who has unsubscribed, complained or bounced since that day is held back.
    is_same = exported["action"] == plan["action"]
    assert (~is_same).sum() == said.json["stopped"]
    assert set(exported.filter(~is_same)["action"]) <= {"hold"}
    assert exported.filter(is_same)["subject"].to_list() == plan.filter(is_same)["subject"].to_list()
    shown = exported["product_ids"].str.split("|") if suffix == ".csv" else exported["product_ids"]
    # In CSV no product and no list look alike.
    planned = [products or None for products in plan.filter(is_same)["product_ids"].to_list()]
    written = [
        [product for product in products or [] if product] for products in shown.filter(is_same).to_list()
    ]
    assert [products or None for products in written] == planned


@pytest.mark.parametrize(
    ("day", "to", "code", "message"),
    [
        (
            "2025-01-20",
            "plan.csv",
            1,
            "there is no plan for 2025-01-20 in {plans}; make it with: sendplan plan --date",
        ),
        (str(DAY), "plan.xlsx", 2, "plan.xlsx'; let the name end in one of .csv, .parquet, .jsonl"),
    ],
)
def test_export_says_why_it_cannot(
    sendplan: Command, shop: Shop, tmp_path: Path, day: str, to: str, code: int, message: str
) -> None:
    said = sendplan("export", "--date", day, "--to", tmp_path / to, home=shop.home.root)
    assert (said.code, said.out) == (code, "")
    assert message.format(plans=shop.home.plans) in said.err


def test_lookalikes_are_like_a_segment_and_not_in_it(sendplan: Command, shop: Shop, tmp_path: Path) -> None:
    segments = pl.read_parquet(shop.home.scores(DAY) / "score_segments.parquet")
    key = segments.filter(pl.col("segment_key") != "learnt_0")["segment_key"].mode().sort()[0]
    to = tmp_path / "like.csv"
    said = sendplan("lookalikes", key, "--date", DAY, "--n", 20, "--to", to, home=shop.home.root)
    assert (said.code, said.out.split()[0]) == (0, "20")
    found = pl.read_csv(to, schema_overrides={"customer_id": pl.String})
    assert not set(found["customer_id"]) & set(segments.filter(pl.col("segment_key") == key)["customer_id"])
    assert found["similarity"].is_sorted(descending=True)


def test_lookalikes_of_an_unknown_segment_name_those_there_are(sendplan: Command, shop: Shop) -> None:
    said = sendplan("lookalikes", "learnt1", "--date", DAY, home=shop.home.root)
    assert said.code == 1
    assert "did you mean 'learnt_1'?" in said.err


def test_train_lists_the_champions_and_why(
    sendplan: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job itself is left out; the shop has run it."""
    asked: list[tuple[str, date]] = []
    monkeypatch.setattr("pipelines.runs.run_job", lambda _, __, job, day, *___: asked.append((job, day)))
    said = sendplan("train", "--as-of", DAY, "--json", home=shop.home.root)
    assert said.code == 0
    assert asked == [("weekly_training", WEEK)]
    models = {model["question"]: model for model in said.json["models"]}
    assert set(models) == set(QUESTIONS)
    assert all(model["week"] == str(WEEK) for model in models.values())
    assert all(model["champion"] in model["why"] for model in models.values())


def test_doctor_of_a_planned_shop_is_content_and_tells_of_its_bad_rows(sendplan: Command, shop: Shop) -> None:
    said = sendplan("doctor", "--json", home=shop.home.root)
    assert all(found["ok"] for found in said.json.values())
    assert "7 of events" in said.json["quarantine"]["found"]
    assert str(shop.home.quarantine) in said.json["quarantine"]["found"]
    assert str(DAY) in said.json["plans"]["found"]
    assert said.code == 0


def test_doctor_of_an_empty_home_says_what_to_do_first(sendplan: Command) -> None:
    said = sendplan("doctor", "--json")
    assert said.code == 1
    wrong = {topic: found["remedy"] for topic, found in said.json.items() if not found["ok"]}
    assert "sendplan simulate" in wrong["landing"]
    assert "sendplan plan" in wrong["plans"]
    assert said.json["messages"]["ok"]


def test_simulate_fills_a_landing_folder(sendplan: Command, tmp_path: Path) -> None:
    landing = tmp_path / "elsewhere" / "landing"
    arguments = ("simulate", "--customers", "30", "--days", "10", "--seed", "3", "--landing", landing)
    said = sendplan(*arguments, "--json")
    assert said.code == 0
    assert (said.json["customers"], said.json["days"]) == (30, 10)
    assert {path.stem for path in landing.iterdir()} == {
        *("customers", "products", "contents", "events", "consents")
    }
    first = {path: path.read_bytes() for path in landing.rglob("*.parquet")}
    assert sendplan(*arguments).code == 0
    assert {path: path.read_bytes() for path in landing.rglob("*.parquet")} == first


def test_import_names_the_missing_column(sendplan: Command, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Country\n")
    landing = tmp_path / "landing"
    said = sendplan("import", "online-retail", file, "--landing", landing)
    assert (said.code, said.out) == (1, "")
    assert str(file) in said.err
    assert "Customer ID" in said.err
    assert not landing.exists()


def test_import_of_a_file_that_is_not_there_says_where_to_get_it(sendplan: Command, tmp_path: Path) -> None:
    said = sendplan("import", "online-retail", tmp_path / "none.parquet")
    assert said.code == 1
    assert "none.parquet does not exist. Download Online Retail II" in said.err


def test_the_installed_command_is_the_same() -> None:
    done = subprocess.run([SENDPLAN, "nosuch"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command 'nosuch'" in done.stderr
