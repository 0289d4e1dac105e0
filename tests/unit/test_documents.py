# SPDX-License-Identifier: MIT
"""What is wrong with a file is said with its name, the line, and what was expected there."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import model_validator

from lab.core.documents import Document, Malformed, Misfit, line_of, read
from lab.core.errors import UsageError


class Inner(Document):
    count: int
    tags: list[str] = []


class Outer(Document):
    title: str
    inner: Inner
    more: dict[str, Inner] = {}


class Pair(Document):
    """Neither may be the other: which only the whole can tell."""

    first: Inner
    second: Inner

    @model_validator(mode="after")
    def _differ(self) -> Pair:
        if self.first == self.second:
            raise Misfit("it is the first again", "second", "count")
        return self


GOOD = "title: T\ninner:\n  count: 3\n  tags: [a, b]\n"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "file.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def complaint(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read(path, Outer)
    return caught.value.message


def test_a_good_file(write: Write) -> None:
    assert read(write(GOOD), Outer) == Outer(title="T", inner=Inner(count=3, tags=["a", "b"]))


@pytest.mark.parametrize(
    ("text", "line", "key", "expected"),
    [
        ("title: T\ninner:\n  tags: []\n", 2, "inner.count", "it is missing"),
        ("inner: {count: 1}\n", 1, "title", "it is missing"),
        (
            "title: T\ninner:\n  count: 3\n  extra: 1\n",
            4,
            "inner.extra",
            "lab knows no such key, got 1; valid keys: count, tags",
        ),
        (
            "title: T\ninner: {count: 1}\nmore:\n  a: {count: 1, extra: 1}\n",
            4,
            "more.a.extra",
            "valid keys: count, tags",
        ),
        ("title: T\ninner: {count: 1}\nextra: 1\n", 3, "extra", "valid keys: title, inner, more"),
        ("title: T\ninner:\n  count: many\n", 3, "inner.count", "a whole number"),
        ("title: T\ninner:\n  count: 1\n  tags:\n    - a\n    - [b]\n", 6, "inner.tags.1", "text is wanted, got ['b']"),
        ("title: T\ninner: {count: 1}\nmore:\n  a: {count: 1}\n  b: {count: x}\n", 5, "more.b.count", "a whole number"),
        ("[1, 2]\n", 1, "the document", "got [1, 2]"),
        ("", 1, "the document", "got None"),
    ],
    ids=[
        "missing",
        "missing-at-top",
        "extra",
        "extra-in-a-mapping",
        "extra-at-top",
        "type",
        "in-a-list",
        "in-a-mapping",
        "not-a-mapping",
        "empty",
    ],
)
def test_what_does_not_fit_is_named(write: Write, text: str, line: int, key: str, expected: str) -> None:
    path = write(text)
    said = complaint(path)
    assert said.startswith(f"{path}:{line}: {key}: ")
    assert expected in said


def test_every_fault_is_named_at_once(write: Write) -> None:
    said = complaint(write("title: 1\ninner:\n  count: x\n  extra: 1\n"))
    assert [line.split(":")[1] for line in said.splitlines()] == ["1", "3", "4"]


@pytest.mark.parametrize(("text", "line"), [("title: T\ninner: {count: 1\n", 3), ("a: b: c\n", 1), ("- a\nb: 1\n", 2)])
def test_broken_yaml(write: Write, text: str, line: int) -> None:
    path = write(text)
    assert complaint(path).startswith(f"{path}:{line}: not YAML: ")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("title: T\ninner:\n  count: 3\n  count: 4\n", 4, "the key 'count' stands in line 3 already"),
        ("title: T\ntitle: U\ninner: {count: 1}\n", 2, "the key 'title' stands in line 1 already"),
        ("title: T\ninner: {count: 1}\nmore:\n  'a': {count: 1}\n  a: {count: 1}\n", 5,
         "the key 'a' stands in line 4 already"),
        ("title: 2026-02-30\n", 1, "'2026-02-30' looks like a value of the kind timestamp, and is none; quote it"),
        ("title: T\ninner:\n  count: 0b_\n", 3, "'0b_' looks like a value of the kind int, and is none"),
        ("title: T\ninner:\n  count: 0x_\n", 3, "'0x_' looks like a value of the kind int, and is none"),
        (f"title: T\ninner:\n  count: {'1' * 5000}\n", 3, "looks like a value of the kind int, and is none"),
        ("title: !!bool perhaps\n", 1, "'perhaps' looks like a value of the kind bool, and is none"),
        ("title: !!timestamp soon\n", 1, "'soon' looks like a value of the kind timestamp, and is none"),
        ("title: !!float much\n", 1, "'much' looks like a value of the kind float, and is none"),
        ("title: !!python/name:os.system x\n", 1, "could not determine a constructor for the tag"),
        (f"title: T\ninner: {'[' * 3000}{']' * 3000}\n", 2, "more than 50 levels"),
        (f"title: T\ninner:\n  {'- ' * 3000}x\n", 3, "more than 50 levels"),
        ("title: T\ninner: {[a]: 1}\n", 2, "found unhashable key"),
        ("title: *nobody\n", 1, "found undefined alias"),
        ("title: T\n--- \ntitle: U\n", 2, "but found another document"),
    ],
    ids=["twice", "twice-at-top", "twice-quoted", "no-date", "no-digits", "no-hex", "long", "no-bool", "no-timestamp",
         "no-float", "no-tag", "brackets", "dashes", "unhashable", "alias", "two-documents"],
)  # fmt: skip
def test_what_yaml_takes_silently_or_dies_of(write: Write, text: str, line: int, said: str) -> None:
    path = write(text)
    complaint_ = complaint(path)
    assert complaint_.startswith(f"{path}:{line}: not YAML: ")
    assert said in complaint_


def test_what_holds_itself(write: Write) -> None:
    assert ": inner" in complaint(write("title: T\ninner: &self\n  count: *self\n"))


def test_what_is_shown_of_a_value_is_short(write: Write) -> None:
    assert len(complaint(write(f"title: T\ninner: {{count: {'x' * 5000}}}\n"))) < 300


@pytest.mark.parametrize("content", [b"title: \x00\n", b"title: \xff\n"], ids=["control-character", "not-utf-8"])
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    assert str(path) in complaint(path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: No such file or directory"


def test_a_validator_of_the_whole_names_the_line_of_the_part(write: Write) -> None:
    path = write("first: {count: 1}\nsecond:\n  tags: []\n  count: 1\n")
    with pytest.raises(Malformed) as caught:
        read(path, Pair)
    assert caught.value.faults == [(4, "second.count: it is the first again")]
    assert caught.value.message == f"{path}:4: second.count: it is the first again"


def test_such_an_error_crosses_to_another_process(tmp_path: Path) -> None:
    error = Malformed(tmp_path / "f", [(0, "it is missing"), (3, "it is wrong")])
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.faults, again.exit_code) == (error.message, error.faults, 2)
    assert error.message == f"{tmp_path}/f: it is missing\n{tmp_path}/f:3: it is wrong"


@pytest.mark.parametrize(
    ("place", "line"),
    [((), 1), (("inner",), 2), (("inner", "tags"), 4), (("inner", "tags", 1), 6), (("inner", "none", "tags"), 2)],
)
def test_the_line_of_a_part(write: Write, place: tuple[str | int, ...], line: int) -> None:
    assert line_of(write("title: T\ninner:\n  count: 3\n  tags:\n    - a\n    - b\n"), *place) == line


def test_documents_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner(count=1).count = 2  # type: ignore[misc]
