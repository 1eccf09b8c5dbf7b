"""A home folder holds one shop; another landing folder gets a home of its own inside it."""

from pathlib import Path

from assets.home import Home
from pipelines.settings import Settings, default_landing
from pipelines.shops import claim, home_of_shop, remembered_landing


def test_a_fresh_home_takes_any_landing_folder_and_remembers_it(tmp_path: Path) -> None:
    root, landing = tmp_path / "home", tmp_path / "elsewhere"
    assert home_of_shop(root, landing) == Home(root, landing)
    claim(Home(root, landing))
    assert remembered_landing(root) == landing
    assert Settings.from_env({"SENDPLAN_HOME": str(root)}).home == Home(root, landing)


def test_a_second_shop_gets_a_home_of_its_own_inside(tmp_path: Path) -> None:
    root = tmp_path / "home"
    claim(Home(root, root / "landing"))
    second = home_of_shop(root, tmp_path / "retail")
    assert second.landing == tmp_path / "retail"
    assert second.root.parent == root / "shops"
    assert second.root.name.startswith("retail-")
    assert second != home_of_shop(root, tmp_path / "other" / "retail")


def test_the_first_claim_stands(tmp_path: Path) -> None:
    root = tmp_path / "home"
    claim(Home(root, root / "landing"))
    claim(Home(root, tmp_path / "late"))
    assert remembered_landing(root) == root / "landing"


def test_a_home_can_be_moved_with_its_landing_folder(tmp_path: Path) -> None:
    claim(Home(tmp_path / "before", tmp_path / "before" / "landing"))
    (tmp_path / "before").rename(tmp_path / "after")
    assert remembered_landing(tmp_path / "after") == tmp_path / "after" / "landing"


def test_samples_are_never_written_to_the_remembered_folder(tmp_path: Path) -> None:
    claim(Home(tmp_path, tmp_path / "real data"))
    assert default_landing({"SENDPLAN_HOME": str(tmp_path)}) == tmp_path / "landing"
