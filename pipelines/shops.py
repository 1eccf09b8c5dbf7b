"""Which folder a shop's state lies in. A home folder belongs to the landing folder it was first used with; another landing
folder gets a home of its own inside it, so that two shops never share models, plans or a warehouse.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from assets.home import Home

MEMORY = "shop.json"


def remembered_landing(root: Path) -> Path | None:
    """The landing folder that a home folder belongs to; None where it has not been used yet."""
    memory = root / MEMORY
    return root / json.loads(memory.read_text())["landing"] if memory.exists() else None


def home_of_shop(root: Path, landing: Path) -> Home:
    """The home of the shop whose data lies in `landing`: `root` itself, or `shops/<name>` in it if `root` is another's."""
    owner = remembered_landing(root)
    if owner is None or owner == landing:
        return Home(root, landing)
    name = f"{landing.name}-{hashlib.sha256(str(landing).encode()).hexdigest()[:6]}"
    return Home(Home(root, landing).shops / name, landing)


def claim(home: Home) -> None:
    """Remember whose home this is; a landing folder inside it by its relative path, so that the home can be moved."""
    if remembered_landing(home.root) is None:
        from assets.storage import replace_bytes

        inside = home.landing.is_relative_to(home.root)
        landing = home.landing.relative_to(home.root) if inside else home.landing
        replace_bytes(home.root / MEMORY, json.dumps({"landing": str(landing)}).encode())
