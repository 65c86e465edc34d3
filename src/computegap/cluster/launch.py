"""Start a program on several workers from a notebook, and be sure that it ends.

:func:`launch` is torchrun for notebooks. The engine is torch's own elastic agent, given the very arguments
that torchrun would get; the program is an ordinary module that runs under plain ``torchrun -m`` as well, on a
laptop or on a cluster. What is added is what a notebook needs: a free port, a hard limit of time, an end of
all processes in whatever way the run ends, the failing worker's own message as the error, and a quick start.

The quick start: importing torch takes seconds, on every worker, each time. Where processes can be copied
(Linux), a helper process beside the kernel imports torch once, and every job is a copy of it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from computegap.cluster import _processes, records

#: In the environment of every process that a launch starts: the process that asked for it.
TAG = "COMPUTEGAP_LAUNCHED_BY"

#: Seconds until the helper must have imported torch; slow disks and busy machines need a while.
START_LIMIT = 120.0


@dataclass(frozen=True)
class Failure:
    """How one worker failed.

    Attributes
    ----------
    rank : int or None
        Which worker; None if the job failed before its workers had started.
    restart : int
        How many times the job had been restarted before.
    step : int or None
        The last step that the worker had reported.
    message : str
        What it said, or which signal ended it.
    traceback : str
        Where in the program it happened; empty if the worker was killed.
    """

    rank: int | None
    restart: int
    step: int | None
    message: str
    traceback: str = ""

    def __str__(self) -> str:
        who = "The job" if self.rank is None else f"Worker {self.rank}"
        when = "" if self.step is None else f" after it had reported step {self.step}"
        again = f", in its run after restart {self.restart}" if self.restart else ""
        return f"{who} failed{when}{again}: {self.message}"


@dataclass(frozen=True)
class Finished:
    """A run that came to its end.

    Attributes
    ----------
    records : list of dict
        What every worker reported with :func:`computegap.cluster.records.emit`.
    seconds : float
        From the request until all processes were gone, without the helper's own start.
    output : str
        What the workers and the agents printed, mixed as it came.
    failures : list of Failure
        Failures that a restart made good, in order; empty for an undisturbed run. What a worker met because
        another had failed is left out.
    """

    records: list[dict[str, Any]]
    seconds: float
    output: str = ""
    failures: list[Failure] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Records of one kind. LookupError if there are none, with the kinds that there are."""
        found = [record for record in self.records if record["kind"] == kind]
        if not found:
            kinds = sorted({record["kind"] for record in self.records})
            raise LookupError(f"no worker reported {kind!r}; they reported: {', '.join(kinds) or 'nothing'}")
        return found

    @property
    def restarts(self) -> int:
        """How many times the workers were started anew."""
        return max((record["restart"] for record in self.records), default=0)


class LaunchError(RuntimeError):
    """A run that did not come to its end; ``records`` and ``output`` hold what there was until then."""

    def __init__(self, message: str, records: list[dict[str, Any]] | None = None, output: str = "") -> None:
        super().__init__(message)
        self.records = records or []
        self.output = output


class WorkerFailed(LaunchError):
    """A worker failed and no restart was left.

    Attributes
    ----------
    rank : int or None
        Which worker failed first.
    message : str
        Its own message.
    traceback : str
        Where in the program it happened.
    failures : list of Failure
        This failure last, and before it those that a restart had made good.
    """

    def __init__(
        self, failures: list[Failure], records: list[dict[str, Any]] | None = None, output: str = ""
    ) -> None:
        last = failures[-1]
        super().__init__(str(last), records, output)
        self.failures = failures
        self.rank, self.message, self.traceback = last.rank, last.message, last.traceback
        if last.traceback:
            self.add_note(f"In the worker:\n{last.traceback}")


class JobTimedOut(LaunchError, TimeoutError):
    """A run took longer than it was given, and was ended."""


