"""What happened during a run: one row a step, read back as columns."""

from __future__ import annotations

import numpy as np


class Recorder:
    """Rows of named numbers or small arrays; every row has the same names as the first.

    Examples
    --------
    >>> recorder = Recorder()
    >>> recorder.add(step=0, loss=2.0)
    >>> recorder.add(step=10, loss=1.5)
    >>> recorder["loss"].tolist()
    [2.0, 1.5]
    """

    def __init__(self) -> None:
        self._columns: dict[str, list] = {}

    def add(self, **row) -> None:
        """Add a row. ValueError if its names differ from those of the first row."""
        if not row:
            raise ValueError("a row needs one named value or more")
        if not self._columns:
            self._columns = {name: [] for name in row}
        if set(row) != set(self._columns):
            raise ValueError(f"this row has {sorted(row)}, the rows before it {sorted(self._columns)}")
        for name, value in row.items():
            # A copy: tensors and arrays may be changed in place by the next step.
            self._columns[name].append(np.asarray(value).astype(float))

    def __getitem__(self, name: str) -> np.ndarray:
        """A column as an array, rows first. LookupError for a name that was never recorded."""
        if name not in self._columns:
            raise LookupError(
                f"nothing recorded as {name!r}; there are: {', '.join(self._columns) or 'no rows'}"
            )
        return np.stack(self._columns[name])

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), []))

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)
