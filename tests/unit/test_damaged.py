# SPDX-License-Identifier: MIT
"""A run that was cut short, edited, or has no room: never read as a measurement."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stored import damage, sample

from lab.core.errors import LabError
from lab.results.store import Store

WRITE = """
import sys
from pathlib import Path
from lab.core.errors import LabError
from lab.results.store import Store
try:
    with Store(Path(sys.argv[1])).writing():
        print("writing", flush=True)
        sys.stdin.read()
except LabError as error:
    print(error.message, error.hint, sep="; ")
"""


class TestWriter:
    def another(self, store: Store) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", WRITE, str(store.folder)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def test_a_second_one_is_told_who_the_first_is(self, store: Store) -> None:
        store.append(sample(0))
        store.samples.write_bytes(store.samples.read_bytes() + b"{")  # its writer is in the midst of a line
        whole = store.samples.read_bytes()
        with self.another(store) as first:
            assert first.stdout
            assert first.stdout.readline() == "writing\n"
            store.samples.write_bytes(whole)
            with pytest.raises(LabError) as caught, store.writing():
                pytest.fail("two write")
            assert caught.value.message == f"run r1 is being written by process {first.pid}"
            assert "one writer" in caught.value.hint
            assert store.samples.read_bytes() == whole, "what the other was writing was taken for torn"
            assert len(store.frame()) == 2, "anybody may read"
            with self.another(store) as second:
                assert f"process {first.pid}" in second.communicate()[0]
            first.communicate()
        with store.writing():
            assert sorted(path.name for path in store.folder.iterdir()) == [
                "meta.json",
                "samples.jsonl",
                "samples.torn",
            ]

    def test_one_that_was_killed_holds_nothing(self, store: Store) -> None:
        with self.another(store) as first:
            assert first.stdout
            first.stdout.readline()
            first.kill()
        with store.writing():
            store.append(sample(0))
        with store.writing():
            store.append(sample(1))

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match="r9 cannot be held: No such file"), Store(tmp_path / "r9").writing():
            pass


def test_a_torn_last_line_is_set_aside(store: Store) -> None:
    for position in range(3):
        store.append(sample(position))
    whole = store.samples.read_bytes()
    os.truncate(store.samples, len(whole) - 40)
    assert list(Store(store.folder).read()) == [sample(0), sample(1)]
    again = Store(store.folder)
    again.mend()
    assert list(again.read()) == [sample(0), sample(1)]
    torn = (store.folder / "samples.torn").read_bytes()
    assert again.samples.read_bytes() + torn == whole[:-40] + b"\n"
    again.append(sample(2))
    assert again.samples.read_bytes() == whole


def test_nothing_is_set_aside_of_a_whole_file(store: Store) -> None:
    store.append(sample(0))
    whole = store.samples.read_bytes()
    Store(store.folder).mend()
    assert store.samples.read_bytes() == whole
    assert not (store.folder / "samples.torn").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [("405.285264437", "505.285264437"), ('"ok"', '"OK"'), ('"check"', '"chek"'), ('"position": 1', '"position": 11')],
)
def test_an_edited_line_is_named(store: Store, old: str, new: str) -> None:
    store.append(sample(0, readings=[], outcome="failed"))
    store.append(sample(1))
    damage(store, old, new) if old != '"check"' else store.samples.write_bytes(
        b"".join(line.replace(b'"check"', b'"chek"') if n else line
                 for n, line in enumerate(store.samples.read_bytes().splitlines(keepends=True)))
    )  # fmt: skip
    with pytest.raises(LabError, match=r"samples\.jsonl:2: this line was cut short or changed") as caught:
        list(store.read())
    assert "`--resume r1`" in caught.value.hint


@pytest.mark.parametrize("line", [b"", b"[1]", b"7", b'{"check": ', b"\xff\xfe"])
def test_a_line_that_is_no_sample_is_named(store: Store, line: bytes) -> None:
    store.append(sample(0))
    with store.samples.open("ab") as file:
        file.write(line + b"\n")
    store.append(sample(1))
    with pytest.raises(LabError, match=r"samples\.jsonl:2: "):
        list(store.read())


def test_a_full_disk_leaves_what_was_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.append(sample(0))
    whole = store.samples.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LabError, match=r"samples\.jsonl cannot be written: No space left on device") as caught:
            store.append(sample(1))
    assert caught.value.hint == "make room, then resume the run: `--resume r1`"
    assert store.samples.read_bytes() == whole
    store.append(sample(1))
    assert list(store.read()) == [sample(0), sample(1)]


def test_a_line_that_only_half_fits_on_the_disk(store: Store) -> None:
    """A process that may write no larger files: the kernel takes the first part of the line and refuses the rest."""
    store.append(sample(0))
    whole = store.samples.read_bytes()
    script = """
import json, sys
from pathlib import Path
from lab.core.errors import LabError
from lab.results.store import Store
try:
    Store(Path(sys.argv[1])).append(json.loads(sys.stdin.read()))
except LabError as error:
    sys.exit(error.message)
"""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 5000, len(whole) + 5000))

    for size in (7_000, 70_000):
        sample_of_size = json.dumps(sample(1, raw="x" * size))
        result = subprocess.run(
            [sys.executable, "-c", script, store.folder], input=sample_of_size, preexec_fn=limited,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "cannot be written: File too large" in result.stderr
        assert store.samples.read_bytes() == whole


def test_a_run_whose_folder_is_gone_says_so(store: Store) -> None:
    for path in store.folder.iterdir():
        path.unlink()
    store.folder.rmdir()
    with pytest.raises(LabError, match="cannot be written: No such file"):
        store.append(sample())
