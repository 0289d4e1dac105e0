# SPDX-License-Identifier: MIT
"""Files that are derived: written whole or not at all, so that none is ever read as whole that is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError

if TYPE_CHECKING:
    import pandas


def write(path: Path, content: str | bytes) -> Path:
    """Put `content` (text as UTF-8) into `path`: what was there before stays until all of it is on the disk.

    Raises:
        LabError: there is no room, or no permission; names the file.
    """
    # Beside it, since only there a new name is given at once; a name of this process's own, since others may write too.
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            with fresh.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = "make room, or work on a copy elsewhere: --results"
        raise LabError(f"{path} cannot be written: {error.strerror}", hint) from error
    return path


def write_table(path: Path, table: pandas.DataFrame) -> Path:
    """Put a data frame into `path` as CSV, without its index; raises what `write` raises."""
    return write(path, table.to_csv(index=False, float_format="%.10g"))
