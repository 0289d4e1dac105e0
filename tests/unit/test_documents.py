"""What is wrong with a file is said with its name, the line, and what was expected there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.documents import Document, read
from lab.errors import UsageError


class Inner(Document):
    count: int
    tags: list[str] = []


class Outer(Document):
    title: str
    inner: Inner
    more: dict[str, Inner] = {}


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
        ("title: T\ninner:\n  tags: []\n", 2, "inner.count", "Field required"),
        ("inner: {count: 1}\n", 1, "title", "Field required"),
        ("title: T\ninner:\n  count: 3\n  extra: 1\n", 4, "inner.extra", "not permitted, got 1"),
        ("title: T\ninner:\n  count: many\n", 3, "inner.count", "integer"),
        ("title: T\ninner:\n  count: 1\n  tags:\n    - a\n    - [b]\n", 6, "inner.tags.1", "string, got ['b']"),
        ("title: T\ninner: {count: 1}\nmore:\n  a: {count: 1}\n  b: {count: x}\n", 5, "more.b.count", "integer"),
        ("[1, 2]\n", 1, "the document", "got [1, 2]"),
        ("", 1, "the document", "got None"),
    ],
    ids=["missing", "missing-at-top", "extra", "type", "in-a-list", "in-a-mapping", "not-a-mapping", "empty"],
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


@pytest.mark.parametrize("content", [b"title: \x00\n", b"title: \xff\n"], ids=["control-character", "not-utf-8"])
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    assert str(path) in complaint(path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: No such file or directory"


def test_documents_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner(count=1).count = 2  # type: ignore[misc]
