"""What the tests of many workers share: programs to launch, and a watch on processes that stay behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from computegap.cluster import launch


def tagged(owner: int) -> set[int]:
    """Processes that were started by launches of ``owner``, by the tag in their environment; no zombies."""
    tag = f"{launch.TAG}={owner}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if tag in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
            except OSError:
                continue
    return found


def soon(done: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something becomes true within some seconds."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def processes_of() -> Callable[[int], set[int]]:
    return tagged


@pytest.fixture
def eventually() -> Callable[..., bool]:
    return soon


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """After each test there is no process of a launch but the helpers that wait for the next one."""
    yield
    helpers = {host.process.pid for host in launch._hosts.values()}
    assert soon(lambda: tagged(os.getpid()) <= helpers), tagged(os.getpid()) - helpers


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="package")
def _helpers_end() -> Iterator[None]:
    yield
    launch.shut_down()
