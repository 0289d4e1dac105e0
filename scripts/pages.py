# SPDX-License-Identifier: MIT
"""Write README.md and the pages of docs/ that show figures of committed runs (`make docs`).

Each file under docs/templates is a Jinja template of the page with the same path in the repository. A template takes
its figures from `run(NAME)`: the quotes of the bench that made the run (`lab/benches/<bench>/views/quotes.py`).
Written again, a page is the same byte for byte.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console

from lab import benches
from lab.benches.crypto.views.quotes import Quotes as OfCiphers
from lab.benches.ktls.views.quotes import Quotes as OfRecords
from lab.benches.vpn.views.quotes import Quotes as OfVpns
from lab.catalog.catalog import Catalog
from lab.core import files
from lab.core.paths import ROOT
from lab.report import quotes, write
from lab.report.tables import RECORDS
from lab.results.store import Store
from lab.stats.summary import Summary

TEMPLATES = Path("docs/templates")
WIDTH = 80
PICTURE = re.compile(r"!\[[^]]*\]\((?:\.\./)*results/([^/)]+)/[^/)]+\)")
"""A picture that `lab report` made of a run."""


@cache
def run(name: str, root: Path = ROOT) -> quotes.Quotes:
    """The quotes of a run under `results/`.

    Raises:
        LabError: there is no such run, or it is damaged.
    """
    store = Store(root / "results" / name)
    kind, summary = benches.of(store), Summary.of(store)
    if kind == "matrix":
        return OfVpns(summary, benches.offer(store.folder, summary.meta)("crypto"))
    return OfCiphers(summary) if kind == "crypto" else OfRecords(summary)


def screen(name: str, root: Path = ROOT) -> str:
    """The screen that `lab report` shows of a run, as a block of Markdown."""
    views = benches.views(benches.of(Store(root / "results" / name)))
    return "\n".join(f"    {line}".rstrip() for line in views.screen(run(name, root=root).run, WIDTH))


def pages(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Each page that has a template, and its text as it must be."""
    folder = root / TEMPLATES
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701 -- it is Markdown
    )  # fmt: skip
    environment.globals |= {"run": partial(run, root=root), "screen": partial(screen, root=root)}
    environment.globals |= {"catalog": Catalog(), "records": RECORDS}
    for template in sorted(folder.rglob("*.md")):
        name = template.relative_to(folder)
        yield root / name, environment.get_template(str(name)).render(source=TEMPLATES / name)


def pictured(root: Path = ROOT) -> list[str]:
    """The runs of which a page shows a picture."""
    texts = [path.read_text(encoding="utf-8") for path in (root / "README.md", *sorted((root / "docs").glob("*.md")))]
    return sorted({name for text in texts for name in PICTURE.findall(text)})


def main() -> None:
    """Write every page, and have `lab report` draw the pictures that they show."""
    for path, text in pages():
        files.write(path, text)
        print(path.relative_to(ROOT))
    for name in pictured():
        store = Store(ROOT / "results" / name)
        offer = benches.offer(store.folder, store.meta())
        write.write(benches.views(benches.of(store)), store, Console(file=io.StringIO()), offer=offer)
        print(f"results/{name}: pictures")


if __name__ == "__main__":
    main()
