# SPDX-License-Identifier: MIT
"""Write derived files atomically, so that nobody reads a file that is incomplete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError

if TYPE_CHECKING:
    import pandas


def write(path: Path, content: str | bytes) -> Path:
    """Write `content` (text as UTF-8) to `path`. The old file stays until the new one is complete on the disk.

    Raises:
        LabError: there is no room, or no permission; names the file.
    """
    # In the same folder, since a rename is atomic only within a file system. The name holds the process id, since
    # other processes may write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            with temporary.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = "make room, or work on a copy elsewhere: --results"
        raise LabError(f"{path} cannot be written: {error.strerror}", hint) from error
    return path


def write_table(path: Path, table: pandas.DataFrame) -> Path:
    """Write a data frame to `path` as CSV, without its index. Raises what `write` raises."""
    return write(path, table.to_csv(index=False, float_format="%.10g"))