def launch(
    program: str,
    *arguments: object,
    workers: int = 2,
    nodes: int = 1,
    timeout: float = 60.0,
    restarts: int = 0,
    patience: float | None = None,
    env: dict[str, str] | None = None,
    warm: bool | None = None,
) -> Finished:
    """Run a program on several workers, as ``torchrun --nproc-per-node WORKERS -m PROGRAM`` does, and wait.

    However it ends, by itself, by an error, by the limit of time, by an interrupt of the notebook or with the
    death of its kernel, no process stays behind. Jobs from several threads run one after another.

    Parameters
    ----------
    program : str
        A module to import, such as ``"computegap.cluster.train"``, with a function ``main(argv)`` and, for
        plain torchrun, the usual last two lines that call it.
    *arguments
        The program's command line; turned into texts.
    workers : int
        Processes on each node.
    nodes : int
        Agents that meet over the loopback interface, as those of as many machines would over a network.
    timeout : float
        Seconds until everything is ended. The helper's own start, once in a notebook, comes before.
    restarts : int
        How many times all workers are started anew after one has failed.
    patience : float or None
        Seconds that a worker waits for another before it takes it for lost, see
        :func:`computegap.cluster.worker.joined`. None: 20, or half the time limit if that is shorter.
    env : dict or None
        Variables to set for the workers.
    warm : bool or None
        Copy a process that has torch in memory (True), start fresh interpreters (False), or whichever this
        system is able to (None).

    Raises
    ------
    ValueError
        If a number is out of range, or ``warm`` is asked for where processes cannot be copied.
    LookupError
        If there is no such module.
    WorkerFailed
        If a worker failed more often than there were restarts; says which one and why.
    JobTimedOut
        If the time was over first; says how far each worker had come.
    """
    if workers < 1 or nodes < 1:
        raise ValueError(f"a job needs one worker and one node or more, got {workers!r} and {nodes!r}")
    if restarts < 0:
        raise ValueError(f"restarts are counted from zero, got {restarts!r}")
    if not timeout > 0:
        raise ValueError(f"the time limit is a positive number of seconds, got {timeout!r}")
    if warm and not _processes.LINUX:
        raise ValueError("this system cannot safely copy a process that has loaded torch; leave warm out")
    _find(program)
    warm = _processes.LINUX if warm is None else warm
    words = [str(argument) for argument in arguments]
    patience = min(20.0, timeout / 2) if patience is None else patience
    variables = _environment(patience, env or {})
    with _lock:
        for last_try in (False, False, True):
            folder = tempfile.mkdtemp(prefix="computegap-")
            try:
                request = {
                    "program": program,
                    "arguments": words,
                    "folder": folder,
                    "output": str(Path(folder, "output.txt")),
                    "torchrun": [
                        _torchrun(program, words, workers, nodes, node, port, restarts, folder, warm)
                        for port in [_free_port()]
                        for node in range(nodes)
                    ],
                    "env": variables | {records.RUN_DIR: folder},
                    "cwd": os.getcwd(),
                    "path": [entry or os.getcwd() for entry in sys.path],
                }
                seconds = _run(request, warm, timeout)
                return _collect(Path(folder), nodes, seconds)
            except _TimeOver:
                raise _timed_out(Path(folder), timeout, nodes * workers) from None
            except _PortTaken:
                if last_try:
                    raise
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    raise AssertionError("not reached")


def warm_up() -> None:
    """Let the helper begin to import torch now, so that the first launch need not wait; returns at once."""
    if _processes.LINUX:
        with _lock:
            _host(True)


def shut_down() -> None:
    """End the helper processes and give their memory back; the next launch starts them again."""
    with _lock:
        for warm in list(_hosts):
            _hosts.pop(warm).close()


# ------------------------------------------------------------------------------- what is asked for


def _find(program: str) -> None:
    try:
        found = importlib.util.find_spec(program)
    except (ImportError, ValueError) as error:
        raise LookupError(f"there is no module {program!r} to run: {error}") from None
    if found is None:
        raise LookupError(
            f"there is no module {program!r} to run. Workers import the program, so it has to be a module, "
            "such as 'computegap.cluster.train', and not a function of the notebook."
        )


def _environment(patience: float, extra: dict[str, str]) -> dict[str, str]:
    """The notebook's environment with what workers need; ``extra`` has the last word."""
    loopback = [name for _, name in socket.if_nameindex() if name in {"lo", "lo0"}]
    mine = {
        # A core is shared by workers already; more threads would only wait for one another.
        "OMP_NUM_THREADS": "1",
        "COMPUTEGAP_PATIENCE": str(patience),
        "PYTHONUNBUFFERED": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        # Sharing one store between an agent and all runs of its workers leaves the addresses of dead workers
        # in it, and a restart calls those (pytorch issue 135712).
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        TAG: str(os.getpid()),
    }
    if loopback:
        mine["GLOO_SOCKET_IFNAME"] = loopback[0]
    # A notebook that itself runs under torchrun must not pass on who it is there.
    theirs = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK"}
    kept = {k: v for k, v in os.environ.items() if k not in theirs and not k.startswith("TORCHELASTIC_")}
    return kept | mine | {name: str(value) for name, value in extra.items()}


