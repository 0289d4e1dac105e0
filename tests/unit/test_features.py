import pytest

from lab.catalog import KernelFeature
from lab.features import reason

FEATURE = KernelFeature(feature="ESP", config="CONFIG_INET_ESP", probe=["true"])


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"CONFIG_INET": "y"}, "CONFIG_INET_ESP is not set"),
        ({"CONFIG_INET_ESP": "m"}, "CONFIG_INET_ESP=m, but its probe says: Operation not supported"),
        ({}, "its probe says: Operation not supported"),
    ],
    ids=["not-set", "set-but-not-there", "a-kernel-that-does-not-tell"],
)
def test_what_is_missing_is_named_and_how_that_is_known(config: dict[str, str], why: str) -> None:
    said = reason(FEATURE, config, "6.18.44", "RTNETLINK answers:\nOperation not supported")
    assert said == f"kernel 6.18.44 has no ESP: {why}"
