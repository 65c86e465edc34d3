"""Launching from a notebook: it works, says what went wrong, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from computegap.cluster import _processes, records
from computegap.cluster.launch import (
    Failure,
    JobTimedOut,
    LaunchError,
    WorkerFailed,
    _causes,
    _hosts,
    _plainly,
    launch,
    shut_down,
    warm_up,
)

HERE = Path(__file__).parent


def helper() -> int:
    return _hosts[True].process.pid


# ------------------------------------------------------------------------------- a run that goes well


@pytest.mark.parametrize(("workers", "nodes"), [(1, 1), (4, 1), (2, 2)])
def test_workers_add_up_and_differentiate(workers, nodes):
    finished = launch("naughty", workers=workers, nodes=nodes, timeout=40)
    everybody = workers * nodes
    assert len(finished.of("step")) == 4 * everybody
    assert {step["total"] for step in finished.of("step")} == {everybody * (everybody + 1) / 2}
    assert {step["gradient"] for step in finished.of("step")} == {(everybody + 1) / 2}
    assert {step["threads"] for step in finished.of("step")} == {1}
    assert {end["rank"] for end in finished.of("ended")} == set(range(everybody))
    assert {end["workers"] for end in finished.of("ended")} == {everybody}
    assert finished.failures == []
    assert finished.restarts == 0
    assert all(f"hello from worker {rank}" in finished.output for rank in range(everybody))


def test_the_helper_has_no_threads_that_a_copy_would_lack():
    warm_up()
    launch("naughty", workers=2)
    assert len(os.listdir(f"/proc/{helper()}/task")) == 1


def test_what_nobody_reported_is_named():
    finished = launch("naughty", workers=1)
    with pytest.raises(LookupError, match="reported: ended, step"):
        finished.of("loss")


def test_launches_from_threads_wait_for_one_another():
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(launch("naughty", workers=2, timeout=30)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(finished.records) for finished in found] == [10, 10, 10]


def test_four_workers_fit_on_binder():
    """Binder gives a session two gigabytes, of which the notebook's server and its kernel need their part."""
    highest, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            highest[0] = max(highest[0], _processes.memory(_processes.descendants(os.getpid())))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        launch("computegap.cluster.train", "--steps", 30, workers=4)
    finally:
        done.set()
        watcher.join()
    assert 100e6 < highest[0] < 900e6


# ------------------------------------------------------------------------------- a run that doesn't


@pytest.mark.parametrize("rank", [0, 2])
def test_the_failing_workers_message_is_the_error(rank):
    with pytest.raises(WorkerFailed) as caught:
        launch("naughty", "--how", "raise", "--rank", rank, workers=3)
    assert caught.value.rank == rank
    assert caught.value.message == "ValueError: the data of this worker are bad"
    assert str(caught.value) == f"Worker {rank} failed after it had reported step 1: {caught.value.message}"
    assert "misbehave" in caught.value.traceback
    assert caught.value.traceback in caught.value.__notes__[0]
    assert {record["rank"] for record in caught.value.records} == {0, 1, 2}
    assert "hello from worker" in caught.value.output


@pytest.mark.parametrize(("how", "says"), [("kill", "SIGKILL"), ("exit", "exit code 7")])
def test_a_worker_that_dies_without_a_word_is_named(how, says):
    with pytest.raises(WorkerFailed, match=says) as caught:
        launch("naughty", "--how", how, "--rank", 1, workers=3)
    assert caught.value.rank == 1
    assert caught.value.traceback == ""


def test_a_fresh_interpreter_does_the_same_but_takes_longer():
    def failing(warm: bool) -> tuple[WorkerFailed, float]:
        began = time.monotonic()
        with pytest.raises(
            WorkerFailed, match="after it had reported step 1: ValueError: the data"
        ) as caught:
            launch("naughty", "--how", "raise", "--rank", 1, workers=2, warm=warm, env={"SAID": "hello"})
        return caught.value, time.monotonic() - began

    warm_up()
    launch("naughty", workers=1)
    (warm, quick), (cold, slow) = failing(True), failing(False)
    assert warm.rank == cold.rank == 1
    assert [r["step"] for r in warm.records] == [r["step"] for r in cold.records]
    # What the copied process is for.
    assert quick < slow / 2


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_restart_makes_a_failure_good_and_is_told(nodes):
    finished = launch(
        "naughty", "--how", "kill", "--once", workers=4 // nodes, nodes=nodes, restarts=1, timeout=40
    )
    assert finished.restarts == 1
    assert [(failure.rank, failure.restart, failure.step) for failure in finished.failures] == [(1, 0, 1)]
    assert len([step for step in finished.of("step") if step["restart"] == 1]) == 16


