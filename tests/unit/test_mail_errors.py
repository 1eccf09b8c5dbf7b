"""A YAML file that would hang the reader, or cannot be read, is refused by name."""

from pathlib import Path

import pytest

from mail.errors import MAX_DEPTH, MessageFileError, read_yaml

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)


def refusal(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MessageFileError) as caught:
        read_yaml(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LAUGHS, ":1: aliases (&, *) are not allowed; write the value out"),
        ("name: a\nloop: &loop [*loop]\n", ":2: aliases (&, *) are not allowed; write the value out"),
        ("name: a\nother: *name\n", ":2: aliases (&, *) are not allowed; write the value out"),
        ("name: " + "[" * 5000 + "]" * 5000, f":1: more than {MAX_DEPTH} levels inside one another"),
        ("name: " + "{a: " * 5000 + "1" + "}" * 5000, f":1: more than {MAX_DEPTH} levels inside one another"),
        ("name: a\nzz: 2020-99-99\n", ":2: not valid YAML: month must be in 1..12"),
        ("name: a\n2020-99-99: b\n", ":2: not valid YAML: month must be in 1..12"),
        ("name: a\nzz: " + "9" * 5000, ":2: not valid YAML: Exceeds the limit"),
        ("name: a\nzz: !!timestamp x\n", ":2: not valid YAML: tags (!) are not allowed"),
        ("name: a\n? [b]\n: c\n", ":2: not valid YAML: found unhashable key"),
    ],
)
def test_a_file_that_cannot_be_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "welcome.yaml"
    assert f"{path}{expected}" in refusal(path, text)


def test_nesting_up_to_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "welcome.yaml"
    path.write_text("name: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), encoding="utf-8")
    assert read_yaml(path).line(("name",)) == 1


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "welcome.yaml"
    path.mkdir()
    with pytest.raises(
        MessageFileError, match=r"welcome\.yaml: cannot be read: Is a directory; put a readable"
    ):
        read_yaml(path)
