"""The search for the best allowed design, and the replay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap import facts
from computegap.chips import compliant, export_rules
from computegap.chips.compliant import OCT_2022, OCT_2023, REGIMES, Design, Technology, best_design, max_tpp

H100 = "H100"


@pytest.mark.parametrize(
    ("area", "limit"),
    [
        (294, 1600),
        (400, 1600),
        (499, 1600),
        (608.5, 1947.2),
        (749, 2396.8),
        (751, 2400),
        (814, 2400),
        (1331, 2400),
        (1499, 2400),
        (2000, 3200),
        (2999, 4798.4),
        (3001, 4800),
        (5000, 4800),
    ],
)
def test_the_area_tax_of_2023(area, limit):
    # From the text: free below 1,600; below 2,400 if the density is under 3.2; below 4,800 if under 1.6.
    assert max_tpp(area) == pytest.approx(limit, rel=1e-9)


@given(st.floats(50, 6000))
def test_the_closed_form_is_tight(area):
    limit = max_tpp(area)
    below, above = (Design(area, limit * f, 1.0, 0.0, host_io=0.0) for f in (1 - 1e-6, 1 + 1e-6))
    assert OCT_2023.allows(below)
    assert not OCT_2023.allows(above)


@given(st.floats(50, 3000), st.floats(1, 1000))
def test_more_area_never_allows_less(area, more):
    assert max_tpp(area + more) >= max_tpp(area) * (1 - 1e-9)


def test_consumer_parts_go_up_to_the_top_line_on_any_area():
    for area in (100, 600, 2000):
        assert max_tpp(area, datacenter=False) == float(facts.threshold("oct2023", "tpp_a"))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(REGIMES)),
    st.sampled_from(["training, tensor parallel", "prefill", "decode"]),
    st.floats(5, 40),
    st.floats(300, 1700),
    st.floats(800, 9000),
    st.floats(300, 2000),
    st.booleans(),
)
def test_the_search_returns_an_allowed_design_no_worse_than_random_ones(
    regime, workload, density, area, bw, link, dc
):
    technology = Technology("any", density, area, bw, link)
    batch = compliant.GAME_BATCH[workload]
    best = best_design(technology, REGIMES[regime], workload, batch, datacenter=dc, n=(8, 8, 6, 6))
    assert REGIMES[regime].allows(best.design)
    assert best.design.tpp <= density * best.design.area * (1 + 1e-9)
    assert 0 < best.speed <= 1 + 1e-9
    rng = np.random.default_rng(0)
    for _ in range(40):
        a = area * rng.uniform(0.05, 1)
        tried = Design(
            a,
            density * a * rng.uniform(0.01, 1),
            bw * rng.uniform(0.1, 1),
            link * rng.uniform(0.01, 1),
            datacenter=dc,
        )
        if REGIMES[regime].allows(tried):
            from computegap.chips.workloads import step_time

            assert step_time(tried.machine(), workload, batch) >= best.seconds * (1 - 1e-5)


@given(
    st.sampled_from(["October 2022", "October 2023", "April 2025", "January 2026, with a licence"]),
    st.floats(100, 3000),
    st.floats(500, 60_000),
    st.floats(100, 9000),
    st.floats(0, 2000),
    st.booleans(),
)
def test_a_regime_allows_what_its_editions_leave_free(name, area, tpp, mem_bw, link, dc):
    regime, design = REGIMES[name], Design(area, tpp, mem_bw, link, datacenter=dc)
    found = {edition: export_rules.outcome(design.quantities(), edition) for edition in regime.editions}
    licensable = any(label in regime.allowed for label in found.values())
    assert regime.allows(design) is (licensable or set(found.values()) == {"free"})


def test_without_a_rule_the_search_takes_everything():
    best = best_design(Technology.of(H100), REGIMES["no rule"], "training, tensor parallel", 4096)
    assert best.speed == pytest.approx(1)
    assert best.allowed == best.searched


def test_2022_cuts_the_link_and_2023_the_arithmetic():
    technology = Technology.of(H100)
    cut_link = best_design(technology, OCT_2022, "training, tensor parallel", 4096).design
    limit = float(facts.threshold("oct2022", "io_total"))
    assert cut_link.tpp == pytest.approx(technology.density * technology.max_area)
    assert cut_link.link + cut_link.host_io == pytest.approx(limit, rel=1e-5)
    cut_rate = best_design(technology, OCT_2023, "prefill", 4096).design
    assert cut_rate.tpp == pytest.approx(float(facts.threshold("oct2023", "tpp_b")), rel=1e-5)
    corner = float(facts.threshold("oct2023", "tpp_b")) / float(facts.threshold("oct2023", "pd_b_high"))
    assert cut_rate.area == pytest.approx(corner, rel=1e-4)  # the smallest die on which that much is legal
    assert cut_rate.link == technology.max_link


def test_decode_hardly_minds_2023():
    technology = Technology.of(H100)
    assert best_design(technology, OCT_2023, "decode", 1).speed == pytest.approx(1)
    assert best_design(technology, OCT_2023, "prefill", 4096).speed < 0.2


def test_the_search_is_large_enough_to_be_one():
    assert best_design(Technology.of(H100), OCT_2023, "decode", 16).searched > 50_000


def test_replay_each_answer_is_closed_by_the_next_rule_until_the_ceiling_is_raised():
    rounds = compliant.replay()
    assert [r.closed_by_next for r in rounds] == [True, True, False, None]
    assert [r.move.year for r in rounds] == [2022, 2023, 2025, 2026]
    for played in rounds:
        assert played.move.regime.allows(played.best.design)
        assert all(0 < speed <= 1 + 1e-9 for speed in played.speeds.values())


def test_what_was_sold_sits_close_under_the_lines():
    sold = {chip: d for played in compliant.replay() for chip, d in played.sold.items()}
    # NVIDIA's parts for China as found by comparing data sheets with the rule's text
    assert sold["H20"] == pytest.approx(-0.0133, abs=5e-4)
    assert sold["RTX 4090 D"] == pytest.approx(-0.0193, abs=5e-4)
    assert sold["L20"] == pytest.approx(-0.018, abs=2e-3)
    assert sold["MI325X"] == pytest.approx(-0.0038, abs=5e-4)
    assert sold["H800"] == pytest.approx(-0.12, abs=1e-3)
    assert all(d < 0 for d in sold.values())


def test_designs_and_classification_speak_of_the_same_thing():
    design = Design(814, 2390, 4000, 900)
    assert export_rules.outcome(design.quantities(), "oct2023") == "free"
    assert export_rules.outcome(Design(700, 2390, 4000, 900).quantities(), "oct2023") == "3A090.b"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: Technology("none", 0, 800, 3000, 900), ValueError, "density"),
        (lambda: Technology.of("MI308X"), ValueError, "lacks"),
        (lambda: max_tpp(0), ValueError, "positive"),
        (lambda: compliant.replay("sleeping"), LookupError, "the game knows"),
        (lambda: compliant.distance_to_line("H20", "speed", 1), LookupError, "no rule asks"),
    ],
)
def test_bad_input_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
