"""The reference of the package, written from its docstrings: modules are found, never listed.

Both directives write MyST, the language of the pages in which they stand.

``{package-reference} computegap.chips`` in a page stands for every public module of that package, and
``{package-overview}`` for a table of all of them with the first line of each docstring.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles


def public_modules(package: str) -> list[ModuleType]:
    """Import a package and all its public modules, in alphabetical order, the package itself first.

    Modules whose name starts with an underscore are private, and so is the build machinery in
    ``computegap.book.sphinx``.

    Raises
    ------
    LookupError
        If there is no such package.
    """
    try:
        root = importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise LookupError(f"there is no package {package!r}") from error
    found = [root]
    for info in pkgutil.walk_packages(getattr(root, "__path__", []), prefix=f"{package}."):
        parts = info.name.split(".")
        if any(part.startswith("_") for part in parts) or "sphinx" in parts:
            continue
        found.append(importlib.import_module(info.name))
    return sorted(found, key=lambda module: module.__name__)


def first_line(module: ModuleType) -> str:
    """First line of a module's docstring, or an empty string."""
    return (inspect.getdoc(module) or "").split("\n", 1)[0].strip()


def depend_on(env: BuildEnvironment, modules: list[ModuleType]) -> None:
    """Have a page written again when one of the modules changes.

    When a module comes or goes, ``tools/run_chapters.py`` has every page written again; reading them anew
    in each build would cost seconds.
    """
    for module in modules:
        if module.__file__:
            env.note_dependency(module.__file__)


class PackageReference(SphinxDirective):
    """Everything public in one package, module by module."""

    required_arguments = 1
    option_spec = None

    def run(self) -> list[nodes.Node]:
        """Write one section a module and let autodoc fill it."""
        modules = public_modules(self.arguments[0])
        depend_on(self.env, modules)
        lines: list[str] = []
        for module in modules:
            lines += [
                f"## `{module.__name__.removeprefix('computegap.')}`",
                "",
                "```{eval-rst}",
                f".. automodule:: {module.__name__}",
            ]
            # Without the names that a package re-exports: each is described once, where it is defined.
            lines += ["   :members:", "   :ignore-module-all:", "```", ""]
        holder = nodes.section()
        holder.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, source="package reference"), holder)
        return holder.children


class PackageOverview(SphinxDirective):
    """A table of the package's modules and what each is for."""

    def run(self) -> list[nodes.Node]:
        """Write the table."""
        modules = public_modules("computegap")[1:]
        depend_on(self.env, modules)
        rows = ["| Module | What it is for |", "|---|---|"]
        for module in modules:
            rows.append(f"| {{py:mod}}`{module.__name__}` | {first_line(module).replace('``', '`')} |")
        holder = nodes.section()
        holder.document = self.state.document
        nested_parse_with_titles(self.state, StringList(rows, source="package overview"), holder)
        return holder.children


def setup(app: Sphinx) -> None:
    """Register both directives."""
    app.add_directive("package-reference", PackageReference)
    app.add_directive("package-overview", PackageOverview)
