# SPDX-License-Identifier: MIT
"""Where the checkout is that everything is built from."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("LAB_ROOT") or Path(__file__).resolve().parents[2])
"""The folder of docker-compose.yml, images/ and lab/: this checkout, or the one that LAB_ROOT names."""
RESULTS = ROOT / "results"
"""Where runs are kept, where no other folder is named."""
