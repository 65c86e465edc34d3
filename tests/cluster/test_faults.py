"""Faults of every kind, put in for real: the job goes on from its checkpoint or says why it cannot."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from computegap.cluster import _processes, checkpoint
from computegap.cluster.launch import Finished, LaunchError, WorkerFailed, _hosts, launch, warm_up

SMALL = ("--width", 32, "--blocks", 2, "--global-batch", 32)


def losses(finished: Finished) -> dict[int, float]:
    """Loss of each step; all workers and all runs of a step have to agree to the last bit."""
    found: dict[int, float] = {}
    for step in finished.of("step"):
        assert found.setdefault(step["step"], step["loss"]) == step["loss"]
    return found


def workers_now() -> list[int]:
    """Process ids of the running job's workers, worker 0 first: the children of the helper's child."""
    below = _processes.descendants(_hosts[True].process.pid)
    return sorted(below[1:])


class Saboteur(threading.Thread):
    """Does something to the workers at moments drawn by chance, while a job runs."""

    def __init__(self, act: Callable[[list[int], int], None], ranks: list[int], pause, seed: int) -> None:
        super().__init__(daemon=True)
        self.act, self.ranks, self.pause = act, ranks, pause
        self.chance = random.Random(seed)
        self.done: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        for rank in self.ranks:
            before = workers_now()
            # A group of workers that is complete and is not the one that was sabotaged last.
            while not self.over.is_set():
                now = workers_now()
                if len(now) > max(self.ranks) and (not self.done or not set(now) & set(before)):
                    break
                time.sleep(0.01)
            if self.over.wait(self.chance.uniform(*self.pause)):
                return
            victims = workers_now()
            if len(victims) > rank:
                self.act(victims, rank)
                self.done.append(rank)

    def __enter__(self) -> Saboteur:
        warm_up()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


def kill(victims: list[int], rank: int) -> None:
    os.kill(victims[rank], signal.SIGKILL)


def test_every_worker_killed_at_random_moments_again_and_again(tmp_path):
    """Ten kills of one job, every worker two or three times, while starting, computing, waiting or saving."""
    every, steps = 10, 150
    options = (*SMALL, "--steps", steps, "--chip-speed", 2000)  # a step takes four milliseconds or more
    undisturbed = losses(launch("computegap.cluster.train", *options, workers=4))
    order = [0, 1, 2, 3, 0, 1, 2, 3, 0, 2]
    random.Random(7).shuffle(order)
    with Saboteur(kill, order, (0.15, 0.9), seed=7) as saboteur:
        finished = launch(
            "computegap.cluster.train", *options, "--checkpoint", tmp_path, "--checkpoint-every", every,
            workers=4, restarts=len(order), timeout=90,
        )  # fmt: skip
    assert len(saboteur.done) >= 8
    assert losses(finished) == undisturbed
    assert set(undisturbed) == set(range(steps))
    for recovery in checkpoint.recoveries(finished.records):
        assert 0 <= recovery.lost <= every
        assert not recovery.difference > 0
    assert len(finished.failures) == len(saboteur.done)
    # Each failure is laid at the door of the worker that was killed.
    assert [failure.rank for failure in finished.failures] == saboteur.done


def test_a_cut_link_is_survived_with_a_restart(tmp_path):
    finished = launch(
        "naughty", "--cut-after", 1.0, "--rank", 2, *SMALL, "--steps", 60, "--chip-speed", 250,
        "--checkpoint", tmp_path, workers=3, restarts=1, patience=5,
    )  # fmt: skip
    assert finished.of("cut")[0]["count"] >= 2
    assert finished.restarts == 1
    assert set(losses(finished)) == set(range(60))


def test_a_cut_link_without_a_restart_is_a_clear_error():
    began = time.monotonic()
    with pytest.raises(WorkerFailed, match=r"(?i)connection|peer|pipe|waited in vain"):
        launch(
            "naughty", "--cut-after", 0.5, "--rank", 1, *SMALL, "--steps", 500, "--chip-speed", 250,
            workers=2, patience=5, timeout=40,
        )  # fmt: skip
    assert time.monotonic() - began < 15


def test_a_worker_that_stands_still_is_given_up_and_replaced(tmp_path):
    """Stopped, not dead: its connections stay open, and only patience tells that it is lost."""

    def stop(victims: list[int], rank: int) -> None:
        os.kill(victims[rank], signal.SIGSTOP)

    options = (*SMALL, "--steps", 80, "--chip-speed", 1000, "--checkpoint", tmp_path)
    with Saboteur(stop, [1], (0.6, 0.8), seed=1) as saboteur:
        finished = launch("computegap.cluster.train", *options, workers=3, restarts=1, patience=2)
    assert saboteur.done == [1]
    assert set(losses(finished)) == set(range(80))
    (failure,) = finished.failures
    assert failure.rank == 1
    assert "did not answer" in failure.message or "SIGKILL" in failure.message


# ------------------------------------------------------------------------------- disks


def test_a_full_disk_at_a_checkpoint_loses_nothing_that_was_saved(tmp_path):
    options = (*SMALL, "--steps", 20, "--checkpoint", tmp_path, "--checkpoint-every", 5)
    undisturbed = losses(launch("computegap.cluster.train", *SMALL, "--steps", 20, workers=2))
    launch("computegap.cluster.train", *options[:-1], 5, "--steps", 10, workers=2)
    assert checkpoint.steps_saved(tmp_path) == [10, 5]
    with pytest.raises(WorkerFailed) as caught:
        launch("naughty", "--small-disk", 100_000, *options, workers=2)
    assert caught.value.rank == 0
    assert "no room for the checkpoint of step 15" in str(caught.value)
    assert "the one of step 10 is still good" in str(caught.value)
    assert checkpoint.newest(tmp_path).step == 10
    assert not list(Path(tmp_path).glob("*unfinished*"))
    # With room again, the same command goes on.
    finished = launch("computegap.cluster.train", *options, workers=2)
    assert losses(finished) == {step: undisturbed[step] for step in range(10, 20)}


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_used(tmp_path, damage):
    options = (*SMALL, "--checkpoint", tmp_path, "--checkpoint-every", 5)
    first = losses(launch("computegap.cluster.train", *options, "--steps", 10, workers=2))
    path = checkpoint.path_of(tmp_path, 10)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)
    finished = launch("computegap.cluster.train", *options, "--steps", 12, workers=2)
    (restored,) = finished.of("restored")
    assert restored["steps_done"] == 5
    assert "step-00000010" in restored["refused"][0]
    assert {step: loss for step, loss in losses(finished).items() if step < 10} == {
        step: first[step] for step in range(5, 10)
    }


def test_with_all_checkpoints_damaged_the_run_says_so_and_does_not_start_over(tmp_path):
    options = (*SMALL, "--checkpoint", tmp_path, "--checkpoint-every", 5, "--steps", 10)
    launch("computegap.cluster.train", *options, workers=1)
    for step in checkpoint.steps_saved(tmp_path):
        checkpoint.path_of(tmp_path, step).write_bytes(b"")
    with pytest.raises(WorkerFailed, match=r"no checkpoint in .* can be used") as caught:
        launch("computegap.cluster.train", *options, workers=2)
    assert caught.value.rank == 0
    assert isinstance(caught.value, LaunchError)
