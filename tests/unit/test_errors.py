# SPDX-License-Identifier: MIT
from lab.core.errors import InvalidSample, LabError, Unsupported, UsageError, unknown


def test_unknown_names_the_nearest_and_all_valid_names() -> None:
    error = unknown("VPN", "alhpa", ["beta", "alpha"])
    assert error.message == "unknown VPN 'alhpa'. Did you mean 'alpha'?"
    assert error.hint == "valid names: alpha, beta"


def test_unknown_guesses_nothing_far_fetched() -> None:
    error = unknown("VPN", "zzz", ["beta", "alpha"])
    assert error.message == "unknown VPN 'zzz'."


def test_exit_codes() -> None:
    assert LabError("x").exit_code == 1
    assert unknown("VPN", "x", []).exit_code == UsageError("x").exit_code == 2
    assert Unsupported("x").exit_code == InvalidSample("x").exit_code == 1


def test_message_and_hint() -> None:
    error = LabError("no engine", "start it")
    assert (str(error), error.message, error.hint) == ("no engine", "no engine", "start it")
