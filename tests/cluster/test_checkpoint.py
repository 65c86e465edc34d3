"""A checkpoint is there whole or not at all, says when it was damaged, and the one before it is used then."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.cluster.checkpoint import (
    CheckpointError,
    CorruptCheckpoint,
    NoSpace,
    load,
    newest,
    path_of,
    recoveries,
    save,
    steps_saved,
    tidy,
)


def state(step: int, size: int = 100) -> dict:
    return {
        "weights": torch.full((size,), float(step)),
        "names": ["a", "b"],
        "group": {"rate": 0.1, "on": None},
    }


def test_what_was_saved_comes_back(tmp_path):
    save(tmp_path / "new" / "folder", 7, state(7))
    found = newest(tmp_path / "new" / "folder")
    assert found.step == 7
    assert found.refused == []
    assert torch.equal(found.state.pop("weights"), state(7)["weights"])
    assert found.state == {"names": ["a", "b"], "group": {"rate": 0.1, "on": None}}


def test_the_two_newest_are_kept(tmp_path):
    for step in (3, 10, 100, 20):
        save(tmp_path, step, state(step))
    assert steps_saved(tmp_path) == [100, 20]
    assert newest(tmp_path).step == 100
    save(tmp_path, 200, state(200), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == [path_of(tmp_path, 200).name]


def test_an_empty_or_missing_folder_has_none(tmp_path):
    assert newest(tmp_path) is None
    assert newest(tmp_path / "nowhere") is None
    with pytest.raises(FileNotFoundError):
        load(path_of(tmp_path, 1))


@pytest.mark.parametrize(("step", "keep"), [(-1, 2), (1, 0)])
def test_bad_requests_are_refused(tmp_path, step, keep):
    with pytest.raises(ValueError, match="steps start at zero"):
        save(tmp_path, step, state(1), keep)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed_and_the_one_before_is_used(place, flip):
    with tempfile.TemporaryDirectory() as folder:
        save(folder, 1, state(1))
        path = save(folder, 2, state(2))
        content = bytearray(path.read_bytes())
        first_line = content.index(b"\n") + 1
        # In the content; a changed head is the next test's.
        content[first_line + int(place * (len(content) - first_line))] ^= flip
        path.write_bytes(content)
        with pytest.raises(CorruptCheckpoint, match=r"step-00000002.*checksum"):
            load(path)
        found = newest(folder)
        assert found.step == 1
        assert "other bytes than were written" in found.refused[0]


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_short_is_refused_wherever_it_was_cut(share):
    with tempfile.TemporaryDirectory() as folder:
        save(folder, 1, state(1))
        path = save(folder, 2, state(2))
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(CorruptCheckpoint):
            load(path)
        assert newest(folder).step == 1


@pytest.mark.parametrize(
    "head", [b"", b"\n", b"PK\x03\x04", b"{}\n", b"[1]\n", b'{"is": "else"}\nxyz', b"\xff\n"]
)
def test_what_is_no_checkpoint_is_refused(tmp_path, head):
    path_of(tmp_path, 5).write_bytes(head)
    with pytest.raises(CorruptCheckpoint, match="does not begin as a checkpoint does"):
        load(path_of(tmp_path, 5))


def test_a_run_does_not_start_over_in_silence_when_all_are_damaged(tmp_path):
    for step in (1, 2):
        save(tmp_path, step, state(step)).write_bytes(b"gone")
    with pytest.raises(CorruptCheckpoint, match=r"step-00000002.*step-00000001.*empty the folder"):
        newest(tmp_path)


class Bad:
    def __reduce__(self):
        return os.mkdir, ("planted",)


def test_loading_executes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path, 1, {"x": Bad()})
    with pytest.raises(Exception, match=r"weights_only|Unsupported|Weights only"):
        load(path)
    assert not (tmp_path / "planted").exists()


# ------------------------------------------------------------------------------- a full disk


def test_a_full_disk_loses_nothing(tmp_path):
    """/dev/full answers every write as a full disk does: the kernel's own refusal."""
    save(tmp_path, 10, state(10))
    unfinished = path_of(tmp_path, 20).with_suffix(f".unfinished-{os.getpid()}")
    unfinished.symlink_to("/dev/full")
    with pytest.raises(NoSpace, match=r"step 20 .*No space left.*the one of step 10 is still good"):
        save(tmp_path, 20, state(20))
    assert Path("/dev/full").exists()
    assert not unfinished.is_symlink()
    assert newest(tmp_path).step == 10
    assert newest(tmp_path).refused == []
    save(tmp_path, 20, state(20))
    assert newest(tmp_path).step == 20


