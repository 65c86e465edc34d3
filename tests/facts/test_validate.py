"""Each fault that the registry must refuse is planted in a copy of the data, and seen to be refused."""

import json
from importlib import resources
from pathlib import Path

import pytest

from computegap.facts import FactsError
from computegap.facts.load import load
from computegap.facts.validate import date_fault, expression_fault

DATA = Path(str(resources.files("computegap.facts") / "data"))


def find(rows, chip, field):
    return next(row for row in rows if (row["chip"], row["field"]) == (chip, field))


def faults(folder):
    with pytest.raises(FactsError) as caught:
        load(folder)
    return caught.value.faults


def test_the_data_that_ships_is_sound(data):
    load(data)


CELLS = [
    ({"value": ""}, "no value"),
    ({"value": "many"}, "not a finite number"),
    ({"value": "nan"}, "not a finite number"),
    ({"value": "-148"}, "negative"),
    ({"unit": ""}, "without a unit"),
    ({"unit": "TFLOPS"}, "unknown unit 'TFLOPS'. Did you mean TFLOP/s"),
    ({"unit": "GB/s"}, "kept in TFLOP/s, not in GB/s"),
    ({"convention": ""}, "must say that the peak is dense"),
    ({"convention": "sparse"}, "halve a 2:4-sparse peak"),
    ({"convention": "2:4 sparse"}, "halve a 2:4-sparse peak"),
    ({"convention": "per direction"}, "unknown convention"),
    ({"source": ""}, "without a source"),
    ({"source": "h20-lmsy"}, "unknown source 'h20-lmsy'. Did you mean h20-lmsys"),
    ({"date": ""}, "without the date"),
    ({"date": "09/2025"}, "bad date"),
    ({"date": "2025-13"}, "no such month"),
    ({"date": "2025-12-32"}, "no such day"),
    ({"date": "1925"}, "year is out of range"),
    ({"kind": ""}, "without a kind"),
    ({"kind": "rumour"}, "unknown kind 'rumour'"),
    ({"kind": "recalled", "confidence": "solid"}, "cannot be solid"),
    ({"kind": "computed", "note": ""}, "must say in its note how"),
    ({"confidence": ""}, "unknown confidence"),
    ({"low": "200", "high": "100"}, "upside down"),
    ({"low": "200", "high": "300"}, "outside its range"),
    ({"low": "100"}, "both its ends"),
    ({"chip": "H20 96 GB"}, "unknown part 'H20 96 GB'. Did you mean H20 96GB"),
    ({"field": "bf61"}, "unknown field 'bf61'. Did you mean bf16"),
]


@pytest.mark.parametrize(("change", "message"), CELLS, ids=[f"{c}" for c, _ in CELLS])
def test_a_fault_in_a_value_is_refused(data, edit, change, message):
    edit(data, "accelerators.csv", lambda rows: find(rows, "H20 96GB", "bf16").update(change))
    found = faults(data)
    assert any(message in fault.what for fault in found), found
    assert all(fault.file == "accelerators.csv" for fault in found)
    lines = (data / "accelerators.csv").read_text(encoding="utf-8").splitlines()
    place = next(fault.line for fault in found if message in fault.what)
    assert lines[place - 1].startswith((change.get("chip", "H20 96GB") + ",", '"' + change.get("chip", "")))


SPARSE = [("H100 SXM", "fp8", "3958"), ("H100 SXM", "bf16", "1979"), ("H20 96GB", "int8", "592")]
SPARSE += [("B200 SXM", "fp4", "18000"), ("RTX 4090", "fp8", "1321.2"), ("MI300X", "bf16", "2614.9")]


@pytest.mark.parametrize(("chip", "field", "sparse"), SPARSE)
def test_a_sparse_peak_taken_for_a_dense_one_is_refused(data, edit, chip, field, sparse):
    edit(data, "accelerators.csv", lambda rows: find(rows, chip, field).update(value=sparse, low="", high=""))
    assert any("sparse peak taken for a dense one" in fault.what for fault in faults(data))


def test_a_link_counted_in_one_direction_is_refused(data, edit):
    change = {"convention": "one direction", "value": "450"}
    edit(data, "accelerators.csv", lambda rows: find(rows, "H20 96GB", "link_gbs").update(change))
    assert any("both directions together" in fault.what for fault in faults(data))


def test_a_duplicate_is_refused(data, edit):
    edit(data, "accelerators.csv", lambda rows: rows.append(dict(find(rows, "H20 96GB", "bf16"))))
    assert any("stands on line" in fault.what for fault in faults(data))


def test_all_faults_are_reported_together_with_file_and_line(data, edit):
    def change(rows):
        find(rows, "H20 96GB", "bf16").update(unit="", kind="")
        find(rows, "H100 SXM", "tdp_w").update(source="nowhere")

    edit(data, "accelerators.csv", change)
    edit(data, "fabs.csv", lambda rows: rows[0].update(date=""))
    edit(data, "production.csv", lambda rows: rows[0].update(unit="chip"))
    with pytest.raises(FactsError) as caught:
        load(data)
    message = str(caught.value)
    assert len(caught.value.faults) == 5
    assert message.startswith("5 faults")
    for part in ("accelerators.csv:", "fabs.csv:2:", "production.csv:2:", "H20 96GB.bf16", "H100 SXM.tdp_w"):
        assert part in message


