# SPDX-License-Identifier: MIT
"""The subjects of a comparison: the VPNs under `images/`, and the ciphersuites of `suites.yaml`."""
