# SPDX-License-Identifier: MIT
"""`lab capture`: ask the ends of a tunnel what their proof asks, and keep the answers for the tests of its patterns."""

from __future__ import annotations

import base64
import re
import secrets
from binascii import Error as NoBase64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.benches.vpn import proof, sandbox
from lab.benches.vpn.contract import captures
from lab.benches.vpn.questions import Question, answers
from lab.benches.vpn.tunnel import Tunnel, tunnel
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.core import files
from lab.core.command import Result
from lab.core.errors import LabError, UsageError
from lab.engines.engine import Engine
from lab.testbed import credentials, testbed
from lab.testbed.meter import Meter

Answers = Mapping[str, tuple[str, Result]]
"""What both ends answered to a question: by end, the pattern and the answer."""

ECHOES, SIZE = 100, 1000
"""The load: echo requests, and bytes in each. As many go back."""
LOAD = ECHOES * SIZE
SHORTEST = 8
"""Characters of a secret below which it is none: they could stand anywhere by chance."""
SECRETS = ["awk", "{ print FILENAME, $0 }", *(f"{credentials.FOLDER}/{name}" for name in credentials.SECRET)]


@dataclass(frozen=True)
class Kept:
    """What one end answered. `path` is None where another file holds the same answer."""

    end: str
    question: Question
    path: Path | None
    found: str
    """What the pattern found in it, in words."""
    fault: str
    """Why that proves nothing; empty where it does."""


def capture(catalog: Catalog, chosen: tuple[Vpn, str, Suite], engine: Engine) -> list[Kept]:
    """Bring a tunnel up, ask both ends before and after a short load, and keep the answers of after it.

    They are kept whether the patterns fit them or not: without them no pattern can be written.

    Raises:
        UsageError: the VPN has nothing that is asked. Unsupported, LabError: the tunnel did not come up or carry
            the load; or an answer holds a secret: then nothing is kept.
    """
    vpn, variant, suite = chosen
    questions: list[Question] = [each for each in ("suite", "counters") if getattr(vpn.proof(variant), each)]
    if not questions:
        raise UsageError(f"{vpn.name} {variant} is asked nothing", "say under `proof` in its vpn.yaml what is asked")
    sandbox.check_runnable(catalog, vpn, variant, engine)
    with (
        testbed.opened(engine, f"capture-{secrets.token_hex(2)}") as bed,
        tunnel(bed, Meter(bed), vpn, variant, suite, catalog.choose_wires(["whole"])[0]) as up,
    ):
        before = {question: answers(up, question) for question in questions}
        _load(up)
        after = {question: answers(up, question) for question in questions}
        texts = {
            (end, question): answer.stdout for question in questions for end, (_, answer) in after[question].items()
        }
        for (end, question), text in texts.items():
            _holds_no_secret(up, end, question, text)
    kept = []
    for question in questions:
        for end, (pattern, answer) in after[question].items():
            path = _path(catalog, chosen, question, end)
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                files.write(path, answer.stdout)
            judge = _suite if question == "suite" else _counters
            found, fault = judge(pattern, before[question][end][1].stdout, answer.stdout, up.native)
            status = (
                f" (its command exited with {answer.status}: {answer.complaint})" if fault and answer.status else ""
            )
            kept.append(Kept(end, question, path, found, f"{fault}{status}"))
    return kept


def _path(catalog: Catalog, chosen: tuple[Vpn, str, Suite], question: Question, end: str) -> Path | None:
    vpn, variant, suite = chosen
    if question == "suite":
        return captures.path_of(catalog, vpn, variant, suite.suite, end)
    return captures.path_of_counters(catalog, vpn, variant, end)


def _load(up: Tunnel) -> None:
    """Send echo requests through a tunnel, and get their replies."""
    words = ["ping", "-n", "-q", "-i", "0.01", "-W", "2", "-c", str(ECHOES), "-s", str(SIZE), up.address("server")]
    result = up.execute("client-load", words, timeout=20)
    if result.status:
        raise LabError(f"the tunnel did not carry the load: {result.complaint}")


def _holds_no_secret(up: Tunnel, end: str, question: Question, text: str) -> None:
    """Check that an answer holds nothing that only this end may know.

    Raises:
        LabError: it does; names the secret's file, and shows nothing of it.
    """
    result = up.ask(end, SECRETS)
    if result.status:
        raise LabError(f"the {end}'s secrets could not be read, to compare: {result.complaint}")
    names = secrets_in(text, result.stdout.splitlines())
    if captures.KEY.search(text):
        names.append("what looks like a key")
    if names:
        raise LabError(
            f"what the {end} answers to the question for the {question} holds a secret: {', '.join(names)}",
            "nothing is kept; have its command in vpn.yaml print less",
        )


def secrets_in(text: str, lines: Sequence[str]) -> list[str]:
    """The files of which a line stands in `text`, as it is or in hex. `lines` are `FILE LINE`."""
    names = []
    for path, _, line in (each.partition(" ") for each in lines):
        if len(line) >= SHORTEST and "-----" not in line and any(form in text for form in _forms(line)):
            names.append(Path(path).name)
    return list(dict.fromkeys(names))


def _forms(secret: str) -> set[str]:
    """How a secret may be written: as it is, its bytes in hex, and those of what it is the base64 of."""
    forms = {secret, secret.encode().hex()}
    with suppress(NoBase64):
        forms.add(base64.b64decode(secret, validate=True).hex())
    return forms | {form.upper() for form in forms if re.fullmatch("[0-9a-f]+", form)}


def _suite(pattern: str, before: str, after: str, native: str) -> tuple[str, str]:
    """What a suite's pattern found after the load, and why that proves nothing."""
    suite, session = proof.session(pattern, after)
    found = f"suite {suite}, session {session or 'not told'}" if suite else "nothing"
    if suite != native:
        return found, f"the pattern reads {suite or 'nothing'}, and the tunnel was asked for {native}"
    earlier = proof.session(pattern, before)[1]
    return found, f"before the load the session was {earlier or 'not told'}" if session != earlier else ""


def _counters(pattern: str, before: str, after: str, _: str) -> tuple[str, str]:
    """What a counters' pattern found before and after the load, and why that proves nothing."""
    old, new = proof.named(pattern, before), proof.named(pattern, after)
    if not new:
        return "nothing", "the pattern reads nothing"
    found = ", ".join(f"{name} {old.get(name, '-')} before the load and {new[name]} after it" for name in new)
    short = [name for name in new if new[name] - old.get(name, 0) < LOAD]
    return found, f"{' and '.join(short)} grew by less than the load, {LOAD} bytes" if short else ""
