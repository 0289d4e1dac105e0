# SPDX-License-Identifier: MIT
"""What it takes an end to come up, in time and in bytes on the wire: a script around its `up`, and what that prints."""

from __future__ import annotations

from dataclasses import dataclass

TIMED_UP = """
passed() {  # received and sent, in bytes
    local name received sent
    while read -r name received _ _ _ _ _ _ _ sent _; do
        [[ $name != eth0: ]] || echo "$received $sent"
    done </proc/self/net/dev
}
read -r received sent < <(passed)
started=$EPOCHREALTIME
up || exit $?
ended=$EPOCHREALTIME
read -r by_now_received by_now_sent < <(passed)
mkdir -p /run/vpn
[[ ! -r /run/vpn/started ]] || read -r started </run/vpn/started
echo "$started $ended $((by_now_received - received)) $((by_now_sent - sent))" | tee /run/vpn/took
"""
"""`up` writes when it starts the VPN itself: the preparation before is not the VPN's work. Nor has it used the wire."""
UP = ["bash", "-c", TIMED_UP]
AGAIN = ["cat", "/run/vpn/took"]
"""Prints the same once more."""


@dataclass(frozen=True)
class Took:
    """When an end's VPN was started and when it was up, in seconds since 1970; its bytes on the wire between."""

    began: float = 0.0
    ended: float = 0.0
    received: int = 0
    sent: int = 0

    @classmethod
    def read(cls, text: str) -> Took:
        """Read the last line that the script printed."""
        began, ended, received, sent = text.splitlines()[-1].split()
        return cls(float(began), float(ended), int(received), int(sent))

    @property
    def seconds(self) -> float:
        """From the start of the VPN to the end of `up`."""
        return self.ended - self.began