def test_when_restarts_are_used_up_the_last_failure_is_the_error():
    with pytest.raises(WorkerFailed, match="after restart 2") as caught:
        launch("naughty", "--how", "raise", workers=2, restarts=2, timeout=40)
    assert [failure.restart for failure in caught.value.failures] == [0, 1, 2]


def test_a_run_that_hangs_is_ended_in_time():
    began = time.monotonic()
    with pytest.raises(JobTimedOut, match="worker 1 had reported step 1") as caught:
        launch("naughty", "--how", "hang", workers=2, timeout=2.5, patience=60)
    assert 2.5 <= time.monotonic() - began < 5.5
    assert isinstance(caught.value, TimeoutError)
    assert launch("naughty", workers=2).of("ended")


def test_a_program_that_leaves_a_process_behind_leaves_none():
    launch("naughty", "--how", "orphan", workers=2)  # the watch of every test sees to the rest


def test_a_program_without_main_or_with_a_slip_of_the_pen_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "without_main.py").write_text("x = 1\n")
    (tmp_path / "with_slip.py").write_text("def main(argv):\n    pass\n\nnot_defined\n")
    with pytest.raises(WorkerFailed, match=r"no function main\(argv\)"):
        launch("without_main")
    with pytest.raises(WorkerFailed, match=r"NameError.*not_defined"):
        launch("with_slip")


def test_a_program_is_run_as_it_is_now_and_not_as_it_was(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "from computegap.cluster.records import emit\n\ndef main(argv):\n    emit('said', what={!r})\n"
    for what in ("one", "three"):
        (tmp_path / "changing.py").write_text(text.format(what))
        assert launch("changing", workers=1).of("said")[0]["what"] == what


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "one worker"),
        ({"nodes": 0}, "one node"),
        ({"restarts": -1}, "from zero"),
        ({"timeout": 0}, "positive number of seconds"),
        ({"timeout": float("nan")}, "positive number of seconds"),
    ],
)
def test_bad_requests_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        launch("naughty", **options)


def test_a_system_that_cannot_copy_processes_says_so(monkeypatch):
    monkeypatch.setattr(_processes, "LINUX", False)
    with pytest.raises(ValueError, match="cannot safely copy a process"):
        launch("naughty", warm=True)
    warm_up()  # nothing to warm up there, and no error either


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps, which systems without /proc are asked through")
def test_descendants_are_found_without_proc_too(monkeypatch):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        for linux in (True, False):
            monkeypatch.setattr(_processes, "LINUX", linux)
            until = time.monotonic() + 5
            while len(_processes.descendants(child.pid)) < 1 and time.monotonic() < until:
                time.sleep(0.05)
            assert child.pid in _processes.descendants(os.getpid())
            assert len(_processes.descendants(child.pid)) == 1
        child.communicate(b"\n")


@pytest.mark.parametrize("name", ["no_such_program", "computegap.no_such.program"])
def test_a_program_that_isnt_there_is_refused(name):
    with pytest.raises(LookupError, match=f"no module '{name}'"):
        launch(name)


# ------------------------------------------------------------------------------- ends from outside


def test_a_helper_that_is_killed_takes_its_job_along_and_is_replaced():
    warm_up()
    launch("naughty", workers=1)
    victim = helper()
    timer = threading.Timer(1.5, lambda: os.kill(victim, signal.SIGKILL))
    timer.start()
    with pytest.raises(LaunchError, match="helper process"):
        launch("naughty", "--how", "hang", workers=2, timeout=20, patience=60)
    timer.join()
    assert launch("naughty", workers=2).of("ended")


def test_a_helper_that_does_not_get_ready_is_given_up(monkeypatch):
    shut_down()
    monkeypatch.setattr("computegap.cluster.launch.START_LIMIT", 0.2)
    with pytest.raises(LaunchError, match=r"could not import torch in 0\.2 s"):
        launch("naughty")
    assert not _hosts
    monkeypatch.undo()


