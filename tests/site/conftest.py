"""What the tests of the site share: a browser, a server, and the pages that the build made.

Pages are found in the folder of the built site, so a new page is tested without being named anywhere.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("COMPUTEGAP_SITE_FOLDER", ROOT / "_build" / "html")).resolve()
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def load_tool(name: str) -> ModuleType:
    """Load a script of ``tools/`` as a module."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page_paths() -> list[str]:
    """Paths of all pages of the built site, relative to its root; none if it isn't built."""
    found = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith("_"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for ``path`` one run a page."""
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", page_paths() or ["index.html"])


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"There is no built site in {SITE}. Run `make book` first.", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served during the tests, without a slash at the end."""
    with load_tool("serve").serving(site) as url:
        yield url


def chromium_path() -> str:
    """Path of the browser: named by CHROMIUM or COMPUTEGAP_CHROMIUM, or the first that is installed."""
    given = os.environ.get("CHROMIUM") or os.environ.get("COMPUTEGAP_CHROMIUM")
    found = given or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None or not Path(found).exists():
        pytest.fail(
            f"No Chromium found{f' at {found}' if found else ''}. On Debian or Ubuntu: "
            "`sudo apt-get install chromium`; or set CHROMIUM to the path of a Chrome or Chromium.",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A headless Chromium that finds no host but this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield browser
        browser.close()
