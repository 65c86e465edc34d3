"""What a reader sees when something is missing: a sentence with the remedy, never a traceback.

The lack of a thing is played by a PATH on which it is not, or on which a stub stands in its place.
"""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SH = shutil.which("sh")


def stub(folder: Path, name: str, script: str) -> Path:
    """Write a small program that stands for another one."""
    path = folder / name
    path.write_text(f"#!{SH}\n{script}\n")
    path.chmod(0o755)
    return path


def find_python(root: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tools/find_python.sh with nothing but ``path`` on the PATH."""
    command = [SH, str(root / "tools" / "find_python.sh"), *arguments]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def doctor(root: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command of tools/doctor.py in an environment of its own."""
    clean = {"PATH": "", "HOME": environment.pop("HOME", os.environ.get("HOME", "/")), **environment}
    return subprocess.run(
        [sys.executable, str(root / "tools" / "doctor.py"), command],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_no_python_at_all(root: Path, tmp_path: Path) -> None:
    done = find_python(root, tmp_path)
    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert "apt-get install" in done.stderr
    assert done.stdout == ""


def test_a_python_that_does_not_start_is_passed_over(root: Path, tmp_path: Path) -> None:
    stub(tmp_path, "python3.11", "echo 'command not found' >&2; exit 127")
    stub(tmp_path, "python3.12", f'exec {sys.executable} "$@"')
    assert find_python(root, tmp_path).stdout.strip() == "python3.12"


def test_an_old_python_is_passed_over(root: Path, tmp_path: Path) -> None:
    stub(tmp_path, "python3", "exit 1")  # what the check returns on Python 3.10
    assert find_python(root, tmp_path).returncode == 1


def test_the_python_asked_for_is_taken_or_refused_by_name(root: Path, tmp_path: Path) -> None:
    assert find_python(root, tmp_path, sys.executable).stdout.strip() == sys.executable
    refused = find_python(root, tmp_path, "python2")
    assert refused.returncode == 1
    assert "python2" in refused.stderr


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_debians_missing_venv_module(root: Path, tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError")
    done = doctor(root, "venv", PYTHONPATH=str(tmp_path))
    version = "{}.{}".format(*sys.version_info[:2])
    assert done.returncode == 1
    assert f"apt-get install python{version}-venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_this_python_can_make_an_environment(root: Path) -> None:
    assert doctor(root, "venv").returncode == 0


def test_no_browser(root: Path, tmp_path: Path) -> None:
    done = doctor(root, "browser", PATH=str(tmp_path), PLAYWRIGHT_BROWSERS_PATH=str(tmp_path))
    assert done.returncode == 1
    assert "make browser" in done.stderr
    assert "make unit" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_browser_that_only_explains_itself_is_passed_over(root: Path, tmp_path: Path) -> None:
    stub(tmp_path, "chromium", "echo 'install the snap' >&2; exit 1")
    good = stub(tmp_path, "google-chrome", "echo Chrome 1")
    done = doctor(root, "browser", PATH=str(tmp_path), PLAYWRIGHT_BROWSERS_PATH=str(tmp_path))
    assert done.stdout.strip() == str(good)


def test_the_browser_asked_for_goes_first_and_is_not_replaced(root: Path, tmp_path: Path) -> None:
    stub(tmp_path, "chromium", "echo Chromium 1")
    mine = stub(tmp_path, "mine", "echo Chromium 2")
    assert doctor(root, "browser", PATH=str(tmp_path), CHROMIUM=str(mine)).stdout.strip() == str(mine)
    refused = doctor(root, "browser", PATH=str(tmp_path), CHROMIUM=str(tmp_path / "absent"))
    assert refused.returncode == 1
    assert "absent does not start" in refused.stderr


class Index(http.server.BaseHTTPRequestHandler):
    """A package index that knows torch and nothing else."""

    def do_GET(self) -> None:
        """Answer 200 for torch's page."""
        self.send_response(200 if self.path == "/whl/torch/" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    """Serve such an index on the loopback address."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems get torch's CPU build anyway"
)


@linux
def test_an_index_that_answers_is_added(root: Path, index: str) -> None:
    assert (
        doctor(root, "torch-flags", TORCH_INDEX=f"{index}/whl").stdout.strip()
        == f"--extra-index-url {index}/whl"
    )


@linux
def test_an_index_without_torch_is_not_added(root: Path, index: str) -> None:
    done = doctor(root, "torch-flags", TORCH_INDEX=f"{index}/other")
    assert (done.returncode, done.stdout) == (0, "")
    assert "does not answer" in done.stderr


@linux
def test_an_index_that_hangs_costs_five_seconds_and_no_more(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/whl"
        done = subprocess.run(
            [sys.executable, str(root / "tools" / "doctor.py"), "torch-flags"],
            env={"TORCH_INDEX": address},
            capture_output=True,
            text=True,
            check=False,
            timeout=12,
        )
    assert (done.returncode, done.stdout) == (0, "")


def test_no_index_asked_for_means_none(root: Path) -> None:
    done = doctor(root, "torch-flags", TORCH_INDEX="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_installer_of_browsers_is_valid_shell(root: Path) -> None:
    for script in sorted((root / "tools").glob("*.sh")):
        subprocess.run([SH, "-n", str(script)], check=True)
