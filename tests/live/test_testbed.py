# SPDX-License-Identifier: MIT
"""A container that cannot be started leaves nothing behind: its name is free for the next."""

from __future__ import annotations

import pytest

from lab.core.errors import LabError
from lab.engines.engine import Engine
from lab.testbed import testbed

pytestmark = pytest.mark.docker

NAME = "live-unstartable"


def test_what_does_not_start_leaves_its_name_free(engine: Engine, images: None) -> None:
    with testbed.opened(engine, NAME) as bed:
        plan = bed.compose.resolve(bed.variables)
        broken = plan.services["server-load"].model_copy(
            update={"image": "lab/base:latest", "command": ["no-such-program"], "init": False, "network_mode": "none"}
        )
        for _ in range(2):
            with pytest.raises(LabError, match=r"server-load: the engine refused to start it: .*no-such-program"):
                bed.start("server-load", plan, broken)
        assert not testbed.containers_of(engine, NAME, role="server-load")
