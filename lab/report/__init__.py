# SPDX-License-Identifier: MIT
"""Tables, pictures and pages: of what, the views of the benches say."""
