"""One training program: the same steps however the work is shared, and honest about where the time goes."""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np
import pytest
import torch

from computegap.cluster import link, timeline, train
from computegap.cluster.checkpoint import recoveries
from computegap.cluster.launch import Finished, WorkerFailed, launch

SMALL = ("--width", 32, "--blocks", 3, "--global-batch", 64)


def run(*arguments: object, workers: int = 1, **options) -> Finished:
    return launch("computegap.cluster.train", *SMALL, *arguments, workers=workers, **options)


def losses(finished: Finished) -> dict[int, float]:
    """Loss of each step; every worker has to have reported the same one."""
    found: dict[int, float] = {}
    for step in finished.of("step"):
        assert found.setdefault(step["step"], step["loss"]) == step["loss"]
    return found


@pytest.fixture(scope="module")
def alone() -> dict[int, float]:
    return losses(run("--steps", 30))


def test_it_learns(alone):
    assert list(alone) == list(range(30))
    assert alone[29] < alone[0] - 1


@pytest.mark.parametrize(
    ("parallel", "workers"),
    [("data", 2), ("data", 4), ("sharded", 1), ("sharded", 2), ("pipeline", 1), ("pipeline", 4)],
)
def test_all_ways_take_the_same_steps(alone, parallel, workers):
    """Only the order of the additions differs, so only the last digits do."""
    shared = losses(run("--steps", 30, "--parallel", parallel, workers=workers))
    assert shared == pytest.approx(alone, rel=1e-4)
    if workers == 4:
        assert shared != alone


def test_both_pipeline_schedules_take_the_same_steps(alone):
    shared = losses(run("--steps", 8, "--parallel", "pipeline", "--schedule", "gpipe", workers=2))
    assert shared == pytest.approx({step: alone[step] for step in range(8)}, rel=1e-5)


def test_other_seeds_take_other_steps(alone):
    assert losses(run("--steps", 3, "--seed", 1))[0] != pytest.approx(alone[0], rel=1e-3)


def test_a_batch_split_by_speed_takes_the_same_steps(alone):
    """Unequal shares, equally weighted samples."""
    uneven = run(
        "--steps", 20, "--batch-split", "by-speed", "--chip-speed", "60000,20000,10000,10000", workers=4
    )  # fmt: skip
    assert losses(uneven) == pytest.approx({step: alone[step] for step in range(20)}, rel=1e-4)
    shares = {step["rank"]: step["samples"] for step in uneven.of("step")}
    assert sum(shares.values()) == 64
    assert shares[0] > 2.5 * shares[1] > 4 * shares[2] > 0


@pytest.mark.parametrize(
    ("words", "workers"),
    [
        ("", 2),
        ("--chip-speed 1e6,3e5,1e5 --batch-split by-speed", 3),
        ("--timeline", 3),
        ("--parallel sharded", 3),
    ],
)
def test_gradients_are_those_of_the_whole_batch(words, workers):
    """Compared as such, because AdamW forgives a factor that all gradients share."""
    finished = launch("naughty", "--gradients", "--global-batch", 50, *words.split(), workers=workers)
    assert max(record["off"] for record in finished.of("gradient")) < 1e-4


def test_sharding_divides_what_each_worker_keeps():
    whole = run("--steps", 2, workers=2).of("ended")[0]
    parts = [end["held"] for end in run("--steps", 2, "--parallel", "sharded", workers=2).of("ended")]
    for what in ("weights", "optimizer"):
        assert sum(part[what] for part in parts) == pytest.approx(whole["held"][what], rel=0.02)
        assert max(part[what] for part in parts) < 0.55 * whole["held"][what]
    # AdamW keeps two numbers for each weight.
    assert whole["held"]["optimizer"] == pytest.approx(2 * whole["held"]["weights"], rel=0.01)


def test_bytes_sent_are_those_of_a_ring():
    """All-reduce of n bytes among p workers in a ring sends 2 (p - 1) / p n from each."""
    few, many = (run("--steps", steps, workers=2).of("ended")[0] for steps in (5, 25))
    if many["sent"] is None:
        pytest.skip("this system does not count bytes sent")
    assert (many["sent"] - few["sent"]) / 20 == pytest.approx(many["held"]["weights"], rel=0.05)


