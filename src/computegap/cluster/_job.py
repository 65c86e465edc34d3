"""One node of one job: torch's own elastic agent, run with the arguments that torchrun would get.

Two ways lead here. Warm: :mod:`computegap.cluster._host`, which has torch in memory, forks and calls
:func:`run`; the agent then forks the workers, so that nobody imports torch again. Cold: ``python -m
computegap.cluster._job`` in a fresh interpreter, where the agent starts ``python -m program`` for each worker
as torchrun does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from computegap.cluster import _processes

#: Seconds that the other workers get, once one has failed, to end by themselves before they are told to.
GRACE = 0.3


def run(request: dict[str, Any], node: int, forked: bool) -> int:
    """Run one node's agent to its end; leaves ``agent-<node>.json``, returns an exit code."""
    folder = Path(request["folder"])
    report: dict[str, Any] = {"failures": [], "error": None}
    failures = report["failures"]
    try:
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

        try:
            _agent(request, node, forked, failures)
        except ChildFailedError as failed:
            report["failed"] = True
            if not failures:
                for rank, failure in failed.failures.items():
                    _note(failures, rank, failure.local_rank, failure.exitcode, failure.error_file, 0)
    except BaseException as error:
        report["error"] = {"message": _one_line(error), "traceback": traceback.format_exc()}
    (folder / f"agent-{node}.json").write_text(json.dumps(report))
    return 1 if report["error"] or report.get("failed") else 0


def _agent(request: dict[str, Any], node: int, forked: bool, failures: list[dict[str, Any]]) -> None:
    from torch.distributed import run as torchrun
    from torch.distributed.launcher.api import elastic_launch

    arguments = torchrun.parse_args(request["torchrun"][node])
    if arguments.standalone:
        # What torchrun does with --standalone: meet at a port that the system picks.
        arguments.rdzv_backend, arguments.rdzv_endpoint = "c10d", "localhost:0"
        arguments.rdzv_id = f"computegap-{os.getpid()}"
    config, command, words = torchrun.config_from_args(arguments)
    if not forked:
        elastic_launch(config, command)(*words)
        return
    program = importlib.import_module(request["program"])
    if not callable(getattr(program, "main", None)):
        raise LookupError(f"{request['program']} has no function main(argv)")
    _remember_failures(failures)

    def work() -> None:
        _work(program, request["arguments"])

    elastic_launch(config, work)()


def _work(program: Any, arguments: list[str]) -> None:
    """What a forked worker does: as little as possible before the program's own main."""
    _processes.die_with_parent()
    # The agent's handler raises an exception, which a worker that waits inside torch would never see.
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(name, signal.SIG_DFL)
    sys.argv = [program.__file__ or program.__name__, *arguments]
    # Who I am: the agent knows this worker by its local rank and tells nobody else.
    path = os.environ.get("TORCHELASTIC_ERROR_FILE", "")
    if path:
        Path(path).with_name("rank").write_text(os.environ["RANK"])
    program.main(list(arguments))
    # A worker ends through os._exit, which forgets what Python has not written yet.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()


def _remember_failures(failures: list[dict[str, Any]]) -> None:
    """Let torch's process context note how *every* worker ended, not only the one it saw first.

    When one worker is killed, the others fail a moment later because their connections break. Torch reports
    whichever it finds first, which may be a victim; with all exit codes the cause can be told from its
    effects. Also shortens the half minute that a stopped process is given to end.
    """
    import torch.multiprocessing as mp
    from torch.multiprocessing.spawn import ProcessContext

    start = mp.start_processes

    class Workers(ProcessContext):
        def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
            try:
                return super().join(timeout, GRACE if grace_period is None else grace_period)
            except Exception:
                if not self.noted:
                    self.noted = True
                    for local_rank, process in enumerate(self.processes):
                        path = self.elastic_errors[local_rank]
                        _note(failures, None, local_rank, process.exitcode, path, self.attempt)
                raise

    attempts = iter(range(1_000_000))

    def start_processes(*args: Any, **options: Any) -> ProcessContext:
        context = start(*args, **options)
        environments = options["args"][2]
        context.elastic_errors = [
            environments[local_rank]["TORCHELASTIC_ERROR_FILE"] for local_rank in sorted(environments)
        ]
        context.attempt, context.noted = next(attempts), False
        context.__class__ = Workers
        return context

    mp.start_processes = start_processes


def _note(
    failures: list[dict[str, Any]], rank: int | None, local_rank: int, code: int, path: str, attempt: int
) -> None:
    """Add how a worker ended to the list, with its own words if it left any."""
    if code == 0:
        return
    entry: dict[str, Any] = {
        "rank": rank,
        "local_rank": local_rank,
        "code": code,
        "attempt": attempt,
        "time": time.time(),
        "message": None,
        "traceback": None,
    }
    file = Path(path)
    with contextlib.suppress(OSError, ValueError):
        entry["rank"] = int(file.with_name("rank").read_text())
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(file.read_text())["message"]
        entry["message"] = said["message"]
        entry["traceback"] = said["extraInfo"]["py_callstack"]
        entry["time"] = file.stat().st_mtime
    failures.append(entry)


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")


def quiet() -> None:
    """Keep torch's notes for the operators of clusters out of the output that a reader sees."""
    warnings.filterwarnings("ignore", message=".*fork.*may lead to deadlocks.*")


if __name__ == "__main__":
    _processes.die_with_parent()
    quiet()
    with open(sys.argv[1]) as file:
        _request = json.load(file)
    sys.path[:] = _request["path"]
    raise SystemExit(run(_request, int(sys.argv[2]), forked=False))
