"""Published runs: the table is whole, and every fault that it must refuse is planted once."""

import csv
import shutil
from importlib import resources
from pathlib import Path

import pytest

from computegap import facts
from computegap.facts import FactsError
from computegap.facts.runs import METRICS, load_runs

DATA = Path(str(resources.files("computegap.facts") / "data"))


@pytest.fixture
def table(tmp_path):
    shutil.copy(DATA / "cluster_runs.csv", tmp_path)
    return tmp_path


def spoil(folder, row, **cells):
    """Change some cells of one row."""
    path = folder / "cluster_runs.csv"
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames
    rows[row].update(cells)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_the_table_that_ships_is_sound(table):
    assert len(load_runs(table)) == len(facts.cluster_runs()) > 300


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ({"source": ""}, "no source"),
        ({"url": ""}, "no url"),
        ({"url": "arxiv.org/abs/1"}, "not a web address"),
        ({"locator": ""}, "no locator"),
        ({"confidence": ""}, "no confidence"),
        ({"metric": "speed"}, "unknown metric 'speed'"),
        ({"metric_unit": "furlongs"}, "not in 'furlongs'"),
        ({"metric_value": "fast"}, "not a finite number"),
        ({"metric_value": "nan"}, "not a finite number"),
        ({"n_accel": "0"}, "not above zero"),
        ({"step_time_s": "-3"}, "not above zero"),
        ({"id": "bloom_01"}, "stands on line"),
    ],
)
def test_a_fault_is_named_with_its_line(table, cells, complaint):
    spoil(table, 3, **cells)
    with pytest.raises(FactsError, match=complaint) as caught:
        load_runs(table)
    # "bloom_01" comes later in the table, so that the second of the two is to blame.
    assert all(fault.line == 5 for fault in caught.value.faults) or "id" in cells


def test_what_is_derived_agrees_with_what_was_printed():
    for row in facts.cluster_runs():
        if row["metric"] == "step_time":
            assert float(row["step_time_s"]) == pytest.approx(float(row["metric_value"]), rel=1e-3), row["id"]
        if row["metric"] == "tokens_per_s_per_accel":
            rate = float(row["tokens_per_s_per_accel"])
            assert rate == pytest.approx(float(row["metric_value"]), rel=1e-3), row["id"]
            tokens = float(row["global_batch"]) * float(row["seq_len"])
            seconds = tokens / (rate * float(row["n_accel"]))
            assert float(row["step_time_s"]) == pytest.approx(seconds, rel=5e-3), row["id"]


def test_degrees_of_parallelism_multiply_to_the_machine():
    for row in facts.cluster_runs():
        degrees = [row[c] for c in ("tp", "pp", "dp", "cp")]
        if row["n_accel"] and all(degrees):
            product = 1
            for degree in degrees:
                product *= float(degree)
            assert product == pytest.approx(float(row["n_accel"])), row["id"]


def test_every_metric_of_the_closed_set_occurs():
    assert {row["metric"] for row in facts.cluster_runs()} == set(METRICS)
