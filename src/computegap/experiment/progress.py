"""Progress of a long loop: a bar for the person who waits, and nothing in a built page."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator


def progress(steps: Iterable, label: str = "", total: int | None = None) -> Iterator:
    """Go through ``steps`` and show a bar that vanishes at the end.

    The bar goes to standard output, since anything on standard error looks like a warning in a notebook,
    and it is left out when the site is built (``COMPUTEGAP_SITE=1``) or the output is a file.
    """
    quiet = os.environ.get("COMPUTEGAP_SITE") == "1" or not (
        sys.stdout.isatty() or "ipykernel" in sys.modules
    )
    if quiet:
        yield from steps
        return
    from tqdm import tqdm

    yield from tqdm(steps, desc=label, total=total, file=sys.stdout, leave=False, ncols=80)
