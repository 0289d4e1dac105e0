# SPDX-License-Identifier: MIT
"""`lab sums`: what it can be asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lab.runner import settings as common
from lab.runner.settings import Bytes, Words

KIND = "sums"
TITLE = "Time checksums."


class Settings(common.Settings):
    """Kept in `meta.json`."""

    programs: Annotated[Words, Field(description="The programs.")] = ["sha256sum", "md5sum", "nonesuch"]
    size: Annotated[Bytes, Field(ge=1, description="How much they read.")] = 1_000_000
