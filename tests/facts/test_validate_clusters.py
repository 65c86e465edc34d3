"""Each fault in the tables about clusters is planted in a copy of the data, and seen to be refused."""

from importlib import resources
from pathlib import Path

import pytest

from computegap.facts import FactsError
from computegap.facts.load import READINGS, load
from computegap.facts.records import parse_given

DATA = Path(str(resources.files("computegap.facts") / "data"))


def refused(folder, name, message):
    """Whether loading names this fault in this file."""
    with pytest.raises(FactsError) as caught:
        load(folder)
    return any(message in fault.what and fault.file == name for fault in caught.value.faults)


READING_FAULTS = [
    ({"value": ""}, "no value"),
    ({"unit": "furlongs"}, "unknown unit"),
    ({"source": ""}, "without a source"),
    ({"date": ""}, "without the date"),
    ({"kind": "hearsay"}, "unknown kind"),
    ({"confidence": ""}, "unknown confidence"),
    ({"low": "1"}, "both its ends"),
    ({"topic": ""}, "no topic"),
    ({"item": ""}, "no item"),
    ({"metric": ""}, "no metric"),
    ({"locator": ""}, "no locator"),
    ({"given": "workers=8"}, "unknown condition 'workers'"),
    ({"given": "ranks"}, "not of the form name=value"),
    ({"given": "ranks=8;ranks=9"}, "stands there twice"),
    ({"given": "ranks=nan"}, "is not a number"),
]


@pytest.mark.parametrize(("change", "message"), READING_FAULTS, ids=[m for _, m in READING_FAULTS])
@pytest.mark.parametrize("name", sorted(READINGS.values()))
def test_a_fault_in_a_reading_is_refused(data, edit, name, change, message):
    edit(data, name, lambda rows: rows[0].update(change))
    assert refused(data, name, message)


def grid(rows):
    return [row for row in rows if row["topic"] == "bandwidth for a utilisation"]


def test_a_printed_table_with_a_missing_cell_is_refused(data, edit):
    edit(data, "low_communication.csv", lambda rows: rows.remove(grid(rows)[7]))
    assert refused(data, "low_communication.csv", "no cell for model")


def test_a_cell_that_does_not_say_where_it_stands_is_refused(data, edit):
    edit(data, "low_communication.csv", lambda rows: grid(rows)[7].update(given="interval=10"))
    assert refused(data, "low_communication.csv", "without model, utilisation")


def test_a_key_stands_in_one_table_only(data, edit):
    edit(data, "sizing.csv", lambda rows: rows[0].update(key="llama3-interruptions"))
    assert refused(data, "sizing.csv", "stands in interruptions.csv")


def test_a_chapter_may_keep_its_own_published_results(data):
    with (data / "published.csv").open(encoding="utf-8") as file:
        header, first = file.readline(), file.readline()
    (data / "published-07.csv").write_text(header + first.replace("hp-dies-225", "mine"), encoding="utf-8")
    assert load(data).published["mine"].value == load(data).published["hp-dies-225"].value
    (data / "published-07.csv").write_text(header + first, encoding="utf-8")
    assert refused(data, "published-07.csv", "already")


SYSTEM_FAULTS = [
    ("systems.csv", {"part": "Ascend 910D"}, "unknown part 'Ascend 910D'. Did you mean"),
    ("systems.csv", {"aliases": "NVL72"}, "already names"),
    ("systems.csv", {"year": "soon"}, "bad year"),
    ("system_values.csv", {"system": "CM385"}, "unknown system 'CM385'"),
    ("system_values.csv", {"field": "watts"}, "unknown field 'watts'"),
    ("system_values.csv", {"unit": "W"}, "kept in chips, not in W"),
    ("system_values.csv", {"convention": "each"}, "kept by the convention 'whole system', not 'each'"),
    ("system_values.csv", {"source": "nowhere"}, "unknown source"),
    ("system_values.csv", {"field": "n_racks", "unit": "racks"}, "stands on line"),
]


@pytest.mark.parametrize(("name", "change", "message"), SYSTEM_FAULTS, ids=[m for *_, m in SYSTEM_FAULTS])
def test_a_fault_in_a_system_is_refused(data, edit, name, change, message):
    edit(data, name, lambda rows: rows[0].update(change))
    assert refused(data, name, message)


FORMULA_FAULTS = [
    ({"text": ""}, "no text"),
    ({"symbols": ""}, "no symbols"),
    ({"locator": ""}, "no locator"),
    ({"source": "nccl"}, "unknown source 'nccl'. Did you mean nccl"),
    ({"confidence": "sure"}, "unknown confidence"),
    ({"key": "young"}, "stands there twice"),
]


@pytest.mark.parametrize(("change", "message"), FORMULA_FAULTS, ids=[m for _, m in FORMULA_FAULTS])
def test_a_fault_in_a_formula_is_refused(data, edit, change, message):
    edit(data, "formulas.csv", lambda rows: rows[0].update(change))
    assert refused(data, "formulas.csv", message)


def test_conditions_are_numbers_where_they_can_be():
    assert parse_given("") == {}
    assert parse_given("ranks=8; algorithm=ring;size=2e9") == {"ranks": 8.0, "algorithm": "ring", "size": 2e9}
    assert parse_given("bandwidth=inf")["bandwidth"] == float("inf")
