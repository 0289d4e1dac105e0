# SPDX-License-Identifier: MIT
"""What can be compared: the VPNs under `images/`, and the ciphersuites of `suites.yaml`."""
