"""Figures of chapter 8 show what their sentences say, and overlap's gain follows from its definition."""

from __future__ import annotations

import re
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.cluster import draw_slow_links as draw
from computegap.cluster import overlap_gain, slow_link_published, wide_area
from computegap.cluster.replicas import WarmStart
from computegap.cluster.slow_link_runs import Curve, Race
from computegap.experiment import spread

LABELS = (
    "one worker alone", "data parallel", "DiLoCo", "DiLoCo, four bits", "streaming, four bits",
    "larger batch",
)  # fmt: skip


def curve(label: str, gain: float, megabytes: float, steps: int) -> Curve:
    """A loss that falls along a line by ``gain``, for four seeds."""
    seconds = np.linspace(0, 1.6, 9)
    luck = np.array([0.0, 0.02, -0.01, 0.03])
    losses = 2.3 + luck - gain * seconds[:, None] / 1.6
    share = seconds / 1.6
    return Curve(label, seconds, losses, np.round(steps * share), megabytes * share)


@pytest.fixture
def made() -> Race:
    """A race with made-up results, the later the better."""
    curves = {
        label: curve(label, 0.05 * (i + 1), 4.0 / (i + 1) if i else 0.0, 400 - 20 * i)
        for i, label in enumerate(LABELS)
    }
    start = WarmStart([1, 2, 3, 4], None, [2.3, 2.32, 2.29, 2.33], 400)
    return Race(curves, 3e6, 1.6, 0.004, start, 1.0)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(figure) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(plt.Text) if text.get_text()]


@pytest.mark.parametrize("by", ["seconds", "megabytes"])
@pytest.mark.parametrize("until", [0.0, 0.8, None])
def test_race_shows_every_method_at_its_time(made, by, until):
    figure = draw.draw_race(made, by, until)
    sentence = draw.describe_race(made, by, until)
    row = 8 if until is None else round(until / 0.2)
    shown = texts(figure)
    for label, one in made.curves.items():
        value = f"{one.losses[row].mean():.2f}"
        assert f"{label}  {value}" in shown
        assert f"{label} {value}" in sentence


def test_race_labels_do_not_overlap(made):
    same = curve("PowerSGD", 0.05 * len(LABELS), 1.0, 300)  # ends where the last one ends
    tied = Race({**made.curves, "PowerSGD": same}, 3e6, 1.6, 0.004, made.start, 1.0)
    figure = draw.draw_race(tied)
    figure.canvas.draw()
    boxes = sorted((t.get_window_extent() for t in figure.axes[0].texts), key=lambda box: box.y0)
    for below, above in pairwise(boxes):
        assert above.y0 >= below.y1 - 1.5


def test_race_knows_two_axes_only(made):
    with pytest.raises(ValueError, match="not by 'steps'"):
        draw.draw_race(made, "steps")


def test_finish_is_sorted_and_complete(made):
    figure = draw.draw_finish(made)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == list(LABELS)  # worst at the bottom
    sentence = draw.describe_finish(made)
    assert sentence.index("larger batch") < sentence.index("data parallel")
    assert any("no bytes" in text for text in texts(figure))


def test_transfers_lie_on_the_line_when_exact():
    figure = draw.draw_transfers([1e6, 1e7], [[1e6, 1e6], [1e7]])
    dots = np.concatenate([line.get_ydata() for line in figure.axes[0].lines[1:]])
    assert (dots == 1).all()
    assert "3 timed transfers at 2 rates" in draw.describe_transfers([1e6, 1e7], [[1e6, 1e6], [1e7]])


def test_by_rate_falls_and_the_crossing_is_where_lines_meet(made):
    curves = {label: made[label] for label in ("data parallel", "DiLoCo")}
    lines = draw.losses_by_rate(curves, 0.4, 0.004)
    for line in lines.values():
        known = line[np.isfinite(line)]
        assert (np.diff(known) <= 1e-9).all()
    # Data parallel sends more here and learns less, so that it never gets ahead; the reverse holds at once.
    assert draw.crossing(curves, "data parallel", "DiLoCo", 0.4, 0.004) is None
    assert draw.crossing(curves, "DiLoCo", "data parallel", 0.4, 0.004) == draw.RATES[0]
    assert "ahead" in draw.describe_by_rate(curves, 0.4, 0.004)
    draw.draw_by_rate(curves, 0.4, 0.004)


def test_choices_have_a_line_for_each_kind():
    results = {kind: {s: spread([2.0, 2.1]) for s in ("low", "high")} for kind in ("plain", "momentum")}
    figure = draw.draw_choices(results, "rate", "loss")
    assert {"plain", "momentum", "low", "high"} <= set(texts(figure))
    assert draw.describe_choices(results, "rate", "loss").count("low 2.05") == 2


