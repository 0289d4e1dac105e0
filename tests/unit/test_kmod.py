"""The pure parts of the kernel module, built for user space: framing and the replay window, under sanitizers."""

import shutil
import subprocess
from pathlib import Path

from lab.catalog import ROOT


def test_framing_and_window_under_sanitizers(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "kmod", tmp_path / "kmod")
    done = subprocess.run(
        ["make", "--directory", str(tmp_path / "kmod"), "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " checks, 0 failures" in done.stdout
