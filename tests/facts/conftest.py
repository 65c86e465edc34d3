"""What the tests of the registry share: a copy of its data to plant faults in."""

import csv
import shutil
from importlib import resources
from pathlib import Path

import pytest

DATA = Path(str(resources.files("computegap.facts") / "data"))


@pytest.fixture
def data(tmp_path):
    return Path(shutil.copytree(DATA, tmp_path / "data"))


@pytest.fixture
def edit():
    return _edit


def _edit(folder, name, change):
    """Apply ``change`` to the list of rows of a CSV file."""
    path = folder / name
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
