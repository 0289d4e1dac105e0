# SPDX-License-Identifier: MIT
"""The runner: it carries out the plan of any bench on one or several engines, and stores every sample."""
