# SPDX-License-Identifier: MIT
"""The connection to a cluster's scheduler: encrypted, and with certificates on both sides."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client
from distributed.comm.core import CommClosedError
from distributed.security import Security

from lab.core.errors import EngineGone, LabError, UsageError

PATIENCE = 15.0
"""Seconds within which a scheduler answers."""
LOGS = ("distributed", "distributed.client", "distributed.semaphore", "tornado.application")
"""Dask's logs are silent here: what goes wrong is raised, and told in few words."""
NEEDED = ("tls_ca_file", "tls_client_cert", "tls_client_key")
CERTIFICATES = "`lab cluster certificates` makes them; DASK_CONFIG names the folder with their dask.yaml"


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at `address` (`tls://HOST:PORT`), with the certificates of Dask's configuration.

    A scheduler and its workers carry out any code that they are sent. So they take it only from holders of a
    certificate, on loopback too: other users of a machine could connect there.

    Raises:
        UsageError: the address is not `tls://`, or Dask's configuration names no certificates.
        LabError: no scheduler answers there, or it does not trust the certificate.
    """
    for name in LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        security = _security(address)
        client = Client(address, security=security, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise LabError(
            f"no scheduler answers at {address}: {reason}", "`dask scheduler` starts one: see docs/cluster.md"
        ) from error
    try:
        yield client
    except CommClosedError as error:
        raise EngineGone(f"the scheduler at {address} no longer answers: {error}") from error
    finally:
        client.close()  # type: ignore[no-untyped-call]


def _security(address: str) -> Security:
    if not address.startswith("tls://"):
        raise UsageError(
            f"--cluster: an address like tls://HOST:8786 is wanted, got {address!r}",
            "Dask carries out the code that it is sent: without TLS, whoever reaches the port could run programs",
        )
    security = Security(require_encryption=True)  # type: ignore[no-untyped-call]
    paths = {name: getattr(security, name) for name in NEEDED}
    if missing := [name.removeprefix("tls_").replace("_", "-") for name, path in paths.items() if not path]:
        raise UsageError(f"--cluster: Dask's configuration names no certificates: {', '.join(missing)}", CERTIFICATES)
    for path in paths.values():
        if "\n" not in str(path) and not Path(path).is_file():
            raise UsageError(f"--cluster: there is no certificate {path}", CERTIFICATES)
    return security
