"""The questions of the sizing chapter, sentences chosen from results, and figures held against their data."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from computegap import facts
from computegap.cluster import (
    bills,
    calibration,
    draw_failures,
    draw_judged,
    draw_sizing,
    failures,
    interruptions,
    published_runs,
    published_sizing,
    sizing,
    supernodes,
    verdicts,
)
from computegap.cluster.equivalents import Curve, Equivalent
from computegap.cluster.hours import Estimate
from computegap.cluster.judge import Verdict
from computegap.cluster.spans import Span
from computegap.cluster.step_time import step_time

matplotlib.use("agg")
FOLDS = {"": calibration.FITTED, "other": replace(calibration.FITTED, matmul_reach=0.8)}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def runs():
    return published_runs.load()


@pytest.fixture(scope="module")
def verdict(runs):
    """Not judged anew, which takes seconds: predictions of the shipped record, and a rival of fixed rates."""
    rows = runs.take(runs.judged)
    predicted = step_time(rows.job, checked=True).total
    rest = {f.name: predicted for f in fields(Verdict) if f.name not in ("runs", "constant")}
    return Verdict(runs=rows, constant=rows.seconds * 1.2, **rest)


@pytest.fixture(scope="module")
def llama():
    return sizing.workload("Llama 3 405B")


# -- jobs and layouts ------------------------------------------------------------------------------
def test_workloads_are_the_published_runs(llama):
    assert (llama.model.layers, llama.model.hidden, llama.batch) == (126, 16384, 2048)
    assert llama.tokens_per_step == 2048 * 8192
    v3 = sizing.workload("DeepSeek-V3")
    assert v3.eight_bits
    assert v3.model.experts == 256
    assert v3.tokens == facts.fact("deepseek-v3-tokens").si


def test_hardware_comes_from_the_registry():
    assert sizing.hardware("H800").link == pytest.approx(200e9)
    assert sizing.hardware("H100").link == pytest.approx(450e9)
    assert sizing.hardware("H100", eight_bits=True).low_peak == facts.chip("H100").fp8.si
    assert sizing.hardware("910C", eight_bits=True).low_peak == 0
    assert sizing.hardware("910C", peak="low").peak < sizing.hardware("910C").peak
    assert sizing.hardware("910C").per_node == 384
    assert sizing.hardware("H100", link=1e9).link == 1e9


def test_every_candidate_fits_and_multiplies(llama):
    jobs = sizing.candidates(llama, sizing.hardware("H100"), 1024)
    layout = jobs.layout
    assert np.all(np.asarray(layout.tensor) * layout.pipeline * layout.data == 1024)
    assert np.all(np.asarray(layout.tensor) <= 8)
    assert sizing.candidates(llama, sizing.hardware("H100"), 64) is None


def test_a_curve_is_the_best_of_its_candidates(llama):
    chip = sizing.hardware("H100")
    curve = sizing.curve(llama, chip, grid=(64, 1024, 2048))
    assert curve.tokens_per_s[0] == 0
    for chips, rate in zip(curve.chips[1:], curve.tokens_per_s[1:], strict=True):
        _, step = sizing.best(llama, chip, int(chips))
        assert rate == pytest.approx(llama.tokens_per_step / float(step.total))
    with pytest.raises(ValueError, match="fits on 64"):
        sizing.best(llama, chip, 64)


@pytest.mark.parametrize("name", list(sizing.WORKLOADS))
def test_a_weaker_chip_is_never_faster(name):
    work = sizing.workload(name)
    strong = sizing.hardware("H100")
    for weaker in (replace(strong, link=strong.link / 3), replace(strong, peak=strong.peak / 2)):
        first = sizing.curve(work, strong, grid=(512, 4096)).tokens_per_s
        second = sizing.curve(work, weaker, grid=(512, 4096)).tokens_per_s
        assert all(a >= b * (1 - 1e-9) for a, b in zip(first, second, strict=True))


def test_a_million_layouts(llama):
    many = sizing.million(llama, sizing.hardware("H100"), chips=(512, 1024, 4096))
    assert 0 < many.fitting < many.tried
    assert many.median_over_best(1024) > 0
    assert "1,024 chips" in many.line(1024)
    places = many.places(4096)
    assert np.all(np.diff(many.sweep.seconds[places]) >= 0)


@pytest.mark.parametrize(
    "call", [lambda: sizing.workload("GPT-9"), lambda: sizing.hardware("H9"), lambda: sizing.run_job("x")]
)
def test_unknown_names_are_refused(call):
    with pytest.raises(LookupError):
        call()


# -- answers ---------------------------------------------------------------------------------------
def test_answers_keep_their_order():
    found = sizing.answer(sizing.workload("DeepSeek-V3"), 1024, FOLDS, Span(0.5, 0.7, 0.9))
    assert set(found) == {"H800", "910C", "H20"}
    ascend = found["910C"]
    assert ascend["by the peaks"].ratio.middle == pytest.approx(
        facts.chip("H100").bf16 / facts.chip("910C").bf16
    )
    assert ascend["own precision"].ratio.middle > ascend["by the model"].ratio.middle
    assert ascend["and its software"].ratio.middle > ascend["own precision"].ratio.middle
    assert found["H20"]["and its software"].ratio == found["H20"]["own precision"].ratio
    assert found["H800"]["by the model"].ratio.low >= 1
    table = sizing.ratios_of(found)
    assert table["H20"]["by the peaks"].middle == pytest.approx(found["H20"]["by the peaks"].ratio.middle)
    figure = draw_sizing.draw_equivalents(table)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(found)
    assert "910C" in draw_sizing.describe_equivalents(table)
    assert draw_sizing.describe_equivalents(table).startswith("Chips for one H100. ")


def test_software_of_the_ascend_is_below_what_the_model_expects():
    share = sizing.ascend_software()
    assert 0.2 < share.low < share.middle < share.high < 1.2
    assert share.middle == pytest.approx(math.sqrt(share.low * share.high))


@pytest.mark.parametrize("name", list(sizing.CHIPS))
def test_machines(name):
    machine = sizing.machine(name)
    assert machine.watts_served.high > machine.watts_alone.high
    assert (machine.price is None) == (name == "H800")


def test_a_slower_link_costs_and_hiding_helps(llama):
    rows = sizing.cut_link(llama, FOLDS, (0.9, 1.1))
    exposed, hidden, _ = rows.values()
    assert exposed[0] > hidden[0] > 1
    for middle, apart, pairs in rows.values():
        assert apart[0] < pairs[0] <= middle <= pairs[1] < apart[1]
    assert sizing.hidden_share(rows) == pytest.approx(1 - (hidden[0] - 1) / (exposed[0] - 1))
    with pytest.raises(ValueError, match="nothing was lost"):
        sizing.hidden_share({"a": (1.0, (1, 1), (1, 1)), "b": (1.0, (1, 1), (1, 1))})
    figure = draw_sizing.draw_cut(rows)
    assert len(figure.axes[0].texts) == 3
    assert f"{100 * (exposed[0] - 1):+.1f} %" in draw_sizing.describe_cut(rows)


def test_routes_to_deepseeks_hours(runs):
    routes = sizing.routes_to_hours(sizing.workload("DeepSeek-V3"), runs, 20.0, (0.8, 1.4))
    published = facts.fact("deepseek-v3-hours-pretraining").si / 3600
    by_name = {route.route: route for route in routes}
    assert abs(by_name["their step, measured"].gap(published)) < 0.01
    assert by_name["our model, their layout"].middle == pytest.approx(2.68e6, rel=0.01)
    assert all(route.low <= route.middle <= route.high for route in routes)
    simple = by_name["six per weight, dense runs"].middle
    reached = 6 * 37e9 * 14.8e12 / (3600 * simple) / facts.chip("H800").bf16.si
    assert 0.3 < reached < 0.6
    assert f"{published / 1e6:.3f}" in draw_sizing.describe_hours(routes, published)
    assert len(draw_sizing.draw_hours(routes, published).axes[0].get_yticks()) == len(routes)


def test_growth_ends():
    work = {"GPT-3": sizing.workload("GPT-3")}
    stores = {"shared": failures.Saving("shared", 5e10, False)}
    found = sizing.growth(work, ("H100", "H20"), stores, 50_000 * 3600.0, 600.0, batches=(1, 4))
    before, after = found["GPT-3", 1, "shared"]["H100"]
    assert all(a <= b for a, b in zip(after.tokens_per_s, before.best(), strict=True))
    assert np.argmax(after.tokens_per_s) < len(after.chips) - 1
    larger = found["GPT-3", 4, "shared"]["H100"][0]
    assert larger.best()[-1] > before.best()[-1]
    text = draw_sizing.describe_growth(found["GPT-3", 1, "shared"])
    assert "H100" in text
    assert len(draw_sizing.draw_growth(found["GPT-3", 1, "shared"]).axes[0].lines) == 4


# -- bills and machines ----------------------------------------------------------------------------
def test_bills():
    two = Span.of(2.0)
    found = Equivalent("weak", Span(2048, 4096, 8192), two, two, two, two, None)
    rows = bills.bills(sizing.machine("H100"), 2048, 50, {"H20": (sizing.machine("H20"), found)})
    assert rows[0].chips == Span.of(2048)
    assert rows[1].days.middle == pytest.approx(100)
    assert rows[1].purchase.middle == pytest.approx(4096 * sizing.machine("H20").price.middle)
    assert rows[1].power_cost.low < rows[1].power_cost.high
    assert len(rows[0].row()) == len(bills.COLUMNS)
    endless = replace(found, chips=Span(2048, 4096, math.inf))
    row = bills.bills(sizing.machine("H100"), 2048, 50, {"H800": (sizing.machine("H800"), endless)})[1]
    assert row.purchase is None
    assert row.power_cost is None
    assert "no end" in row.row()[1]


def test_two_machines():
    ratios = {ratio.what: ratio for ratio in supernodes.ratios()}
    assert ratios["chips"].ours.middle == pytest.approx(384 / 72)
    assert ratios["arithmetic"].agrees() is False
    assert ratios["memory"].agrees() is True
    assert ratios["chips"].agrees() is None
    power = ratios["power"].ours.middle / ratios["arithmetic"].ours.middle
    assert ratios["power for the same arithmetic"].ours.middle == pytest.approx(power)
    assert len(draw_sizing.draw_ratios(list(ratios.values())).axes[0].get_yticks()) == len(ratios)
    assert "printed 4.1" in draw_sizing.describe_ratios(list(ratios.values()))


def test_published_numbers_beside_ours():
    rows = published_sizing.table()
    assert len(rows) > 15
    differ = [row.what for row in rows if not row.agrees]
    assert len(differ) == 2
    assert any("1,024 GPUs" in what for what in differ)


# -- sentences -------------------------------------------------------------------------------------
def test_a_family_lost_is_said(verdict):
    assert "no family" in verdicts.lost_in_words(verdict)
    better = replace(verdict, predicted=verdict.predicted * 1.5)
    text = verdicts.lost_in_words(better)
    assert "Constant utilisation does better" in text
    assert "LLM Foundry" in text
    small = verdict.predicted.copy()
    small[verdict.runs.family == "glm_130b"] *= 3
    text = verdicts.lost_in_words(replace(verdict, predicted=small))
    assert "no family of five runs or more" in text
    assert "GLM-130B" in text


def test_calculon_where_it_is_nearer(verdict):
    assert "Megatron 2022" in verdicts.calculon_in_words(replace(verdict, predicted=verdict.predicted * 1.3))
    exact = replace(verdict, predicted=verdict.runs.seconds)
    assert verdicts.calculon_in_words(exact) == "Neither is better in any family."


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((1.05, (0.9, 1.2), (1.04, 1.06)), "with separate errors it cannot"),
        ((1.5, (1.2, 1.8), (1.4, 1.6)), "either way"),
        ((1.0, (0.8, 1.2), (0.99, 1.01)), "even with shared errors"),
    ],
)
def test_what_is_resolved(row, words):
    assert words in verdicts.resolved_in_words(row)


def test_other_sentences():
    assert "helps as well" in verdicts.fresh_in_words(5, 2)
    assert "more, because" in verdicts.fresh_in_words(5, 9)
    assert "little" in verdicts.fresh_in_words(5, 5.2)
    assert "stricter" in verdicts.search_in_words(7.0, 6.0)
    assert "on paper" in verdicts.search_in_words(5.0, 6.0)
    assert verdicts.search_in_words(6.0, 6.0).endswith("reports 6.0.")
    assert "all along" in verdicts.turning_in_words({"H100": math.inf})
    assert "4,096 H20 on" in verdicts.turning_in_words({"H100": math.inf, "H20": 4096})
    up = verdicts.ClassError("a", 3, 1, 0.2, 0.1, 1.1, 1.4)
    assert "took longer" in verdicts.others_in_words([up])
    assert "“a” constant utilisation is nearer" in verdicts.others_in_words([up])
    assert "both ways" in verdicts.others_in_words([replace(up, low=0.9, constant=0.5)])


def test_tables_of_errors(verdict, runs):
    errors, counts = verdicts.error_table(verdict)
    assert sum(counts.values()) == len(verdict.runs)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert errors["constant"]["BLOOM"] == pytest.approx(0.2)
    assert errors["ours"]["BLOOM"] == pytest.approx(verdict.error("predicted", "bloom_a100_opa"))
    assert set(verdicts.words_of(verdict)) == set(counts)
    assert verdicts.between_releases(runs) > 1
    before, after = verdicts.knobs_before_and_after()
    assert set(before) == set(after)
    figure = draw_judged.draw_errors(errors, counts)
    assert len(figure.axes[0].get_yticks()) == len(counts)
    assert "LLM Foundry" in draw_judged.describe_errors(errors, counts)


def test_predictions_of_one_family(verdict):
    words = verdicts.words_of(verdict)
    said = verdict.runs.seconds, verdict.predicted, words
    text = draw_judged.describe_predictions(*said, "BLOOM", (0.5, 2.0))
    assert f"{words.count('BLOOM')} of {words.count('BLOOM')} lie inside" in text
    assert "too long" in draw_judged.describe_predictions(
        verdict.runs.seconds, verdict.runs.seconds * 1.4, words, "BLOOM", (0.9, 1.1)
    )
    points = [
        len(line.get_xdata())
        for line in draw_judged.draw_predictions(*said, "BLOOM", (0.9, 1.1)).axes[0].lines
    ]
    assert words.count("BLOOM") in points


# -- figures ---------------------------------------------------------------------------------------
def test_groups_hold_every_part_once(llama):
    step = sizing.fixed_step(llama, sizing.hardware("H800"), 8, 512)
    assert sum(draw_sizing.grouped(step).values()) == pytest.approx(float(step.total))
    listed = [part for _, parts in draw_sizing.GROUPS.values() for part in parts]
    assert sorted(listed) == sorted(step.parts)


def test_bars_of_steps_add_up(verdict):
    chosen = {"BLOOM": "bloom_52", "GPT": "sc21t1_10"}
    steps, published = verdicts.published_steps(verdict.runs, chosen, FOLDS)
    assert "BLOOM, 384 A100" in steps
    for scale in ({"published": published, "relative": True}, {"unit": 2.0}, {}):
        figure = draw_sizing.draw_steps(steps, **scale)
        ends = {}
        for bar in figure.axes[0].patches:
            row = round(bar.get_y() + bar.get_height() / 2)
            ends[row] = max(ends.get(row, 0.0), bar.get_x() + bar.get_width())
        for row, (label, step) in enumerate(steps.items()):
            one = published[label] if scale.get("relative") else scale.get("unit", 1.0)
            assert ends[-row] == pytest.approx(float(step.total) / one)
    assert "published" in draw_sizing.describe_steps(steps, published)
    with pytest.raises(LookupError, match="nobody"):
        verdicts.published_steps(verdict.runs, {"x": "nobody"}, FOLDS)


def test_searches_find_no_layout_that_does_not_fit(llama):
    rows = sizing.search_rows(llama, sizing.hardware("H100"), 1024)
    assert 1 <= len(rows) <= 3
    assert all(label.split(" by ")[0] in ("1", "4", "8") for label in rows)
    assert sizing.search_rows(llama, sizing.hardware("H100"), 64) == {}


def test_figures_about_failures():
    jobs = [
        interruptions.simulate(
            86_400, tau, 60, 600, interruptions.gaps(9000, np.random.default_rng(1)), keep_spans=True
        )
        for tau in (600, 7200)
    ]
    figure = draw_failures.draw_jobs(jobs, ["often", "seldom"], 43_200)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["often", "seldom"]
    text = draw_failures.describe_jobs(jobs, ["often", "seldom"], 1e9)
    assert f"{jobs[0].computing / jobs[0].wall:.0%} work kept" in text
    axes = draw_failures.draw_interval(16_384, 50_000, 60, 600).axes[0]
    assert axes.lines[0].get_ydata().max() == pytest.approx(
        100 * failures.best_efficiency(60, 50_000 * 3600 / 16_384, 600), rel=1e-3
    )
    assert "every 3.05 h" in draw_failures.describe_interval(16_384, 50_000, 60, 600)
    points = {"a": (1000, 10.0, True), "b": (1000, 50.0, True), "c": (10_000, 1.0, False)}
    text = draw_failures.describe_scaling(points, {"c": (10_000, 1.0)})
    assert "the line through c is 5.0 times off at b" in text
    assert len(draw_failures.draw_scaling(points, {"c": (10_000, 1.0)}).axes[0].texts) == 3


@pytest.mark.parametrize(
    ("seconds", "words"), [(30, "30 s"), (90, "90 s"), (600, "10 min"), (7200, "2 h"), (2e6, "23.1 days")]
)
def test_lengths_of_time_in_words(seconds, words):
    assert draw_failures.time_words(seconds) == words


def test_an_estimate_without_a_range_prints_none():
    exact, wide = Estimate("a", 2e6, 2e6, 2e6, ""), Estimate("b", 1e6, 2e6, 3e6, "")
    text = draw_sizing.describe_hours([exact, wide], 2e6)
    assert "a 2.00, +0%" in text
    assert "b 2.00 (1.00 to 3.00)" in text


def test_a_curve_out_of_reach_is_drawn_to_the_edge():
    rows = {"H20": {"by the model": Span(5, math.inf, math.inf)}}
    texts = [text.get_text() for text in draw_sizing.draw_equivalents(rows).axes[0].texts]
    assert texts == ["out of reach"]
    open_end = {"H20": {"by the model": Span(5, 6, math.inf)}}
    assert [text.get_text() for text in draw_sizing.draw_equivalents(open_end).axes[0].texts] == ["6.00>"]
    assert "no end" in draw_sizing.describe_equivalents(rows)
    assert math.isinf(Curve((1, 2), (1.0, 1.0)).chips_for(2))


def test_the_rival_that_counts_families_alike(verdict):
    seconds = verdicts.constant_by_family(verdict)
    assert seconds.shape == verdict.runs.seconds.shape
    assert np.all(seconds > 0)
    rival = replace(verdict, constant=seconds)
    exact = replace(verdict, predicted=verdict.runs.seconds)
    assert "in no family" in verdicts.stronger_rival_in_words(exact)
    worse = replace(verdict, predicted=verdict.runs.seconds * 3)
    assert f"off by {100 * rival.error('constant'):.1f}" in verdicts.stronger_rival_in_words(worse)
    assert "Megatron Core on H100" in verdicts.stronger_rival_in_words(worse)


def test_the_rival_never_sees_the_family_that_it_is_judged_on(verdict):
    """Twice as slow runs of one family move the constant for the others, and not that for themselves."""
    before = verdicts.constant_by_family(verdict)
    mine = verdict.runs.family == "bloom_a100_opa"
    slower = replace(verdict.runs, seconds=np.where(mine, 2, 1) * verdict.runs.seconds)
    after = verdicts.constant_by_family(replace(verdict, runs=slower))
    np.testing.assert_allclose(after[mine], before[mine])
    assert not np.allclose(after[~mine], before[~mine])


def test_what_the_fit_adds_is_said(verdict):
    seconds = verdict.runs.seconds
    same = replace(verdict, predicted=seconds * 1.05, unfitted=seconds * 1.05)
    assert "improves nothing" in verdicts.priors_in_words(same)
    assert "better" in verdicts.priors_in_words(replace(same, unfitted=seconds * 1.2))


def test_what_the_table_of_practice_rests_on():
    rows = [{"known": "read"}, {"known": "read"}, {"known": "recalled"}]
    expected = "Of its 3 entries 2 were read in the source and 1 recalled from knowing the publication"
    assert verdicts.practices_in_words(rows) == expected
    assert str(len(published_runs.practices())) in verdicts.practices_in_words()
    with pytest.raises(LookupError, match="guessed"):
        verdicts.practices_in_words([{"known": "guessed"}])


def test_the_knobs_that_moved_have_a_reason():
    rows = verdicts.moved_most(5)
    assert len(rows) == 5
    assert all(reason for *_, reason in rows)
    moves = [abs(math.log(float(fitted) / float(expected))) for _, expected, fitted, _ in rows]
    assert moves[0] == max(moves)


def test_what_intervals_cannot_tell():
    assert "inside" in verdicts.hours_in_words(2, 4, 2.7)
    assert "outside" in verdicts.hours_in_words(2, 2.5, 2.7)
    assert "too wide" in verdicts.hours_in_words(0.1, 40, 2.7)
    assert "H800" in verdicts.wide_in_words({"H800": (0.5, 2), "H20": (2, 7)})
    assert "none" in verdicts.wide_in_words({"H20": (2, 7)})
    assert sizing.apart(Span(2, 3, 4), (0.5, 2)) == (0.5, 16)


def test_the_cards_of_the_smaller_llamas_are_larger_than_the_model_says():
    cards = sizing.cards_over_ours()
    assert set(cards) == {"Llama-3.1-70B", "Llama-3.1-8B"}
    assert all(1 < ratio < 6 for ratio in cards.values())