def test_a_limit_on_the_size_of_files_loses_nothing_either(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(NoSpace, match=r"step 10 .*there is none from before"):
            save(tmp_path, 10, state(10, 1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    assert issubclass(NoSpace, CheckpointError)


def test_other_troubles_with_files_are_not_called_a_full_disk(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"):
        save(tmp_path / "file", 1, state(1))


# ------------------------------------------------------------------------------- killed while writing


def test_a_writer_killed_at_any_moment_leaves_a_sound_newest(tmp_path):
    """A process that does nothing but save is killed again and again; the newest file always verifies."""
    code = f"""
        import torch
        from computegap.cluster.checkpoint import newest, save
        found = newest({str(tmp_path)!r})
        step = found.step if found else 0
        print("ready", flush=True)
        while True:
            step += 1
            save({str(tmp_path)!r}, step, {{"weights": torch.full((200_000,), float(step))}})
    """
    chance = random.Random(4)
    reached = 0
    program = [sys.executable, "-c", textwrap.dedent(code)]
    # Started beforehand: importing torch takes most of the time.
    for _ in range(2):
        writer = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert writer.stdout.readline() == "ready\n"
        for _ in range(10):
            time.sleep(chance.uniform(0.005, 0.05))
            writer.send_signal(signal.SIGSTOP)
            found = newest(tmp_path)  # as a reader would find it, were the writer killed now
            writer.send_signal(signal.SIGCONT)
            if found:
                assert found.refused == []
                assert found.state["weights"].unique().tolist() == [float(found.step)]
                assert found.step >= reached
                reached = found.step
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert newest(tmp_path).step >= reached
    assert reached > 3
    tidy(tmp_path)
    assert len(list(tmp_path.iterdir())) <= 3
    assert not list(tmp_path.glob("*unfinished*"))


def test_what_killed_writers_left_is_removed(tmp_path):
    save(tmp_path, 1, state(1))
    (tmp_path / "step-00000002.unfinished-77").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    assert tidy(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "step-00000001.ckpt"]


# ------------------------------------------------------------------------------- what a restart cost


def steps(
    restart: int, first: int, last: int, start: float, loss=lambda step: 1 / (step + 1), rank=0
) -> list[dict]:
    return [
        {
            "kind": "step", "rank": rank, "restart": restart, "step": step, "loss": loss(step),
            "began": start + step - first, "ended": start + step - first + 0.5,
        }
        for step in range(first, last)
    ]  # fmt: skip


def test_what_a_restart_cost_is_read_from_the_records():
    records = [
        *steps(0, 0, 28, 0.0),
        *steps(0, 0, 27, 0.0, rank=1),
        *steps(1, 20, 33, 30.0),
        *steps(2, 30, 40, 50.0),
    ]
    first, second = recoveries(records)
    assert (first.restart, first.reached, first.resumed, first.lost) == (1, 28, 20, 8)
    assert first.seconds == pytest.approx(30 - 27.5)
    assert first.difference == 0.0
    assert (second.reached, second.resumed, second.lost) == (33, 30, 3)


def test_a_loss_that_differs_is_seen():
    records = [*steps(0, 0, 10, 0.0), *steps(1, 5, 12, 20.0, loss=lambda step: 1 / (step + 1) + (step == 7))]
    assert recoveries(records)[0].difference == pytest.approx(1)
    assert recoveries(steps(0, 0, 10, 0.0)) == []