def test_an_agent_that_is_killed_is_told(eventually):
    launch("naughty", workers=1)

    def kill() -> None:
        assert eventually(lambda: len(_processes.descendants(helper())) >= 3)
        time.sleep(0.5)
        os.kill(_processes.descendants(helper())[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(WorkerFailed, match="ended from outside"):
        launch("naughty", "--how", "hang", workers=2, timeout=20, patience=60)
    killer.join()


SCRIPT = """
    import sys
    sys.path.insert(0, {here!r})
    from computegap.cluster.launch import launch

    def hang():
        print("begun", flush=True)
        launch("naughty", "--how", "hang", workers=2, timeout=60, patience=60, warm={warm})

    if {interrupted}:
        launch("naughty", workers=1)
        try:
            hang()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(len(launch("naughty", workers=2).of("ended")), flush=True)
    hang()
"""


def notebooks_like(folder: Path, warm: bool, interrupted: bool) -> subprocess.Popen[str]:
    """A process that launches jobs as a notebook would, and waits for one that hangs."""
    code = textwrap.dedent(SCRIPT.format(here=str(HERE), warm=warm, interrupted=interrupted))
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def test_an_interrupt_ends_the_job_only_and_a_kill_ends_everything(processes_of, eventually, tmp_path):
    process = notebooks_like(tmp_path, warm=True, interrupted=True)
    assert process.stdout.readline() == "begun\n"
    # Helper, agent, two workers; an interrupt reaches the whole foreground group, as in a notebook.
    assert eventually(lambda: len(processes_of(process.pid)) >= 4, 20)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert len(processes_of(process.pid)) == 1
    assert process.stdout.readline() == "2\n"
    assert process.stdout.readline() == "begun\n"
    assert eventually(lambda: len(processes_of(process.pid)) >= 4, 20)
    time.sleep(0.5)
    process.kill()
    process.wait()
    process.stdout.close()
    assert eventually(lambda: not processes_of(process.pid))
    assert eventually(lambda: not list(tmp_path.glob("computegap-*")))


def test_fresh_interpreters_end_with_a_notebook_that_is_killed_too(processes_of, eventually, tmp_path):
    process = notebooks_like(tmp_path, warm=False, interrupted=False)
    # Helper, agent, and both workers, which are in the middle of importing torch.
    assert eventually(lambda: len(processes_of(process.pid)) >= 4, 30)
    process.kill()
    process.wait()
    process.stdout.close()
    assert eventually(lambda: not processes_of(process.pid))
    assert eventually(lambda: not list(tmp_path.glob("computegap-*")))


def test_a_notebook_that_dies_after_it_has_stopped_a_job_leaves_no_files(tmp_path, monkeypatch, eventually):
    """As at a restart of the kernel: an interrupt, and the kill before the notebook has cleared up."""
    shut_down()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # the notebook's hands are tied
    with pytest.raises(JobTimedOut):
        launch("naughty", "--how", "hang", workers=2, timeout=1.5, patience=60)
    assert list(tmp_path.glob("computegap-*"))
    shut_down()
    assert eventually(lambda: not list(tmp_path.glob("computegap-*")))


def test_runs_leave_no_files_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    launch("naughty", workers=2)
    with pytest.raises(WorkerFailed):
        launch("naughty", "--how", "raise", workers=2)
    with pytest.raises(JobTimedOut):
        launch("naughty", "--how", "hang", workers=2, timeout=1.5, patience=60)
    assert list(tmp_path.iterdir()) == []


def test_from_a_notebook(processes_of, eventually):
    cells = [
        f"import os, sys; sys.path.insert(0, {str(HERE)!r}); print(os.getpid())",
        "from computegap.cluster.launch import launch, WorkerFailed, JobTimedOut",
        "print(len(launch('naughty', workers=4).of('ended')))",
        "try:\n    launch('naughty', '--how', 'raise', workers=2)\nexcept WorkerFailed as e:\n    print(e)",
        "try:\n    launch('naughty', '--how', 'hang', workers=2, timeout=2, patience=9)\n"
        "except JobTimedOut as e:\n    print(e)",
        "try:\n    launch('naughty', '--how', 'hang', workers=2, timeout=60)\n"
        "except KeyboardInterrupt:\n    print('interrupted')",
        "print(len(launch('naughty', workers=2).of('ended')))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    kernel = 0
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            if number == 5:
                # As Jupyter does it: the whole process group of the kernel hears it.
                threading.Timer(1.5, os.killpg, (os.getpgid(kernel), signal.SIGINT)).start()
            client.execute_cell(cell, number)
            if number == 0:
                kernel = int(cell.outputs[0].text)
        assert len(processes_of(kernel)) == 1
    said = ["".join(output.text for output in cell.outputs if "text" in output) for cell in notebook.cells]
    assert said[2] == "4\n"
    assert (
        said[3]
        == "Worker 1 failed after it had reported step 1: ValueError: the data of this worker are bad\n"
    )
    assert said[4].startswith("The job was ended after 2 s")
    assert said[5] == "interrupted\n"
    assert said[6] == "2\n"
    assert eventually(lambda: not processes_of(kernel))


def test_helpers_end_when_told(processes_of):
    warm_up()
    launch("naughty", workers=1)
    shut_down()
    assert not processes_of(os.getpid())
    shut_down()


# ------------------------------------------------------------------------------- records, blame


def test_records_outside_of_a_run_are_printed(capsys, monkeypatch):
    monkeypatch.delenv(records.RUN_DIR, raising=False)
    monkeypatch.setenv("RANK", "3")
    records.emit("step", step=1, loss=0.5)
    assert json.loads(capsys.readouterr().out) == {
        "kind": "step", "rank": 3, "restart": 0, "step": 1, "loss": 0.5,
    }  # fmt: skip
    with pytest.raises(ValueError, match="filled in"):
        records.emit("step", rank=2)
    with pytest.raises(TypeError, match="not object"):
        records.emit("step", what=object())


numbers = st.floats(allow_nan=False) | st.integers(-(2**60), 2**60) | st.text() | st.lists(st.integers())


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), numbers), max_size=20),
    torn=st.integers(1, 30),
)
def test_a_torn_last_line_loses_itself_only(rows, torn):
    with tempfile.TemporaryDirectory() as folder:
        written = []
        for rank, restart, value in rows:
            record = {"kind": "x", "rank": rank, "restart": restart, "value": value}
            written.append(record)
            with open(Path(folder, f"rank-{rank}.{restart}.jsonl"), "a") as file:
                file.write(json.dumps(record) + "\n")
        tail = json.dumps({"kind": "torn", "rank": 0, "restart": 0})
        with open(Path(folder, "rank-0.0.jsonl"), "a") as file:
            file.write(tail[: min(torn, len(tail) - 1)])
        found = records.read(folder)
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, written))
    assert [(r["restart"], r["rank"]) for r in found] == sorted((r["restart"], r["rank"]) for r in found)


