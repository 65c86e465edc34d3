"""What all tests share: the time of a whole run, told where it can be read."""

from __future__ import annotations

import os
import time

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Above pytest's last line, tell the time since ``.ci/run`` began, installing included."""
    started = os.environ.get("COMPUTEGAP_STARTED", "")
    if started.isdigit():
        minutes, seconds = divmod(int(time.time()) - int(started), 60)
        terminalreporter.write_line(f"Installing, running and testing took {minutes} min {seconds:02d} s.")
