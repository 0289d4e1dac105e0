# SPDX-License-Identifier: MIT
"""What the folder of a VPN must hold, as far as it shows without an engine: `lab check`, and the tests."""
