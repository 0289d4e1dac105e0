# SPDX-License-Identifier: MIT
"""The workers of a cluster as its client sees them: who is there, who may take part, and who may not and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from distributed import Client

from lab.cluster import workplace
from lab.cluster.identity import Identity, Machine, checkout, differing
from lab.cluster.jobs import TICK, Done, Job
from lab.cluster.unit import Unfit
from lab.core.errors import EngineGone, LabError

Say = Callable[[str], None]
ABSENCE = 120.0
"""A run waits so many seconds for a worker where none is left."""
STRIKES = 3
"""A worker whose engine went away so often, one unit after the other, is given no more."""
START = "`dask worker` starts one: see docs/cluster.md"
MEND = "mend that, or take those workers out of the cluster"
HINT = "make them the same (playbooks/fleet.yml does), or take those workers out of the cluster"


@dataclass
class Fleet:
    """The workers, by address. `digests`: those that every worker must have; empty until the first were compared."""

    client: Client
    say: Say
    digests: Mapping[str, str] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    present: Collection[str] = ()
    strikes: dict[str, int] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _looked: float = 0.0
    _seen: float = field(default_factory=time.monotonic)

    def look(self) -> None:
        """See which workers there are.

        Raises:
            EngineGone: nobody has been there for a while.
        """
        now = time.monotonic()
        if self._looked and now - self._looked < TICK:
            return
        self._looked, self.present = now, set(self.client.scheduler_info(n_workers=-1)["workers"])
        if self.present:
            self._seen = now
        elif now - self._seen > ABSENCE:
            raise EngineGone(f"no worker has been in the cluster for {ABSENCE:.0f} s", START)

    def greetings(self) -> list[Job]:
        """A job for each worker that is new: it is asked who it is."""
        new = {*self.present} - self._asked
        self._asked |= new
        return [Job(workplace.identify, address=address) for address in new]

    def met(self, done: Done) -> None:
        """A worker said who it is. If it differs from the others, it is given nothing."""
        address, answer = str(done.job.address), done.result
        if isinstance(answer, Identity):
            self.machines[address] = answer.machine
            if self.digests and (lines := differing({"the others": self.digests, "it": answer.digests})):
                self.reject(address, "; ".join(lines))
        elif isinstance(answer, Unfit):
            self.reject(address, answer.reason)
        elif done.error is not None:
            self.reject(address, f"it does not understand this lab: {done.error}")

    def reject(self, address: str, reason: str) -> None:
        """Give no more work to a worker, and say so."""
        if address not in self.unfit:
            self.unfit[address] = reason
            self.say(f"worker {self.name(address)} is given no work: {reason}")

    def lost(self, address: str, reason: str) -> None:
        """The engine of a worker went away under a unit."""
        self.strikes[address] = self.strikes.get(address, 0) + 1
        self.say(f"worker {self.name(address)}: {reason.splitlines()[0]}")
        if self.strikes[address] >= STRIKES:
            self.reject(address, f"its engine went away {STRIKES} times, one after the other")

    def worked(self, address: str) -> None:
        """A worker took a unit."""
        self.strikes.pop(address, None)

    def name(self, address: str) -> str:
        """What a worker is called."""
        return self.machines[address].worker if address in self.machines else address

    @property
    def fit(self) -> list[Machine]:
        """The workers that are there, are known, and may take units."""
        return [self.machines[each] for each in self.present if each in self.machines and each not in self.unfit]

    @property
    def anybody(self) -> bool:
        """Whether every worker that is there may take units."""
        return len(self.fit) == len(self.present)

    def compared(self, identities: Mapping[str, Identity]) -> None:
        """Compare the checkouts and images of the first workers, by address, with each other and with this checkout.

        Raises:
            LabError: there is a difference; names each, and who has what.
        """
        by_name = sorted(identities.values(), key=lambda each: each.machine.worker)
        digests: dict[str, Mapping[str, str]] = {each.machine.worker: each.digests for each in by_name}
        lines = differing(digests) + [
            f"{line} (this checkout)" for each in by_name
            for line in differing({"the client": checkout(), each.machine.worker: each.checkout})
        ]  # fmt: skip
        if lines:
            raise LabError("the workers of the cluster are not the same:\n" + "\n".join(dict.fromkeys(lines)), HINT)
        self.digests = next(iter(identities.values())).digests
        self.machines |= {address: each.machine for address, each in identities.items()}
        self._asked |= identities.keys()