@pytest.mark.skipif(bool(link.why_not()), reason=link.why_not() or "links can be slowed")
def test_a_slow_link_takes_the_time_that_its_rate_says():
    finished = run("--steps", 10, "--timeline", "--link-rate", 1e6, workers=2)
    size = finished.of("ended")[0]["held"]["weights"]  # in a ring of two, each sends as many bytes
    sending = [p.seconds for p in timeline.pieces(finished.records) if p.what == "communicate" and p.step > 2]
    assert np.median(sending) == pytest.approx(size / 1e6, rel=0.35)


# ------------------------------------------------------------------------------- where the time goes


def test_the_timeline_leaves_no_moment_out():
    finished = run("--steps", 12, "--timeline", workers=2)
    for step in finished.of("step"):
        stretches = step["pieces"]
        assert stretches[0][1] == step["began"]
        assert stretches[-1][2] == step["ended"]
        assert all(a[2] == b[1] for a, b in pairwise(stretches))
        assert [what for what, _, _ in stretches] == ["compute", "wait", "communicate", "compute"]
    found = timeline.pieces(finished.records)
    assert min(piece.start for piece in found) == 0
    shares = timeline.shares(found)
    assert set(shares) == {0, 1}
    for mine in shares.values():
        assert sum(mine.values()) == pytest.approx(1)
        assert mine["rest"] == 0


def test_all_workers_stop_waiting_together():
    """The wait of a step is over for everybody when the slowest has arrived, on one clock."""
    finished = run("--steps", 12, "--timeline", "--chip-speed", "3000,1000", workers=2)
    ends: dict[int, list[float]] = {}
    arrived: dict[int, list[float]] = {}
    for piece in timeline.pieces(finished.records):
        if piece.what == "wait":
            ends.setdefault(piece.step, []).append(piece.end)
            arrived.setdefault(piece.step, []).append(piece.start)
    assert all(min(ends[step]) >= max(arrived[step]) for step in ends)


def test_synchronous_training_pays_for_the_slowest_and_uneven_batches_win_it_back():
    """Two of four emulated chips are half as fast: even shares run at four slow ones, fitted at the sum."""
    speed = ("--steps", 14, "--timeline", "--chip-speed", "1000,1000,500,500")
    even = run(*speed, workers=4)
    fitted = run(*speed, "--batch-split", "by-speed", workers=4)
    slow, fast = (timeline.throughput(finished.records) for finished in (even, fitted))
    assert slow.workers == fast.workers == 4
    assert slow.samples_per_s < 2000
    assert fast.samples_per_s < 3000
    assert fast.samples_per_s > 1.1 * slow.samples_per_s
    waits = {rank: mine["wait"] for rank, mine in timeline.shares(timeline.pieces(even.records)).items()}
    assert min(waits[0], waits[1]) > 2 * max(waits[2], waits[3])


def test_an_emulated_chip_that_is_faster_than_the_core_is_owned_up_to():
    impossible = timeline.throughput(run("--steps", 8, "--chip-speed", 1e9, workers=2).records)
    possible = timeline.throughput(run("--steps", 8, "--chip-speed", 200, workers=2).records)
    assert impossible.late == 1
    assert possible.late < 1


def records(workers: int, seconds: list[float], samples: int = 10) -> list[dict]:
    began = [sum(seconds[:number]) for number in range(len(seconds) + 1)]
    return [
        {"kind": "step", "restart": 0, "rank": rank, "step": step, "began": time, "samples": samples}
        for step, time in enumerate(began)
        for rank in range(workers)
    ]


def test_throughput_and_efficiency_follow_from_the_times():
    one = timeline.throughput(records(1, [9, 9, 9, 2, 2, 2, 2, 2]))
    two = timeline.throughput(records(2, [9, 9, 9, 2.5, 2.5, 2.5, 2.5, 2.5]))
    assert one.samples_per_s == pytest.approx(5)
    assert two.samples_per_s == pytest.approx(8)
    assert timeline.efficiency([two, one]) == {2: pytest.approx(0.8), 1: pytest.approx(1)}
    uneven = timeline.throughput(records(1, [1] * 4 + [1, 2, 4] * 5))
    assert uneven.low < uneven.samples_per_s < uneven.high
    with pytest.raises(ValueError, match="too few"):
        timeline.throughput(records(1, [1] * 4))
    with pytest.raises(LookupError, match="one worker"):
        timeline.efficiency([two])
    with pytest.raises(LookupError, match="--timeline"):
        timeline.pieces(records(1, [1]))
    with pytest.raises(ValueError, match="no step is left"):
        timeline.shares([], skip=0)
    with pytest.raises(ValueError, match="not on 'sleep'"):
        timeline.Clock().mark("sleep")