def _torchrun(
    program: str,
    words: list[str],
    workers: int,
    nodes: int,
    node: int,
    port: int,
    restarts: int,
    folder: str,
    warm: bool,
) -> list[str]:
    """Torchrun's command line for one node."""
    if nodes == 1:
        meeting = ["--standalone"]
    else:
        meeting = [
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint=127.0.0.1:{port}",
            f"--rdzv-id=computegap-{port}",
            f"--rdzv-conf=is_host={str(node == 0).lower()},timeout={START_LIMIT:.0f}",
        ]
    return [
        *meeting,
        f"--nnodes={nodes}",
        f"--nproc-per-node={workers}",
        f"--max-restarts={restarts}",
        "--local-addr=127.0.0.1",
        "--monitor-interval=0.05",
        f"--start-method={'fork' if warm else 'spawn'}",
        f"--log-dir={folder}/node-{node}",
        "-m",
        program,
        *words,
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ------------------------------------------------------------------------------- the helper
# process


class _TimeOver(Exception):
    pass


class _PortTaken(RuntimeError):
    pass


class _Host:
    """The notebook's end of a helper process."""

    def __init__(self, warm: bool) -> None:
        self.owner = os.getpid()
        self.ready = False
        self.buffer = b""
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self.control, theirs = socket.socketpair()
        one_thread = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = dict(os.environ) | dict.fromkeys(one_thread, "1") | {TAG: str(os.getpid())}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "computegap.cluster._host", str(theirs.fileno()), _kind(warm)],
                stdin=subprocess.DEVNULL,
                stdout=self.complaints,
                stderr=self.complaints,
                env=environment,
                pass_fds=[theirs.fileno()],
                # Out of the reach of signals that are meant for the notebook.
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self.owner == os.getpid() and self.process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def hear(self, until: float) -> str:
        """Wait for the helper's next word; _TimeOver when the time is, LaunchError when it is gone."""
        while b"\n" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.control], [], [], left)[0]:
                raise _TimeOver
            data = self.control.recv(1 << 16)
            if not data:
                raise LaunchError(f"the helper process that starts workers has ended: {self.said()}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)["state"]

    def said(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read().decode(errors="replace").strip()[-2000:] or "it said nothing"

    def close(self, patience: float = 5.0) -> None:
        """End the helper and all that it started."""
        with contextlib.suppress(OSError):
            self.control.close()
        if self.owner != os.getpid():
            return
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            # It should have gone by itself; then its jobs go with it, as they asked the kernel to.
            for pid in [*_processes.descendants(self.process.pid), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(patience)
        self.complaints.close()


_lock = threading.RLock()
_hosts: dict[bool, _Host] = {}


def _kind(warm: bool) -> str:
    return "warm" if warm else "cold"


def _host(warm: bool) -> _Host:
    """The helper, started if need be."""
    host = _hosts.get(warm)
    if host is None or not host.alive:
        if host is not None:
            host.close(0.1)
        host = _hosts[warm] = _Host(warm)
    return host


atexit.register(shut_down)


def _run(request: dict[str, Any], warm: bool, timeout: float) -> float:
    """Have the helper run a job to its end; returns the seconds it took. _TimeOver if they are too many."""
    host = _host(warm)
    try:
        if not host.ready:
            _wait_until_ready(host)
        began = time.monotonic()
        host.send(request)
        host.hear(began + timeout)
        return time.monotonic() - began
    except BaseException as reason:
        # Also for KeyboardInterrupt: whatever happens here, the job ends.
        _stop(host, warm)
        if isinstance(reason, OSError):
            raise LaunchError(f"the helper process that starts workers has ended: {reason}") from None
        raise


def _wait_until_ready(host: _Host) -> None:
    try:
        host.hear(time.monotonic() + START_LIMIT)
    except _TimeOver:
        raise LaunchError(f"the helper process could not import torch in {START_LIMIT:g} s") from None
    host.ready = True


def _stop(host: _Host, warm: bool) -> None:
    """End the running job, and the helper with it if it doesn't answer."""
    stopped = False
    with _uninterrupted():
        with contextlib.suppress(OSError, LaunchError, _TimeOver):
            if host.ready:
                host.send({"stop": True})
                # The job may have ended just before it was told to: then there are two answers.
                until = time.monotonic() + 15
                while host.hear(until) != "stopped":
                    pass
                stopped = True
        if not stopped:
            _hosts.pop(warm, None)
            host.close(2.0)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off an interrupt from the keyboard until a block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


# ------------------------------------------------------------------------------- how it ended


def _collect(folder: Path, nodes: int, seconds: float) -> Finished:
    """What the workers reported; WorkerFailed if the job failed."""
    found = records.read(folder)
    output = _text(folder / "output.txt")
    reports = []
    for node in range(nodes):
        text = _text(folder / f"agent-{node}.json")
        reports.append(json.loads(text) if text else None)
    errors = [report["error"] for report in reports if report and report["error"]]
    if any("EADDRINUSE" in error["traceback"] for error in errors) and nodes > 1:
        raise _PortTaken("no free port was found to meet at; other programs on this machine took them all")
    failures = _causes([failure for report in reports if report for failure in report["failures"]], found)
    failed = any(report and report.get("failed") for report in reports)
    if not failed and all(report and not report["error"] for report in reports):
        return Finished(found, seconds, output, failures)
    if not failed:
        error = errors[0] if errors else {"message": "its agent was ended from outside", "traceback": ""}
        failures = [*failures, Failure(None, 0, None, error["message"], error["traceback"])]
    elif not failures:
        failures = [Failure(None, 0, None, "no worker left a word; see the output", "")]
    raise WorkerFailed(failures, found, output)


def _causes(failures: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[Failure]:
    """The worker that failed first, for each time that the job failed.

    When one worker goes, its neighbours find their connections broken and fail as well. So the cause is: the
    earliest error that isn't about a connection; else a worker that was killed; else one that stayed silent
    while the others waited in vain; else the earliest of all.
    """
    causes = []
    for attempt in sorted({failure["attempt"] for failure in failures}):
        together = sorted((f for f in failures if f["attempt"] == attempt), key=lambda f: f["time"])
        in_vain = any("imed out waiting" in (failure["message"] or "") for failure in together)
        cause = min(together, key=lambda failure, in_vain=in_vain: _blame(failure, in_vain))
        step = None
        for record in found:
            if record["rank"] == cause["rank"] and record["restart"] == attempt and "step" in record:
                step = int(record["step"])
        if cause["message"] is not None:
            message = _plainly(cause["message"])
        elif cause["code"] == -signal.SIGTERM and len(together) > 1:
            others = [_plainly(f["message"]) for f in together if f["message"]]
            message = (
                f"it did not answer, and the others waited in vain ({others[0] if others else 'no word'})"
            )
        else:
            message = _ended_by(cause["code"])
        causes.append(Failure(cause["rank"], attempt, step, message, cause["traceback"] or ""))
    return causes


_BROKEN = re.compile(
    r"gloo|Dist(Network|Store|Backend)Error|[Cc]onnection (closed|reset|refused)|Broken pipe"
    r"|[Tt]imed out waiting"
)


def _blame(failure: dict[str, Any], in_vain: bool) -> int:
    """Smaller for a likelier cause; ``in_vain`` if some worker waited until its patience was over."""
    if failure["message"] is None:
        if failure["code"] != -signal.SIGTERM:
            return 1
        # SIGTERM is how the agent ends the workers that are left.
        return 2 if in_vain else 4
    return 3 if _BROKEN.search(failure["message"]) else 0


def _plainly(message: str) -> str:
    """A message without the places in torch's own source and the advice that gloo adds."""
    message = re.sub(r"\[/\S+\.(?:cc|cpp|h):\d+\] ?", "", message)
    message = re.sub(r"\.? ?This is typically caused by.*", ".", message, flags=re.S)
    message = message.partition("\nException raised from")[0]
    return re.sub(r"\s+", " ", message).strip()


def _ended_by(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code} and left no message"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = {
        "SIGKILL": "as the kernel does to a process when memory runs out",
        "SIGSEGV": "a fault in compiled code",
    }
    return f"it was ended by {name}" + (f", {why[name]}" if name in why else "")


def _timed_out(folder: Path, timeout: float, workers: int) -> JobTimedOut:
    found = records.read(folder)
    steps: dict[int, int] = {}
    for record in found:
        if "step" in record:
            steps[record["rank"]] = int(record["step"])
    if steps:
        last = "; ".join(f"worker {rank} had reported step {step}" for rank, step in sorted(steps.items()))
    else:
        last = (
            f"none of the {workers} workers had reported a step"
            if found
            else "no worker had reported anything"
        )
    message = f"The job was ended after {timeout:g} s, its limit: {last}."
    return JobTimedOut(message, found, _text(folder / "output.txt"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


__all__: Sequence[str] = [
    "Failure",
    "Finished",
    "JobTimedOut",
    "LaunchError",
    "WorkerFailed",
    "launch",
    "shut_down",
    "warm_up",
]