def blamed(*workers: tuple[int, str | None]) -> Failure:
    """Whom a failure is blamed on; each worker's exit code and message, in the order in which they ended."""
    failures = [
        {"attempt": 0, "rank": rank, "code": code, "message": message, "traceback": None, "time": float(rank)}
        for rank, (code, message) in enumerate(workers)
    ]
    return _causes(failures, [])[0]


CLOSED = (
    "RuntimeError: [/x/gloo/pair.cc:5] Connection closed by peer [127.0.0.1]:1. This is typically caused by"
)
WAITED = "RuntimeError: [/x/gloo/buffer.cc:78] Timed out waiting 2000ms for recv operation to complete"


@pytest.mark.parametrize(
    ("workers", "rank"),
    [
        ([(1, CLOSED), (1, "KeyError: 3"), (1, CLOSED)], 1),
        ([(1, CLOSED), (1, CLOSED), (-9, None)], 2),
        ([(1, CLOSED), (-15, None), (-11, None)], 2),
        ([(1, WAITED), (1, CLOSED), (-15, None)], 2),
        ([(1, CLOSED), (-15, None), (-15, None)], 0),
        ([(-15, None), (1, "ValueError: the store is empty")], 1),
        ([(-15, None), (1, "RuntimeError: Connection reset by peer"), (-9, None)], 2),
    ],
)
def test_the_cause_and_not_its_victims_is_blamed(workers, rank):
    assert blamed(*workers).rank == rank


def test_messages_are_told_plainly():
    assert _plainly(CLOSED) == "RuntimeError: Connection closed by peer [127.0.0.1]:1."
    assert "did not answer" in blamed((1, WAITED), (-15, None)).message
