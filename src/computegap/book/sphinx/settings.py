"""Where the book lives and what a build of it needs: read once, from ``_config.yml``.

The repository's address stands in one place, the ``repository`` block of ``_config.yml``. Launch buttons,
edit links, the canonical address of each page, the sitemap and the 404 page are all derived from it here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

BOOK = Path(__file__).resolve().parents[1]
SITE_ASSETS = BOOK / "site_assets"
#: Scripts and styles of the explorables, predictions and quizzes; shared with live notebooks.
PAGE_ASSETS = BOOK / "assets"


@dataclass(frozen=True)
class Repository:
    """Where the source of the book is kept.

    Attributes
    ----------
    owner, name : str
        Account and repository on GitHub.
    branch : str
        Branch that launch buttons and edit links point at.
    """

    owner: str
    name: str
    branch: str

    @property
    def url(self) -> str:
        """Address of the repository's front page."""
        return f"https://github.com/{self.owner}/{self.name}"

    @property
    def pages_url(self) -> str:
        """Address that GitHub Pages gives to the built book, with a slash at its end."""
        return f"https://{self.owner.lower()}.github.io/{self.name}/"

    def edit(self, path: str) -> str:
        """Address of GitHub's editor for a file of the repository."""
        return f"{self.url}/edit/{self.branch}/{path}"

    def binder(self, path: str) -> str:
        """Address that opens a notebook in JupyterLab on mybinder.org."""
        return f"https://mybinder.org/v2/gh/{self.owner}/{self.name}/{self.branch}?urlpath=lab/tree/{path}"

    def colab(self, path: str) -> str:
        """Address that opens a notebook in Google Colab."""
        return f"https://colab.research.google.com/github/{self.owner}/{self.name}/blob/{self.branch}/{path}"


def read_repository(config_file: Path) -> Repository:
    """Read the repository's address from a book's ``_config.yml``.

    Raises
    ------
    ValueError
        If there is no ``repository.url`` or it isn't of the form ``https://github.com/owner/name``.
    """
    data = yaml.safe_load(config_file.read_text(encoding="utf-8")) or {}
    block = data.get("repository") or {}
    url = str(block.get("url", ""))
    match = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?", url)
    if match is None:
        raise ValueError(
            f"{config_file.name}: repository.url is {url!r}; it should read https://github.com/owner/name"
        )
    return Repository(match[1], match[2], str(block.get("branch", "main")))


def base_path(baseurl: str) -> str:
    """Path part of the site's address, with a slash at both ends."""
    return urlsplit(baseurl).path.rstrip("/") + "/"


def _on_config_inited(app: Sphinx, config: Config) -> None:
    # Kernels inherit this; their figures then come without inline scripts, which a page loads once.
    os.environ["COMPUTEGAP_SITE"] = "1"
    try:
        repository = read_repository(Path(app.srcdir) / "_config.yml")
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
    config.computegap_repository = repository
    if not config.html_baseurl:
        config.html_baseurl = repository.pages_url
    config.templates_path.append(str(SITE_ASSETS / "templates"))
    config.html_static_path.append(str(SITE_ASSETS / "static"))
    if PAGE_ASSETS.is_dir():
        config.html_static_path.append(str(PAGE_ASSETS))


def setup(app: Sphinx) -> None:
    """Register the settings."""
    app.add_config_value("computegap_repository", None, "")
    # Jupyter Book sets this for an extension that isn't loaded; unknown, it would be a warning.
    app.add_config_value("comments_config", {}, "")
    app.connect("config-inited", _on_config_inited, priority=100)