def test_utilisation_sentence_has_the_figures_numbers():
    sentence = draw.describe_utilisation(671e9, 20.0, 100, 1500.0)
    latency = 2 * wide_area.light_seconds(1500, draw.DETOUR)
    needed = wide_area.bandwidth_for(0.9, 671e9, 20.0, latency=latency) / 1e9
    assert f"{needed:,.3g} Gbit/s with gradients at every step" in sentence
    figure = draw.draw_utilisation(671e9, 20.0, 100, 1500.0)
    for line in figure.axes[0].lines:
        assert (np.diff(line.get_ydata()) >= -1e-9).all()
    assert "more than any bandwidth" in draw.describe_utilisation(1e9, 0.001, 10, 20000.0)


def test_latency_hurts_those_who_talk_most():
    exchanges = {"seldom": 0.01, "every step": 1, "all the time": 10000}
    figure = draw.draw_latency(exchanges, 20.0, 1500.0)
    ends = [line.get_ydata()[-1] for line in figure.axes[0].lines[:3]]
    assert ends == sorted(ends, reverse=True)
    shares = [int(s) for s in re.findall(r"(\d+)%", draw.describe_latency(exchanges, 20.0, 1500.0))]
    assert shares == sorted(shares, reverse=True)


def test_grid_counts_its_cells():
    cells = wide_area.grid_check()
    assert f"Of {len(cells)} published" in draw.describe_grid(cells)
    draw.draw_grid(cells)


# --- overlap
# -------------------------------------------------------------------------------------------------


def records(alone=0.06, wires=((9e7, 0.08, 0.065), (4e7, 0.105, 0.075), (1.8e7, 0.16, 0.13))):
    found = []
    for rate, after, overlapped in wires:
        for way, seconds in (("alone", alone), ("after", after), ("overlapped", overlapped)):
            found += [{"rate": rate, "way": way, "seconds": seconds * slow} for slow in (1.0, 1.4, 1.1)]
    return found


def test_wires_take_the_quickest_repeat():
    wires = overlap_gain.wires(records())
    assert [wire.rate for wire in wires] == [9e7, 4e7, 1.8e7]
    assert (wires[0].alone, wires[0].after, wires[0].overlapped) == (0.06, 0.08, 0.065)
    assert wires[0].ratio == pytest.approx(1 / 3)
    assert wires[0].hidden == pytest.approx(0.75)
    assert "2.25 times slower" in draw.describe_recovered(wires, 2.25)
    draw.draw_recovered(wires, 2.25)


def test_a_missing_way_is_named():
    with pytest.raises(ValueError, match="'overlapped' at 9e\\+07"):
        overlap_gain.wires([r for r in records() if r["way"] != "overlapped"])


def test_recovered_by_definition():
    fast, slow = overlap_gain.Wire(2.0, 1.0, 1.25, 1.0), overlap_gain.Wire(1.0, 1.0, 2.0, 1.25)
    # Throughputs: 0.8 fast, 0.5 slow, 0.8 slow with overlap: all that was lost.
    assert overlap_gain.recovered(fast, slow) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="nothing was lost"):
        overlap_gain.recovered(slow, fast)


@given(st.floats(0.01, 100), st.floats(1.01, 20))
def test_formula_agrees_with_the_definition(ratio, cut):
    fast = overlap_gain.Wire(cut, 1.0, 1 + ratio / cut, 1.0)
    slow = overlap_gain.Wire(1.0, 1.0, 1 + ratio, 1 + max(0.0, ratio - wide_area.BACKWARD))
    share = overlap_gain.recovered_by_formula(ratio, cut)
    assert share == pytest.approx(overlap_gain.recovered(fast, slow), rel=1e-6)
    assert share > 0


def test_much_more_to_send_leaves_less_to_recover():
    shares = overlap_gain.recovered_by_formula(np.array([0.7, 1, 2, 5, 20]), 2.25)
    assert (np.diff(shares) < 0).all()
    for ratio, cut in ((0, 2), (1, 1)):
        with pytest.raises(ValueError, match="ratio is positive"):
            overlap_gain.recovered_by_formula(ratio, cut)


# --- published beside ours
# -----------------------------------------------------------------------------------


def test_published_rows_are_complete(made):
    ideal = curve("no wire", 0.4, 60.0, 400)
    rows = slow_link_published.rows(made, ideal)
    assert {len(row) for row in rows} == {5}
    assert all(all(row) for row in rows)
    # DiLoCo, Table 2: perplexities 16.23, 15.30 and 15.02.
    published = np.log(16.23 / 15.02) / np.log(16.23 / 15.30)
    assert rows[0][2] == f"{100 * published:.0f}\u00a0%"
    assert slow_link_published.share_closed(made, ideal, "one worker alone") == 0
    with pytest.raises(LookupError):
        slow_link_published.busy(made, "telepathy")


def test_interval_and_bits_give_intellects_factor(made):
    rows = slow_link_published.rows(made, curve("no wire", 0.4, 60.0, 400))
    (row,) = [row for row in rows if row[0].startswith("INTELLECT-1") and "fewer bytes" in row[1]]
    assert row[2] == row[3] == "400 times"
