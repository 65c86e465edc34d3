"""Text that needs no download: the help pages that every Python carries.

``pydoc_data.topics`` holds about half a megabyte of English prose. Read as bytes, it needs a vocabulary of
about a hundred symbols. Its wording differs a little between Python versions, so losses are compared within
a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch


@dataclass(frozen=True)
class Text:
    """A text as numbers: ``train`` and ``held_out`` are 1-D int64 tensors of symbols below ``vocabulary``."""

    train: torch.Tensor
    held_out: torch.Tensor
    vocabulary: int
    symbols: bytes

    def decode(self, tokens) -> str:
        """The symbols back as text."""
        return bytes(self.symbols[int(token)] for token in tokens).decode("utf-8", errors="replace")


@lru_cache(maxsize=1)
def python_help(held_out_share: float = 0.1) -> Text:
    """Python's help pages, the last tenth held out.

    Raises
    ------
    ValueError
        If the held-out share is not between 0 and 1.
    """
    if not 0 < held_out_share < 1:
        raise ValueError(f"the held-out share is a fraction between 0 and 1, got {held_out_share!r}")
    from pydoc_data.topics import topics

    raw = "\n\n".join(topics[name] for name in sorted(topics)).encode()
    symbols = bytes(sorted(set(raw)))
    place = {symbol: index for index, symbol in enumerate(symbols)}
    tokens = torch.tensor([place[byte] for byte in raw])
    cut = int(len(tokens) * (1 - held_out_share))
    return Text(tokens[:cut], tokens[cut:], len(symbols), symbols)


def batches(tokens: torch.Tensor, rows: int, length: int, generators: list[torch.Generator]) -> torch.Tensor:
    """Random stretches of a text, one batch for each generator.

    Returns
    -------
    torch.Tensor
        (generators, rows, length + 1) symbols: inputs are all but the last column, targets all but the first.

    Raises
    ------
    ValueError
        If the text is shorter than a stretch, or a size is not positive.
    """
    if rows < 1 or length < 1:
        raise ValueError(f"rows and length must be 1 or more, got {rows!r} and {length!r}")
    room = len(tokens) - length
    if room < 1:
        raise ValueError(f"a text of {len(tokens)} symbols has no stretch of {length + 1}")
    starts = torch.stack([torch.randint(0, room, (rows,), generator=g) for g in generators])
    return tokens[starts[..., None] + torch.arange(length + 1)]
