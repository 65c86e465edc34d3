"""Pictures of chapter 7 say what their data say, and published rows agree where they should."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from computegap.cluster import collectives, draw_pooling, pipeline, pooling_published, stragglers, timeline
from computegap.cluster.collectives import Link
from computegap.cluster.launch import launch


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def bars(figure):
    """Number of rectangles and stretches in a figure's first axes."""
    axes = figure.axes[0]
    return len(axes.patches) + sum(len(collection.get_paths()) for collection in axes.collections)


@pytest.mark.parametrize("algorithm", ["ring", "tree"])
def test_all_steps_of_an_algorithm_have_the_same_artists(algorithm):
    figures = [draw_pooling.draw_all_reduce_step(step, algorithm) for step in range(7)]
    assert len({bars(figure) for figure in figures}) == 1
    strong = [sum(patch.get_alpha() == 0.9 for patch in figure.axes[0].patches) for figure in figures]
    assert strong == sorted(strong)
    assert strong[0] == 16
    assert strong[-1] == 64


def test_the_sentence_counts_complete_pieces():
    assert "completed 0 of 16" in draw_pooling.describe_all_reduce_step(0, "ring")
    assert "completed 4 of 16" in draw_pooling.describe_all_reduce_step(3, "ring")
    assert "completed 16 of 16" in draw_pooling.describe_all_reduce_step(6, "ring")
    assert "4.00 times the data" in draw_pooling.describe_all_reduce_step(6, "tree")
    assert "1.50 times the data" in draw_pooling.describe_all_reduce_step(6, "ring")
    with pytest.raises(ValueError, match="ring, tree"):
        draw_pooling.draw_all_reduce_step(0, "star")


@pytest.mark.parametrize(
    ("size", "text"), [(3, "3 bytes"), (2048, "2 KiB"), (2**22, "4 MiB"), (2**32, "4 GiB")]
)
def test_sizes_for_people(size, text):
    assert draw_pooling.size_text(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (4e-5, "40 µs")])
def test_times_for_people(seconds, text):
    assert draw_pooling.time_text(seconds) == text


def test_measured_points_and_their_fit_are_drawn():
    line = collectives.Fit(1e-3, 1e-8, 0.0, (1e3, 1e7))
    points = [(size, line.seconds(size)) for size in (1e3, 1e4, 1e5, 1e6, 1e7) for _ in range(2)]
    measured = {"library": points, "tree, capped": points}
    fit = collectives.fit_alpha_beta(*zip(*points, strict=True))
    figure = draw_pooling.draw_measured(measured, fit, "library", {"tree, capped": Link(0, 1e8)})
    dashed = [drawn for drawn in figure.axes[0].lines if drawn.get_linestyle() == "--"]
    assert len(dashed) == 2
    assert any(text.get_text().strip() == "knee" for text in figure.axes[0].texts)
    assert "starts at 1 ms" in draw_pooling.describe_measured(measured, fit, "library")


def test_many_nodes_show_dots_only_where_something_was_published():
    published = {nodes: pooling_published.sweep(nodes) for nodes in (1, 4)}
    inside, between = Link(4e-6, 7e11), Link(7e-6, 5e10)
    for nodes in (1, 4, 64):
        figure = draw_pooling.draw_nodes(nodes, 2.0**30, inside, between, published)
        dots = next(drawn for drawn in figure.axes[0].lines if drawn.get_marker() == "o")
        assert dots.get_alpha() == (1.0 if nodes in published else 0.0)
        said = draw_pooling.describe_nodes(nodes, 2.0**30, inside, between, published)
        assert ("Published" in said) == (nodes in published)
        times = draw_pooling.node_times(2.0**30, nodes, inside, between)
        assert f"the fastest is {min(times, key=times.get)}" in said
    with pytest.raises(LookupError):
        pooling_published.sweep(3)


def test_a_schedule_is_drawn_whole():
    for schedule in pipeline.SCHEDULES:
        figure = draw_pooling.draw_schedule(schedule, 3, 6, 40)
        length = sum(path.get_extents().width for c in figure.axes[0].collections for path in c.get_paths())
        assert length == pytest.approx(3 * 6 * 3, rel=1e-6)
        said = draw_pooling.describe_schedule(schedule, 3, 6)
        assert f"idle {pipeline.expected_bubble(schedule, 3, 6):.0%}" in said


def test_mixed_chips_wait_and_fitting_shares_do_not():
    assert "work of 4.00 strong" in draw_pooling.describe_mixed(2, 0.5, "even")
    assert "work of 6.86 strong" in draw_pooling.describe_mixed(2, 0.5, "by-speed")
    figure = draw_pooling.draw_mixed(2, 0.5, "even")
    assert sum(patch.get_width() for patch in figure.axes[0].patches) == pytest.approx(8 * 24)
    with pytest.raises(ValueError, match="even, by-speed"):
        draw_pooling.draw_mixed(2, 0.5, "fair")


