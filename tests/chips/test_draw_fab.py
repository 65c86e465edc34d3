"""Figures say what the numbers say: sentences against results, the same artists in every state."""

import re
import time

import matplotlib as mpl
import numpy as np
import pytest

from computegap.chips import draw_fab, draw_roofline
from computegap.chips.capacity import Distribution, Swing
from computegap.chips.roofline import Roofline
from computegap.chips.wafer import die_yield, hits_per_die, place_dies, throw_defects

mpl.use("Agg")
LEVELS = (0.05, 0.2, 0.5)
LAYOUT = place_dies(25, 25)
DEFECTS = throw_defects(0.5, np.random.default_rng(4))
ROOFS = [Roofline("A", (280e12, 414e12), (0.8e12, 1.6e12)), Roofline("B", (148e12, 148e12), (4e12, 4e12))]


@pytest.fixture(autouse=True)
def _close():
    yield
    mpl.pyplot.close("all")


def n_artists(figure):
    return sum(len(axes.get_children()) for axes in figure.axes)


def test_wafer_title_and_sentence_count_the_same_dies():
    figure = draw_fab.draw_wafer(LAYOUT, DEFECTS, 0.2, levels=LEVELS)
    good = int((hits_per_die(LAYOUT, DEFECTS, 0.2) == 0).sum())
    assert figure.axes[0].get_title() == f"{good} of {len(LAYOUT)} dies work"
    assert f"{good} of {len(LAYOUT)} dies" in draw_fab.describe_wafer(LAYOUT, DEFECTS, 0.2)


def test_wafer_shows_exactly_the_good_dies_in_green():
    figure = draw_fab.draw_wafer(LAYOUT, DEFECTS, 0.2, levels=LEVELS)
    green = mpl.colors.to_hex("C2")
    shown = sum(
        len(line.get_xdata()) // 3
        for line in figure.axes[0].lines
        if mpl.colors.to_hex(line.get_color()) == green and line.get_alpha() == 1.0
    )
    assert shown == (hits_per_die(LAYOUT, DEFECTS, 0.2) == 0).sum()


def test_all_states_have_the_same_artists():
    counts = {n_artists(draw_fab.draw_wafer(LAYOUT, DEFECTS, d0, levels=LEVELS)) for d0 in LEVELS}
    counts_yield = {n_artists(draw_fab.draw_yield_curves(d0, {"x": 600.0})) for d0 in LEVELS}
    assert len(counts) == len(counts_yield) == 1


def test_yield_sentence_holds_the_models_ends():
    sentence = draw_fab.describe_yield_curves(0.2, {"the 910B": 665.6})
    low, high = die_yield(665.6, 0.2, "poisson"), die_yield(665.6, 0.2, "seeds")
    assert f"{low:.0%} to {high:.0%} of dies the size of the 910B" in sentence


def test_labels_of_curves_do_not_touch():
    figure = draw_fab.draw_yield_curves(0.02, {"x": 600.0})
    labels = [t for t in figure.axes[0].texts if t.get_text() in draw_fab.MODEL_LABELS.values()]
    heights = sorted(label.get_position()[1] for label in labels)
    assert min(np.diff(heights)) >= 6


def test_detective_draws_what_it_says():
    published = {"N7": (0.09, 0.09), "N5": (0.10, 0.11)}
    figure = draw_fab.draw_detective(0.4, 665.6, published)
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    sentence = draw_fab.describe_detective(0.4, 665.6, published)
    assert f"{min(dots):.2f} to {max(dots):.2f} defects" in sentence
    assert "N7 0.09; N5 0.1 to 0.11" in sentence


def test_costs_show_ranges_as_bars_and_points_as_points():
    costs = {"cheap": (215.0, 215.0), "dear": (430.0, 880.0)}
    figure = draw_fab.draw_costs(costs)
    widths = sorted(bar.get_width() for bar in figure.axes[0].patches)
    assert widths[0] < 10
    assert widths[1] == pytest.approx(450)
    assert draw_fab.describe_costs(costs) == "Cost per good die in US dollars: cheap 215; dear 430 to 880."


def test_output_names_the_smaller_of_the_two():
    assert "memory is the limit" in draw_fab.describe_output(2e6, 3e5, (2e5, 2.2e5), {})
    assert "wafers are the limit" in draw_fab.describe_output(3e5, 2e6, (2e5, 2.2e5), {})
    figure = draw_fab.draw_output(2e6, 3e5, (2e5, 2.2e5), {"someone": 4e5})
    assert [bar.get_alpha() for bar in figure.axes[0].patches[:2]] == [0.45, 1]


def test_distribution_and_swings_say_their_numbers():
    result = Distribution(np.full(100, 5e5), {})
    assert "median of 500,000" in draw_fab.describe_distribution(result, {"x": 2e5})
    draw_fab.draw_distribution(result, {"x": 2e5})
    swings = [Swing("yield", 1e5, 4e5), Swing("fixed", 2e5, 2e5)]
    figure = draw_fab.draw_swings(swings, {"yield": "yield"}, 2e5)
    assert len(figure.axes[0].patches) == 2
    assert "yield 100,000 to 400,000" in draw_fab.describe_swings(swings, {}, 2e5)


@pytest.mark.parametrize(("value", "text"), [(1.625e6, "1.62 million"), (804_600, "805,000"), (950, "950")])
def test_counts_for_people(value, text):
    assert draw_fab.million(value) == text


def test_rooflines_name_peaks_and_ridges_with_their_ranges():
    sentence = draw_roofline.describe_rooflines(ROOFS, "A", "B")
    assert "A reaches 280 TFLOP/s to 414 TFLOP/s and needs 175 to 518 operations per byte" in sentence
    assert "B reaches 148 TFLOP/s and needs 37 operations" in sentence


def test_rooflines_draw_a_band_only_where_sources_differ():
    figure = draw_roofline.draw_rooflines(ROOFS, "A", "B", work={"decode": 1.0})
    areas = [collection.get_paths()[0].get_extents().height for collection in figure.axes[0].collections]
    assert min(areas) >= 0
    assert re.search("A", figure.axes[0].texts[-3].get_text())


def test_a_frame_takes_little_time():
    draw_fab.draw_wafer(LAYOUT, DEFECTS, 0.2, levels=LEVELS)
    # Processor time, so that a busy machine does not fail the test.
    start = time.process_time()
    draw_fab.draw_wafer(LAYOUT, DEFECTS, 0.2, levels=LEVELS)
    assert time.process_time() - start < 0.5
