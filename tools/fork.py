"""Put a fork's own address everywhere the repository's address is written.

Run as ``make fork REPO=name/repository``. The address stands in one place, ``repository.url`` of
_config.yml; the built site takes it from there. A few files cannot compute it (the README, the citation,
the cell of each chapter that installs the package on Colab): this rewrites them to agree.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
SUFFIXES = {".md", ".cff", ".yml", ".yaml", ".toml", ".ipynb", ".json", ".txt", ".html", ".py"}


def current(root: Path) -> str:
    """Return ``owner/repository`` as _config.yml has it now.

    Raises
    ------
    LookupError
        If _config.yml holds no GitHub address under ``repository: url:``.
    """
    text = (root / "_config.yml").read_text(encoding="utf-8")
    found = re.search(
        r"^repository:\s*\n(?:[ \t]+.*\n)*?[ \t]+url:\s*[\"']?https://github\.com/([^\s\"']+)", text, re.M
    )
    if not found:
        raise LookupError("_config.yml has no `repository:` with `url: https://github.com/OWNER/NAME`")
    return found.group(1).rstrip("/").removesuffix(".git")


def forms(slug: str) -> list[str]:
    """Return the forms in which an address is written, the site's own address last."""
    owner, name = slug.split("/")
    return [f"github.com/{slug}", f"gh/{slug}", f"github/{slug}", f"{owner.lower()}.github.io/{name}"]


def files(root: Path) -> list[Path]:
    """Return the tracked and the new text files of the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [root / name for name in listed if name and Path(name).suffix in SUFFIXES]
    return sorted(path for path in paths if path.is_file())


def rewrite(root: Path, slug: str) -> list[Path]:
    """Replace the present address by ``slug`` and return the files that changed.

    Raises
    ------
    ValueError
        If ``slug`` is not of the form ``owner/repository``.
    """
    if not NAME.fullmatch(slug):
        raise ValueError(
            f"{slug!r} is not of the form owner/repository, for example: make fork REPO=ada/the-compute-gap"
        )
    pairs = list(zip(forms(current(root)), forms(slug), strict=True))
    changed = []
    for path in files(root):
        old = new = path.read_bytes().decode("utf-8")
        for before, after in pairs:
            new = re.sub(re.escape(before) + r"(?![A-Za-z0-9-])", after, new)
        if new != old:
            path.write_bytes(new.encode("utf-8"))
            changed.append(path)
    return changed


def main(arguments: list[str]) -> int:
    """Rewrite the address and say where."""
    try:
        changed = rewrite(ROOT, arguments[0] if arguments else "")
    except (ValueError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in changed:
        print(path.relative_to(ROOT))
    print(f"{len(changed)} files now say {arguments[0]}. Look at them with `git diff`.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
