"""The marketer's folder that tests of whole plans use."""

import re
import shutil
from pathlib import Path

from mail.catalogue import FOLDER


def without_limit(folder: Path) -> Path:
    """The shipped folder, copied there, without a limit on the mails of a day, so that much is there to be looked at."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    policy = folder / "policy.yaml"
    rules, n_found = re.subn(r"(?m)^  share_per_day: .*$", "  share_per_day: null", policy.read_text())
    assert n_found == 1
    policy.write_text(rules)
    return folder
