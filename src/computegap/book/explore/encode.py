"""All states of a figure as one template and the differences.

The frames of an explorable are trees that mostly agree. Walking them side by side, what never changes stays
in the picture of the default state, which the page holds as ordinary SVG. What changes becomes a *slot*: the
number of a node, the attribute, and one of

* a template of text with holes for numbers (``M#,#L#,#``), where each hole names a *column*: one integer
  per state, its decimal point taken away. Equal columns are stored once (a line and the fill below it share
  theirs); or
* a table of strings, with a column that says which one holds in which state: a text, a style, or the whole
  inner markup of a node whose children differ from state to state.

Columns vary slowly along the axes of the controls, so each is differenced along the axes where that makes it
smaller; then everything is written as JSON, deflated, and put in base64. A hundred states of lines and texts
cost little more than one. :func:`decode` is the reference for the player in ``assets/explorable.js``.

Layout of the packed object::

    {"shape": [12, 12],
     "slots": [[gap, "d", decimals, ["M", ",", ...], [column, column, ...]],
               [gap, "#", -1, ["text", "text", ...], column], ...],
     "columns": [[axes, count, [integer, integer, ...]], ...]}

``gap`` counts nodes since the slot before; the columns of a template are each written minus the one before.
The "attribute" of a slot is ``#`` for a node's text and ``<`` for its inner markup. ``axes`` says along what
a block of columns is differenced: bit 0 from column to column, bit k along the k-th control.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import math
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

import numpy as np

from .svg import NUMBER, dumps, number

TEXT, MARKUP = "#", "<"
_NUMERIC = frozenset({"d", "x", "y", "dy", "width", "height", "transform", "points"})
_HOLE = "\0"


def _inner(e: ET.Element) -> str:
    return escape(e.text or "") + "".join(map(dumps, e))


def _slots(trees: Sequence[ET.Element], default: int) -> Iterator[tuple[int, str, list]]:
    """Where the trees differ: (node in document order of the default tree, attribute, value per state)."""
    order = {id(e): n for n, e in enumerate(trees[default].iter())}

    def walk(nodes):
        n = order[id(nodes[default])]
        for key in sorted({k for e in nodes for k in e.attrib}):
            values = [e.get(key) for e in nodes]
            if len(set(values)) > 1:
                yield n, key, values
        if len({tuple(c.tag for c in e) for e in nodes}) > 1:
            yield n, MARKUP, [_inner(e) for e in nodes]
            return
        texts = [e.text or "" for e in nodes]
        if len(set(texts)) > 1:
            if len(nodes[default]):
                yield n, MARKUP, [_inner(e) for e in nodes]
                return
            yield n, TEXT, texts
        for children in zip(*nodes, strict=True):
            yield from walk(children)

    yield from walk(trees)


def _digits(texts: list[str]) -> int:
    return max(len(t.partition(".")[2]) for t in texts)


class _Columns:
    """Integer columns, each kept once."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self.data: list[np.ndarray] = []

    def add(self, column: np.ndarray) -> int:
        column = column.astype(np.int64)
        key = column.tobytes()
        if key not in self._known:
            self._known[key] = len(self.data)
            self.data.append(column)
        return self._known[key]


def _numeric_slot(values: list[str], columns: _Columns) -> tuple | None:
    """Template, holes and decimals of an attribute whose text differs in its numbers alone; else None."""
    parts = NUMBER.split(values[0])
    found = [NUMBER.findall(v) for v in values]
    if any(NUMBER.split(v) != parts for v in values[1:]):
        return None
    table = np.array(found, dtype=object)
    digits = _digits(table.ravel().tolist())
    scaled = np.array([[round(float(x) * 10**digits) for x in row] for row in found], dtype=np.float64)
    # The page writes numbers its own way: only what survives the round trip may become a number.
    if np.abs(scaled).max(initial=0) >= 2**31 or digits > 6:
        return None
    if any(number(x / 10**digits, digits) != s for x, s in zip(scaled.ravel(), table.ravel(), strict=True)):
        return None
    template, refs = [parts[0]], []
    for j in range(scaled.shape[1]):
        if (scaled[:, j] == scaled[0, j]).all():
            template[-1] += found[0][j] + parts[j + 1]
        else:
            refs.append(columns.add(scaled[:, j]))
            template.append(parts[j + 1])
    return digits, template, refs


def _cost(a: np.ndarray) -> float:
    return float(np.log2(1 + np.abs(a)).sum())


def _differenced(a: np.ndarray, mask: int) -> np.ndarray:
    for axis in range(a.ndim):
        if mask >> axis & 1:
            a = np.diff(a, axis=axis, prepend=0)
    return a


