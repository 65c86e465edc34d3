"""The calls that students make, and the data behind them: relations that hold, words that must not occur."""

import json
import re
import subprocess
import sys
import time
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap import facts
from computegap.facts import FIELDS, UNITS, UntrustedValue
from computegap.facts.load import load

ALL = [fact for chip in facts.chips() for fact in chip.facts.values()]
#: The parts that the chapters compare most.
COMPARED = ["H100", "H200", "H800", "H20", "A100", "A800", "910B", "910C", "B200", "B300", "MI300X"]
ALL += [*facts.fabs(), *facts.production(), *facts.published_results()]
ALL += [fact for edition in facts.editions() for fact in edition.limits.values()]
ALL += [fact for system in facts.systems() for fact in system.facts.values()]
READINGS = [*facts.collectives(), *facts.low_communication(), *facts.interruptions(), *facts.sizing()]
ALL += READINGS


# -- looking things up ---------------------------------------------------------------------------
def test_aliases_lead_to_the_usual_part():
    for alias, name in {
        "H20": "H20 96GB",
        "h100": "H100 SXM",
        "A100": "A100 SXM 80GB",
        "910B": "Ascend 910B (B2/B3)",
        "Ascend 910C": "Ascend 910C",
        "RTX 4090": "RTX 4090",
        "4090D": "RTX 4090 D",
        "B300": "B300 SXM",
    }.items():
        assert facts.chip(alias).name == name


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (lambda: facts.chip("H2O"), "H20"),
        (lambda: facts.chip("MI300"), "MI300X"),
        (lambda: facts.edition("oct23"), "oct2023"),
        (lambda: facts.threshold("oct2023", "tppa"), "tpp_a"),
        (lambda: facts.fabs(foundry="TMSC"), "TSMC"),
        (lambda: facts.fab("TSMC", "N7", "defects"), "defect_density"),
        (lambda: facts.fab("SMIC", "N+2", "yield"), "'910C, 2025'"),
        (lambda: facts.fab("SMIC", "N+2", "yield", variant="2030"), "'910C, 2025'"),
        (lambda: facts.fab("SMIC", "N+2", "euv_layers"), "yield"),
        (lambda: facts.production("Ascend totl"), "Ascend total"),
        (lambda: facts.published("rtx490-tpp"), "rtx4090-tpp"),
        (lambda: facts.claim("C31"), "C031"),
        (lambda: facts.claims(chapter="control"), "controls"),
        (lambda: facts.chips(vendor="Nvidea"), "NVIDIA"),
        (lambda: facts.chips(known=["bf61"]), "bf16"),
        (lambda: facts.source("h100"), "h100-ds"),
        (lambda: facts.fact("H20.bf61"), "bf16"),
        (lambda: facts.fact("H2O.bf16"), "H20.bf16"),
        (lambda: facts.fact("tsmc-n7.defects"), "tsmc-n7.defect_density"),
        (lambda: facts.fact("oct2023.tppa"), "tpp_a"),
        (lambda: facts.expected_outcomes("oct23"), "oct2023"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(call, near):
    with pytest.raises(LookupError, match=re.escape(near)):
        call()


def test_an_unknown_attribute_is_answered_with_near_ones():
    with pytest.raises(AttributeError, match=r"no 'bf61'.*bf16"):
        _ = facts.chip("H20").bf61
    assert not hasattr(facts.chip("H20"), "bf61")
    assert "bf16" in dir(facts.chip("H20"))


def test_filters_agree_with_the_records():
    chinese = facts.chips(country="CN")
    assert chinese
    assert all(chip.country == "CN" for chip in chinese)
    assert {c.name for c in facts.chips(vendor="Huawei")} < {c.name for c in chinese}
    assert all(not c.datacenter for c in facts.chips(datacenter=False))
    assert all(2022 <= c.year <= 2023 for c in facts.chips(year=(2022, 2023)))
    assert facts.chips(year=2022) == [c for c in facts.chips() if c.year == 2022]
    sound = facts.chips(trusted=("bf16", "mem_bw_gbs"))
    assert {"H100 SXM", "H20 96GB", "Ascend 910C"} <= {c.name for c in sound}
    assert "Kunlunxin P800" not in {c.name for c in sound}
    assert set(sound) < set(facts.chips(known=("bf16", "mem_bw_gbs")))


@given(st.sampled_from(ALL))
def test_every_fact_is_found_by_its_key(fact):
    assert facts.fact(fact.key) is fact


@given(st.sampled_from(ALL))
def test_every_fact_can_be_judged(fact):
    assert fact.unit in UNITS
    if fact.known:
        assert fact.source.key in facts.sources()
        assert fact.kind in facts.KINDS
        assert fact.confidence in facts.CONFIDENCES
        assert fact.date
        assert fact.range[0] <= fact.value <= fact.range[1]
        assert (
            fact.trusted
            or fact.kind in ("recalled", "assumption")
            or fact.confidence in ("weak", "unchecked")
        )
    else:
        assert fact.reason
        with pytest.raises(UntrustedValue):
            float(fact)


def test_a_plain_value_goes_before_its_variants():
    assert facts.fab("TSMC", "N7", "wafer_price").variant == ""
    model = facts.fab("TSMC", "N7", "wafer_price", variant="CSET model, 2020")
    assert model < facts.fab("TSMC", "N7", "wafer_price")


def test_estimates_that_disagree_are_all_kept():
    rows = facts.production("Ascend total", year=2025)
    assert {row.who for row in rows} == {"US government", "SemiAnalysis"}
    assert max(rows) / min(rows) > 4


def test_values_that_nobody_trusts_are_blank():
    for name in ("MI308X", "MLU590", "BW1000", "Enflame S60"):
        assert not facts.chip(name).bf16.known


def test_recalled_values_are_labelled_so():
    recalled = [fact for fact in ALL if fact.kind == "recalled"]
    assert all(fact.confidence == "unchecked" and not fact.trusted for fact in recalled)
    # Either nobody is named, or the one who is and the admission that the place was not opened.
    assert all(fact.source.key == "recalled" or "recalled" in fact.note for fact in recalled)
    # The parts that the chapters compare rest on none of them.
    for name in (*COMPARED, "MI325X"):
        assert facts.chip(name).trusted("bf16", "mem_gb", "mem_bw_gbs", "link_gbs", "host_io_gbs", "tdp_w")


# -- rules -----------------------------------------------------------------------------------------
def test_editions_come_in_the_order_of_their_dates():
    effective = [edition.effective for edition in facts.editions()]
    assert effective == sorted(effective)
    assert len(effective) == 14


def test_predicates_use_the_published_limits():
    numbers = set(re.findall(r"\d+\.\d+", json.dumps(facts.edition("oct2023").predicate)))
    assert {float(n) for n in numbers} == {float(f) for f in facts.thresholds("oct2023").values()}
    # 88 FR 73458: 4800, 1600 and 5.92 for .a; 2400, 1.6 and 3.2 for .b.
    assert {float(n) for n in numbers} == {4800, 1600, 2400, 1.6, 3.2, 5.92}


def test_limits_know_the_law_they_come_from():
    limit = facts.threshold("oct2023", "tpp_a")
    assert (limit.unit, limit.kind, limit.source.key) == ("TPP", "law", "88fr73458")
    letter = facts.threshold("h20_letter_2025_04", "mem_bw")
    assert (letter.kind, letter.confidence) == ("press", "contested")


def test_expected_outcomes_name_known_rules_and_parts():
    outcomes = facts.expected_outcomes()
    assert len(outcomes) > 30
    for outcome in outcomes:
        facts.edition(outcome.rule)
        facts.chip(outcome.chip)
    assert {o.rule for o in facts.expected_outcomes("jan2026")} == {"jan2026"}


# -- claims ----------------------------------------------------------------------------------------
def test_claims():
    assert len(facts.claims()) == 89
    assert facts.claim("C031").verdict == "contested"
    assert {c.verdict for c in facts.claims()} == {
        "supported", "partly", "contested", "wrong", "outdated", "not checkable",
    }  # fmt: skip
    assert facts.claim("C031") in facts.claims(chapter="controls", verdict="contested")


# -- relations between values, against published statements ----------------------------------------
def test_the_h20_has_fifteen_percent_of_the_arithmetic_and_a_fifth_more_memory_than_the_h100():
    h20, h100 = facts.chip("H20"), facts.chip("H100")
    assert h20.bf16 / h100.bf16 == pytest.approx(0.15, abs=0.005)  # "15% of the H100", press of November 2023
    assert h20.mem_bw_gbs / h100.mem_bw_gbs == pytest.approx(1.19, abs=0.01)
    assert h20.mem_gb / h100.mem_gb == pytest.approx(1.2)


def test_watered_down_parts_differ_only_where_the_rule_looked():
    for cut, full, link in (("A800", "A100", 400 / 600), ("H800", "H100", 400 / 900)):
        cut, full = facts.chip(cut), facts.chip(full)
        assert cut.link_gbs / full.link_gbs == pytest.approx(link)
        for field in ("bf16", "int8", "mem_gb", "mem_bw_gbs", "compute_die_mm2"):
            assert cut.facts[field] == full.facts[field]


def test_the_910c_against_the_h100():
    ascend, h100 = facts.chip("910C"), facts.chip("H100")
    low, high = (x / h100.bf16.value for x in ascend.bf16.range)
    assert 0.75 < low < high < 0.82
    assert ascend.mem_bw_gbs / h100.mem_bw_gbs == pytest.approx(0.955, abs=0.005)
    assert ascend.applicable_die_mm2 / h100.applicable_die_mm2 == pytest.approx(1.64, abs=0.01)
    # SemiAnalysis, CloudMatrix 384 against NVL72: 3.6 times the memory and 2.1 times the bandwidth.
    gb200 = facts.chip("B200")
    assert 384 * ascend.mem_gb / (72 * 192) == pytest.approx(3.6, abs=0.05)
    assert 384 * ascend.mem_bw_gbs / (72 * gb200.mem_bw_gbs.range[1]) == pytest.approx(2.1, abs=0.05)


def test_dies_and_packages_add_up():
    # SemiAnalysis: 2.9 million dies are 0.8 million 910B and 1.05 million 910C of two dies each.
    dies = facts.fact("tsmc-dies-2024")
    b, c = facts.chip("910B"), facts.chip("910C")
    assert 0.8e6 * b.n_compute_dies + 1.05e6 * c.n_compute_dies == pytest.approx(float(dies))
    for chip in facts.chips(known=("n_compute_dies", "compute_die_mm2", "applicable_die_mm2")):
        compute = chip.n_compute_dies * chip.compute_die_mm2
        assert chip.applicable_die_mm2.range[1] >= 0.99 * compute, chip


def test_the_worked_example_of_the_rule():
    # 600 integer operations at 8 bits or 300 at 16 bits reach the limit (88 FR 73458).
    limit = facts.threshold("oct2023", "tpp_a")
    assert limit == 600 * 8 == 300 * 16


def test_peaks_rise_as_formats_narrow_and_links_never_exceed_reason():
    for chip in facts.chips():
        peaks = chip.facts
        for wide, narrow in (("fp64", "fp32"), ("tf32", "bf16"), ("fp8", "fp4")):
            if chip.known(wide, narrow):
                assert peaks[narrow].range[1] >= peaks[wide].value, (chip, wide, narrow)
        if chip.known("link_gbs", "mem_bw_gbs"):
            assert chip.link_gbs <= 2 * chip.mem_bw_gbs


def test_units_and_conventions_of_the_parts_that_chapters_use():
    for name in (*COMPARED, "RTX 4090"):
        chip = facts.chip(name)
        for field, (_, unit, convention) in FIELDS.items():
            fact = chip.facts[field]
            assert fact.unit == unit
            assert fact.convention.startswith(convention)


# -- the files --------------------------------------------------------------------------------------
def test_no_file_speaks_of_how_it_was_collected():
    words = re.compile(r"\bid \d{6,}|excerpt|\(read\)|\bVM\b|repo name|/(home|root|tmp)/|\bmemory\)")
    for entry in (resources.files("computegap.facts") / "data").iterdir():
        found = words.search(entry.read_text(encoding="utf-8"))
        assert found is None, (entry.name, found)


def test_the_data_card_names_every_file():
    folder = resources.files("computegap.facts") / "data"
    card = (folder / "README.md").read_text(encoding="utf-8")
    for entry in folder.iterdir():
        name = re.sub(r"^published-\d\d", "published-07", entry.name)  # one line stands for all chapters
        assert f"`{name}`" in card or name == "README.md"


def test_loading_takes_less_than_a_tenth_of_a_second():
    folder = resources.files("computegap.facts") / "data"
    best = min(_timed(lambda: load(folder)) for _ in range(3))
    assert best < 0.1


def _timed(call):
    start = time.process_time()  # of the processor, so that a busy machine doesn't count
    call()
    return time.process_time() - start


def test_the_import_is_light():
    heavy = "'numpy', 'torch', 'pandas', 'matplotlib'"
    code = f"import sys, computegap.facts; print(*(m for m in ({heavy}) if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
