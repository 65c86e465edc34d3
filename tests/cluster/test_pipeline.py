"""Bubbles by formula, by simulation, and of real pipelines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.cluster import pipeline as p
from computegap.cluster.launch import launch

devices = st.integers(1, 6)
batches = st.integers(1, 20)


def test_published_bubbles():
    """SC21, section 2.2: idle over useful time is (p-1)/m, and v times smaller when interleaved.

    GPipe, section 2.3: negligible (under a fifth of the step) when m is at least four times p.
    """
    assert p.over_useful(p.bubble(8, 64)) == pytest.approx(7 / 64)
    assert p.over_useful(p.bubble(8, 64, 2)) == pytest.approx(7 / 128)
    assert p.bubble(8, 32) < 0.2
    # Zero bubble, table 2: 1F1B idles (p-1)(F+B+W), ZB-H1 (p-1)(F+B-W); a third, with equal parts.
    assert p.over_useful(p.zero_bubble(4, 8)) == pytest.approx(p.over_useful(p.bubble(4, 8)) / 3)


@pytest.mark.parametrize("schedule", p.SCHEDULES)
@pytest.mark.parametrize(
    ("count", "microbatches"), [(1, 3), (2, 4), (3, 9), (4, 4), (4, 8), (4, 16), (6, 12)]
)
def test_a_schedule_played_through_idles_as_long_as_its_formula_says(schedule, count, microbatches):
    played = p.idle_share(p.simulate(schedule, count, microbatches))
    assert played == pytest.approx(p.expected_bubble(schedule, count, microbatches), abs=1e-9)


@given(st.sampled_from(p.SCHEDULES), devices, batches, st.floats(0, 2))
def test_every_schedule_does_all_the_work_once_and_in_order(schedule, count, rounds, message):
    microbatches = count * rounds if schedule == "interleaved" else rounds
    if count * microbatches > 60:
        return
    actions = p.simulate(schedule, count, microbatches, message=message)
    stages = 2 * count if schedule == "interleaved" else count
    kinds = ("forward", "input", "weight") if schedule == "zero-bubble" else ("forward", "backward")
    assert len(actions) == len({(a.kind, a.microbatch, a.stage) for a in actions})
    assert len(actions) == len(kinds) * stages * microbatches
    ends = {(a.kind, a.microbatch, a.stage): a.end for a in actions}
    for a in actions:
        if a.kind == "forward" and a.stage > 0:
            assert a.start >= ends["forward", a.microbatch, a.stage - 1] + message - 1e-9
        if a.kind in ("backward", "input"):
            assert a.start >= ends["forward", a.microbatch, a.stage] - 1e-9
            if a.stage < stages - 1:
                assert a.start >= ends[a.kind, a.microbatch, a.stage + 1] + message - 1e-9
        if a.kind == "weight":
            assert a.start >= ends["input", a.microbatch, a.stage] - 1e-9
    for device in range(count):
        mine = sorted((a.start, a.end) for a in actions if a.device == device)
        assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(mine))


@given(st.sampled_from(p.SCHEDULES), devices, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_schedule_played_again_keeps_its_order_and_only_gets_later(schedule, count, message, pause):
    actions = p.simulate(schedule, count, 2 * count)
    same, late = p.replay(actions, 1.0), p.replay(actions, 1.0, message, pause)
    assert p.idle_share(same) == pytest.approx(p.idle_share(actions), abs=1e-9)
    assert p.idle_share(late) >= p.idle_share(actions) - 1e-9
    for device in range(count):
        orders = [
            [
                (a.kind, a.microbatch, a.stage)
                for a in sorted(some, key=lambda a: a.start)
                if a.device == device
            ]
            for some in (actions, late)
        ]
        assert orders[0] == orders[1]


def test_delays_are_read_off_as_they_were_put_in():
    late = p.replay(p.simulate("zero-bubble", 4, 8), 1.0, message=0.2, pause=0.05)
    assert p.message_seconds(late) == pytest.approx(0.2)
    assert p.pause_seconds(late) == pytest.approx(0.05)
    assert p.pause_seconds(late[:1]) == 0.0


def test_an_incomplete_step_cannot_be_played_again():
    with pytest.raises(ValueError, match="none of the others makes"):
        p.replay([a for a in p.simulate("gpipe", 2, 2) if a.device == 1], 1.0)


@given(st.integers(2, 6), st.integers(1, 20))
def test_more_microbatches_idle_less_and_more_devices_idle_more(count, microbatches):
    assert p.bubble(count, microbatches + 1) < p.bubble(count, microbatches)
    assert p.bubble(count + 1, microbatches) > p.bubble(count, microbatches)
    assert p.bubble(count, microbatches, 2) < p.bubble(count, microbatches)
    assert p.zero_bubble(count, microbatches) < p.bubble(count, microbatches)
    assert p.bubble(1, microbatches) == 0


def test_1f1b_idles_as_long_as_gpipe_and_holds_less():
    gpipe, other = (p.simulate(name, 4, 12) for name in ("gpipe", "1f1b"))
    assert p.idle_share(gpipe) == pytest.approx(p.idle_share(other))
    assert p.most_held(gpipe) == 12
    assert p.most_held(other) == 4
    assert p.most_held(p.simulate("zero-bubble", 4, 12)) == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda: p.bubble(0, 4),
        lambda: p.bubble(4, 0),
        lambda: p.zero_bubble(2, 2, 0, 0, 0),
        lambda: p.expected_bubble("dual", 2, 2),
        lambda: p.simulate("dual", 2, 2),
        lambda: p.simulate("interleaved", 4, 6),
        lambda: p.over_useful(1.0),
        lambda: p.idle_share([]),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match=r".{15}"):
        call()


@pytest.fixture(scope="module")
def runs():
    words = [
        "--runs",
        "gpipe:8",
        "1f1b:8",
        "interleaved:8",
        "zero-bubble:8",
        "--repeats",
        2,
        "--forward-ms",
        8,
    ]
    return p.from_records(launch("computegap.cluster.pipeline_bench", *words, workers=4).records)


def test_a_real_pipeline_idles_a_little_longer_than_its_formula_says(runs):
    """Messages and a busy machine only ever add; the margin is wide for machines with other work."""
    for run in runs:
        assert run.expected - 0.02 < run.bubble < run.expected + 0.35, run.schedule
    middle = {name: np.median([r.bubble for r in runs if r.schedule == name]) for name in p.SCHEDULES}
    assert middle["zero-bubble"] < middle["gpipe"]


def test_a_real_pipeline_computes_every_microbatch_of_every_stage(runs):
    for run in runs:
        kinds = ("forward", "input", "weight") if run.schedule == "zero-bubble" else ("forward", "backward")
        wanted = {
            (kind, microbatch, stage)
            for kind in kinds
            for microbatch in range(8)
            for stage in range(4 * run.per_device)
        }
        assert {(a.kind, a.microbatch, a.stage) for a in run.actions} == wanted
        assert run.actions[0].start >= 0


def test_no_schedule_changes_the_loss(runs):
    """Where the network is cut into the same four stages the loss is the same number."""
    losses = {run.loss for run in runs if run.per_device == 1}
    assert max(losses) - min(losses) < 1e-6


def test_real_1f1b_holds_no_more_than_its_schedule_allows(runs):
    held = {run.schedule: p.most_held(run.actions) for run in runs}
    assert held["gpipe"] == 8
    assert held["1f1b"] == 4


def test_a_lost_record_is_noticed(runs):
    record = {"kind": "pipeline", "schedule": "gpipe", "microbatches": 1, "repeat": 0, "devices": 2}
    with pytest.raises(ValueError, match="1 of 2 devices"):
        p.from_records([record])