def test_waiting_and_overlap_are_drawn_from_their_records():
    waited = [
        stragglers.Waiting(tail, n, (1.0, 1.1), (1.0 + 0.1 * n, 1.1 + 0.1 * n))
        for tail in stragglers.TAILS for n in (1, 2)
    ]  # fmt: skip
    assert len(draw_pooling.draw_waiting(waited, 0.2).axes[0].lines) >= 4
    assert "1.25 of one worker's time" in draw_pooling.describe_waiting(waited, 0.2)
    records = [
        {"kind": "overlap", "rate": rate, "way": way, "repeat": k, "seconds": base + 1e6 / rate * late}
        for rate in (1e7, 2e7) for k in range(2)
        for way, base, late in (("alone", 1.0, 0), ("after", 1.0, 1), ("overlapped", 1.0, 0.25))
    ]  # fmt: skip
    assert draw_pooling.hidden_shares(records, 1e7) == pytest.approx([0.75, 0.75])
    assert "20 MB/s" in draw_pooling.describe_overlap(records)
    assert len(draw_pooling.draw_overlap(records).axes[0].patches) == 6


@pytest.fixture(scope="module")
def run():
    words = ["--steps", 9, "--global-batch", 64, "--timeline", "--chip-speed", 2000]
    return launch("computegap.cluster.train", *words, workers=2)


def test_a_recorded_timeline_is_drawn_and_described(run):
    found = timeline.pieces(run.records)
    figure = draw_pooling.draw_timeline(found, first=4, steps=2)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["worker 1", "worker 2"]
    wide = [path.get_extents().width for c in figure.axes[0].collections for path in c.get_paths()]
    assert 0 < sum(wide) <= 2 * figure.axes[0].get_xlim()[1] * 1.001
    assert draw_pooling.describe_timeline(found, 4, 2).startswith("2 workers, 2 steps in ")
    assert len(draw_pooling.draw_two_timelines({"a": found, "b": found}).axes) == 2
    with pytest.raises(ValueError, match="no piece"):
        draw_pooling.draw_timeline(found, first=40)


def test_scaling_is_relative_to_one_worker():
    def some(workers, rate):
        return timeline.Throughput(workers, rate, 0.9 * rate, 1.1 * rate, 0.0)

    raw, chips = [some(1, 50), some(2, 60)], [some(1, 10), some(2, 19), some(4, 30)]
    assert draw_pooling.draw_scaling(raw, chips, 2).axes[0].get_xlabel() == "workers"
    said = draw_pooling.describe_scaling(raw, chips, 2)
    assert "1.20 with 2" in said
    assert "3.00 with 4" in said


def test_a_killed_run_is_told_by_its_records():
    def step(number, restart):
        return {"kind": "step", "rank": 0, "restart": restart, "step": number, "loss": 5 - 0.1 * number}

    calm = [step(number, 0) for number in range(10)]
    killed = [step(number, 0) for number in range(8)]
    killed += [step(number, 1) for number in range(5, 10)]
    killed.append({"kind": "saved", "rank": 0, "restart": 0, "steps_done": 5})
    said = draw_pooling.describe_killed(killed, calm)
    assert "last step before the kill was 7" in said
    assert "3 steps were done again" in said
    assert draw_pooling.draw_killed(killed, calm).axes


def test_published_rows_that_should_agree_do_and_the_others_stay():
    rows = pooling_published.all_reduces() + pooling_published.pipelines()
    differing = {row.source for row in rows if not row.agrees}
    assert differing == {"MegaScale"}
    sc21 = [row for row in rows if "SC21" in row.source]
    assert len(sc21) == 3
    # Narayanan et al. 2021, table 2: the speed that is left follows from the bubble, to one in a hundred.
    assert all(abs(row.ours[0] - row.published[0]) < 1.5 for row in sc21)
    # Twelve stages; 384 and then 96 microbatches for each pipeline.
    assert sc21[0].ours[0] == pytest.approx(100 * (1 + 11 / 384) / (1 + 11 / 96))
    assert all(len(row.row()) == 5 for row in rows)


def test_messages_are_timed_where_a_device_waited():
    for delay in (0.1, 0.4):
        actions = pipeline.simulate("1f1b", 4, 8, message=delay)
        assert pipeline.message_seconds(actions) == pytest.approx(delay)
    with pytest.raises(ValueError, match="no device waited"):
        pipeline.message_seconds(pipeline.simulate("gpipe", 1, 4))
    assert np.isfinite(pipeline.message_seconds(pipeline.simulate("zero-bubble", 4, 8, message=0.2)))