def _group(columns: list[np.ndarray], shape: Sequence[int]) -> tuple[list, dict[int, int]]:
    """Difference each column along the axes that make it smallest; columns of equal axes stand together."""
    masks = [m << 1 for m in range(2 ** len(shape))]
    by_mask: dict[int, list[int]] = {}
    for n, column in enumerate(columns):
        grid = column.reshape(1, *shape)
        by_mask.setdefault(min(masks, key=lambda m: (_cost(_differenced(grid, m)), m)), []).append(n)
    out, place = [], {}
    for mask, members in sorted(by_mask.items()):
        for n in members:
            place[n] = len(place)
        block = np.stack([columns[n].reshape(shape) for n in members])
        candidates = [(m, _differenced(block, m).ravel().tolist()) for m in (mask, mask | 1)]
        best = min(candidates, key=lambda c: len(_deflate(json.dumps(c[1]))))
        out.append([best[0], len(members), best[1]])
    return out, place


def encode(trees: Sequence[ET.Element], shape: Sequence[int], default: int = 0) -> dict:
    """Describe how each tree differs from the default one.

    Parameters
    ----------
    trees : sequence of Element
        One per state, the last control varying fastest.
    shape : sequence of int
        Number of values of each control; their product is ``len(trees)``.
    default : int
        The state whose tree the page holds.

    Returns
    -------
    dict
        Plain data, ready for :func:`pack`.

    Raises
    ------
    ValueError
        If ``shape`` doesn't fit the number of trees.
    """
    if math.prod(shape) != len(trees) or not trees:
        raise ValueError(f"{len(trees)} trees do not fill a grid of shape {tuple(shape)}")
    columns = _Columns()
    slots, last = [], 0
    for n, key, values in _slots(trees, default):
        numeric = None
        if key in _NUMERIC and None not in values:
            numeric = _numeric_slot(values, columns)
        if numeric is None:
            table = list(dict.fromkeys(values))
            where = {v: i for i, v in enumerate(table)}
            slots.append([n - last, key, -1, table, [columns.add(np.array([where[v] for v in values]))]])
        else:
            slots.append([n - last, key, *numeric])
        last = n
    blocks, place = _group(columns.data, shape)
    for slot in slots:
        refs = [place[r] for r in slot[4]]
        slot[4] = refs[0] if slot[2] < 0 else np.diff(refs, prepend=0).tolist()
    return {"shape": list(shape), "slots": slots, "columns": blocks}


def _deflate(text: str) -> bytes:
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(text.encode()) + c.flush()


def pack(encoded: dict) -> str:
    """Encoded states as text for the page: JSON, deflated, base64."""
    text = json.dumps(encoded, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(_deflate(text)).decode()


def unpack(packed: str) -> dict:
    """Undo :func:`pack`."""
    return json.loads(zlib.decompress(base64.b64decode(packed), -15))


def _table(encoded: dict) -> np.ndarray:
    shape = encoded["shape"]
    parts = []
    for mask, count, flat in encoded["columns"]:
        a = np.array(flat, dtype=np.int64).reshape((count, *shape))
        for axis in range(a.ndim):
            if mask >> axis & 1:
                a = np.cumsum(a, axis=axis)
        parts.append(a.reshape(count, -1))
    return np.concatenate(parts) if parts else np.zeros((0, math.prod(shape)), dtype=np.int64)


def decode(encoded: dict, default_tree: ET.Element, state: int) -> ET.Element:
    """The tree of one state, from the default tree and the encoded differences.

    This is what the player does in the page, written to be read. Raises :class:`IndexError` for a state
    outside the grid.
    """
    table = _table(encoded)
    if not 0 <= state < math.prod(encoded["shape"]):
        raise IndexError(f"state {state} is outside the grid of shape {encoded['shape']}")
    tree = copy.deepcopy(default_tree)
    nodes, n = list(tree.iter()), 0
    for step, key, digits, template, refs in encoded["slots"]:
        n += step
        if digits < 0:
            value = template[table[refs, state]]
        else:
            holes = (number(table[r, state] / 10**digits, digits) for r in itertools.accumulate(refs))
            value = template[0] + "".join(h + t for h, t in zip(holes, template[1:], strict=True))
        node = nodes[n]
        if key == TEXT:
            node.text = value
        elif key == MARKUP:
            parsed = ET.fromstring(f"<g>{value}</g>")
            node[:], node.text = list(parsed), parsed.text
        elif value is None:
            node.attrib.pop(key, None)
        else:
            node.set(key, value)
    return tree