SOURCES = [
    ({"title": ""}, "no title"),
    ({"url": ""}, "no address"),
    ({"url": "search result 12"}, "not a web address"),
    ({"type": "blog"}, "unknown type"),
    ({"date": ""}, "no date"),
    ({"date": "last week"}, "bad date"),
]


@pytest.mark.parametrize(("change", "message"), SOURCES)
def test_a_fault_in_a_source_is_refused(data, edit, change, message):
    edit(data, "sources.csv", lambda rows: next(r for r in rows if r["key"] == "h100-ds").update(change))
    assert any(message in fault.what for fault in faults(data))


def test_a_source_key_used_twice_is_refused(data, edit):
    edit(data, "sources.csv", lambda rows: rows.append(dict(rows[0])))
    assert any("used twice" in fault.what for fault in faults(data))


PARTS = [
    ({"aliases": "H100"}, "already names"),
    ({"datacenter": "maybe"}, "yes, no or unknown"),
    ({"year": "soon"}, "bad year"),
]


@pytest.mark.parametrize(("change", "message"), PARTS)
def test_a_fault_in_a_part_is_refused(data, edit, change, message):
    edit(data, "parts.csv", lambda rows: next(r for r in rows if r["name"] == "A100 SXM 80GB").update(change))
    assert any(message in fault.what for fault in faults(data))


def test_a_withheld_value_needs_a_reason_and_must_be_blank(data, edit):
    edit(data, "withheld.csv", lambda rows: rows[0].update(reason=""))
    assert any("without a reason" in fault.what for fault in faults(data))
    edit(data, "withheld.csv", lambda rows: rows[0].update(reason="x", chip="H20 96GB", fields="bf16"))
    assert any("has a value" in fault.what for fault in faults(data))


def edit_rule(folder, id, change):
    path = folder / "editions.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(next(e for e in data["editions"] if e["id"] == id))
    path.write_text(json.dumps(data), encoding="utf-8")


RULES = [
    (lambda e: e["limits"]["tpp_a"].update(unit="TOPS"), "unknown unit"),
    (lambda e: e["limits"]["tpp_a"].pop("value"), "no value"),
    (lambda e: e["limits"].pop("tpp_a"), "refers to 'tpp_a'"),
    (lambda e: e.update(source="88fr"), "unknown source"),
    (lambda e: e.update(effective="soon"), "bad date"),
    (lambda e: e.pop("citation"), "no citation"),
    (
        lambda e: e["predicate"].update(x={"ge": ["tppp", "tpp_a"]}),
        "unknown variable 'tppp'. Did you mean tpp",
    ),
    (lambda e: e["predicate"].update(x={"over": ["tpp", "tpp_a"]}), "unknown operator 'over'"),
    (lambda e: e["predicate"].update(x={"eq": ["dc", "maybe"]}), "with yes or no"),
    (lambda e: e["predicate"].update(x={"all": []}), "needs a list"),
]


@pytest.mark.parametrize(("change", "message"), RULES, ids=[m for _, m in RULES])
def test_a_fault_in_a_rule_is_refused(data, change, message):
    edit_rule(data, "oct2023", change)
    found = faults(data)
    assert any(message in fault.what for fault in found), found


def test_a_limit_changed_in_one_place_moves_the_rules_that_refer_to_it(data):
    edit_rule(data, "oct2023", lambda e: e["limits"]["tpp_a"].update(value=5000))
    editions = load(data).editions
    assert editions["oct2023"].limits["tpp_a"] == 5000
    for id, outcome in (("oct2023", "3A090.a"), ("jan2026", "case_by_case")):
        text = json.dumps(editions[id].predicate[outcome])
        assert '["tpp", 5000.0]' in text
        assert "4800" not in text


OTHER = [
    ("claims.csv", {"verdict": "maybe"}, "unknown verdict"),
    ("claims.csv", {"evidence": ""}, "no evidence"),
    ("claims.csv", {"id": "C002"}, "stands there twice"),
    ("expected_outcomes.csv", {"rule": "oct22"}, "unknown edition 'oct22'"),
    ("expected_outcomes.csv", {"chip": "A1000"}, "unknown part"),
    ("expected_outcomes.csv", {"chip": "H100 SXM"}, "stands there twice"),
    ("expected_outcomes.csv", {"reason": ""}, "no reason"),
]


@pytest.mark.parametrize(("name", "change", "message"), OTHER)
def test_a_fault_in_claims_and_outcomes_is_refused(data, edit, name, change, message):
    edit(data, name, lambda rows: rows[0].update(change))
    assert any(message in fault.what and fault.file == name for fault in faults(data))


def test_a_fault_in_a_rule_is_told_with_its_line(data):
    path = data / "editions.json"
    text = path.read_text(encoding="utf-8").replace('"unit": "TPP/mm^2"', '"unit": "TPP per mm2"', 1)
    path.write_text(text, encoding="utf-8")
    fault = next(fault for fault in faults(data) if "unknown unit" in fault.what)
    assert "oct2023" in text.splitlines()[fault.line - 1]


@pytest.mark.parametrize("good", ["2024", "2024-02", "2024-02-29"])
def test_good_dates(good):
    assert date_fault(good) is None


@pytest.mark.parametrize("bad", [3, {"ge": ["tpp"]}, {"ge": ["tpp", True]}, {"not": {"ge": ["x", 1]}}, {}])
def test_bad_expressions(bad):
    assert expression_fault(bad)
