"""The helper beside a notebook: it has torch in memory, and every job is a fork of it.

``python -m computegap.cluster._host FD warm|cold`` reads requests from a socket, one line of JSON each, runs
one job at a time and answers when it is over. When the socket closes, because the notebook's kernel has ended
in whatever way, it kills everything that it started and ends as well.

It never runs a parallel region: a process that has OpenMP threads must not be forked.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from typing import Any

from computegap.cluster import _job, _processes

#: What the programs import, so that it is in memory before they are forked. The book's own modules are not
#: among them: a job imports those itself, as they are on disk when it starts.
PRELOAD = (
    "torch",
    "torch.distributed.run",
    "torch.distributed.launcher.api",
    "torch.distributed.elastic.rendezvous.c10d_rendezvous_backend",
    "torch.distributed.elastic.rendezvous.dynamic_rendezvous",
    "torch.nn.parallel",
    "torch.distributed.fsdp",
    "torch.distributed.pipelining",
    "torch.distributed.algorithms.ddp_comm_hooks.default_hooks",
    "torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook",
    "torch._dynamo",
    "pydoc_data.topics",
)


def preload() -> None:
    """Import what the programs need and make ready to be forked."""
    import importlib

    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    # Objects that will live for ever: the collector of a fork need not look at them, and so does not copy
    # them.
    gc.collect()
    gc.freeze()


class Host:
    """Takes requests from the notebook over ``control`` and runs them."""

    def __init__(self, control: socket.socket, warm: bool) -> None:
        self.control, self.warm = control, warm
        self.parent = os.getppid()
        self.buffer = b""
        self.nodes: dict[int, int] = {}
        self.folder: str | None = None
        self.spawned: list[subprocess.Popen[bytes]] = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the notebook is gone."""
        try:
            while True:
                for message in self.heard(0.02 if self.nodes else 1.0):
                    if "stop" in message:
                        self.finish("stopped")
                    else:
                        self.begin(message)
                if self.nodes:
                    codes = _processes.reap()
                    for pid in set(codes) & set(self.nodes):
                        del self.nodes[pid]
                    if not self.nodes:
                        self.finish("ended")
        except (EOFError, ConnectionError):
            pass
        finally:
            _processes.end_descendants()
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def heard(self, seconds: float) -> list[dict[str, Any]]:
        """Messages that have come within some seconds. EOFError when the other side is gone."""
        ready = self.selector.select(seconds)
        # Somebody else may hold a copy of the notebook's end of the socket: look whether its process lives.
        if os.getppid() != self.parent:
            raise EOFError
        if not ready:
            return []
        data = self.control.recv(1 << 20)
        if not data:
            raise EOFError
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def begin(self, request: dict[str, Any]) -> None:
        self.folder = request["folder"]
        start = self.fork if self.warm else self.spawn
        for node in range(len(request["torchrun"])):
            self.nodes[start(request, node)] = node

    def finish(self, state: str) -> None:
        """Leave nothing of the job behind, then say so."""
        _processes.end_descendants()
        self.nodes.clear()
        self.spawned.clear()
        # The notebook removes the folder; it is remembered in case that the notebook dies before it has.
        self.control.sendall(json.dumps({"state": state}).encode() + b"\n")

    def spawn(self, request: dict[str, Any], node: int) -> int:
        """A node in an interpreter of its own."""
        path = os.path.join(request["folder"], "request.json")
        with open(path, "w") as file:
            json.dump(request, file)
        with open(request["output"], "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "computegap.cluster._job", path, str(node)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=request["cwd"],
                env=request["env"] | {"PYTHONPATH": os.pathsep.join(request["path"])},
                start_new_session=True,
            )
        # Dropped, Python would wait for it behind our back, and we would never hear of its end.
        self.spawned.append(process)
        return process.pid

    def fork(self, request: dict[str, Any], node: int) -> int:
        """A node as a copy of this process, torch included."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.setsid()
            _processes.die_with_parent()
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, signal.SIG_DFL)
            self.selector.close()
            self.control.close()
            output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for stream in (1, 2):
                os.dup2(output, stream)
            os.close(output)
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            sys.path[:] = request["path"]
            sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
            _job.quiet()
            code = _job.run(request, node, forked=True)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            # Not sys.exit: what the host has set up to run at its own end is not for its copies.
            os._exit(code)


def main() -> None:
    """Serve the socket that was handed down."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # An interrupt in the notebook is the notebook's to handle; it tells what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _processes.adopt_orphans()
    warm = sys.argv[2] == "warm"
    if warm:
        preload()
    control.sendall(json.dumps({"state": "ready", "time": time.time()}).encode() + b"\n")
    Host(control, warm).serve()


if __name__ == "__main__":
    main()