# ------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize(("parallel", "workers"), [("data", 4), ("sharded", 2), ("pipeline", 2)])
def test_a_killed_worker_costs_at_most_an_interval_and_nothing_else(alone, tmp_path, parallel, workers):
    options = ("--steps", 30, "--parallel", parallel)
    undisturbed = losses(run(*options, workers=workers))
    crashed = run(
        *options, "--checkpoint", tmp_path, "--checkpoint-every", 8, "--die-at-step", 21, "--die-rank", 1,
        workers=workers, restarts=1,
    )  # fmt: skip
    (recovery,) = recoveries(crashed.records)
    assert recovery.resumed == 16
    assert 0 < recovery.lost <= 8
    # To the last bit: the steps that were done again, and all that followed.
    assert recovery.difference == 0
    assert losses(crashed) == undisturbed
    assert crashed.failures[0].rank == 1
    assert "SIGKILL" in crashed.failures[0].message


def test_without_a_checkpoint_a_restart_begins_anew(alone):
    crashed = run("--steps", 30, "--die-at-step", 11, "--die-rank", 0, workers=2, restarts=1)
    (recovery,) = recoveries(crashed.records)
    assert recovery.resumed == 0
    assert recovery.lost >= 11
    assert losses(crashed) == pytest.approx(alone, rel=1e-4)


def test_a_run_goes_on_with_other_workers_and_another_way(alone, tmp_path):
    saved = ("--checkpoint", tmp_path, "--checkpoint-every", 4)
    for steps, parallel, workers in ((4, "data", 2), (8, "sharded", 2), (12, "pipeline", 3)):
        finished = run("--steps", steps, "--parallel", parallel, *saved, workers=workers)
        if steps > 4:
            assert finished.of("restored")[0]["steps_done"] == steps - 4
        part = {step: alone[step] for step in range(steps - 4, steps)}
        assert losses(finished) == pytest.approx(part, rel=1e-4)
    with pytest.raises(WorkerFailed, match="belongs to another run"):
        run("--steps", 40, "--seed", 5, *saved)


# ------------------------------------------------------------------------------- the command line


def test_the_batch_of_a_step_depends_on_its_number_and_the_seed_alone():
    text = torch.arange(1000)
    assert torch.equal(train.rows_of(text, 3, 5, 8, 4), train.rows_of(text, 3, 5, 8, 4))
    assert not torch.equal(train.rows_of(text, 3, 5, 8, 4), train.rows_of(text, 3, 6, 8, 4))
    assert not torch.equal(train.rows_of(text, 3, 5, 8, 4), train.rows_of(text, 4, 5, 8, 4))
    rows = train.rows_of(text, 0, 0, 50, 4)
    assert rows.shape == (50, 5)
    assert torch.equal(rows[:, 1:] - rows[:, :-1], torch.ones(50, 4, dtype=torch.int64))


def test_the_last_symbol_of_the_text_can_be_predicted():
    text = torch.arange(6)
    seen = {int(row[-1]) for step in range(50) for row in train.rows_of(text, 0, step, 8, 4)}
    assert seen == {4, 5}


def asked(*words: str, workers: int = 2) -> argparse.Namespace:
    options = train.arguments(list(words))
    train.check(options, workers)
    return options


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--steps 0", "start at one"),
        ("--checkpoint-every 0", "start at one"),
        ("--global-batch 1", "no row for each"),
        ("--chip-speed 1,2,3", "3 chip speeds for 2 workers"),
        ("--chip-speed 5 --parallel sharded", "--parallel data only"),
        ("--timeline --parallel pipeline", "--parallel data only"),
        ("--batch-split by-speed", "needs --chip-speed"),
        ("--parallel pipeline --global-batch 100", "do not divide"),
    ],
)
def test_what_cannot_work_is_refused(words, says):
    with pytest.raises(ValueError, match=says):
        asked(*words.split())


def test_too_many_stages_are_refused():
    with pytest.raises(ValueError, match="6 layers cannot be cut into 7 stages"):
        asked("--parallel", "pipeline", workers=7)


def test_one_chip_speed_is_everybodys():
    assert asked("--chip-speed", "500").chip_speed == [500, 500]
    with pytest.raises(SystemExit):
        asked("--chip-speed", "-1")
