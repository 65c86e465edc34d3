"""The executed chapters: clean outputs, and within the budgets. They need `make chapters` first."""

from __future__ import annotations

import json
import os
import re

import pytest

pytestmark = pytest.mark.executed

SECONDS, CELL_SECONDS, MEGABYTES = 60, 30, 1200
#: A path of somebody's machine. Addresses of pages don't count.
LOCAL_PATH = re.compile(
    r"(?<![\w./:-])(?:/(?:home|root|tmp|work|Users|usr|opt|mnt|var|build)/[\w.-]+|[A-Z]:\\\\?\w)"
)
WARNING = re.compile(r"\b(?:\w*Warning:|WARNING|warnings\.warn|Traceback \(most recent)")
#: Forms of an output that a reader sees.
SEEN = ("text/plain", "text/html", "text/markdown", "image/svg+xml")


def output_texts(cell) -> list[str]:
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type in ("display_data", "execute_result"):
            texts += [output.data[mime] for mime in SEEN if mime in output.data]
    return texts


def faults_of(cell) -> list[str]:
    faults = []
    for output in cell.outputs:
        if output.output_type == "error":
            faults.append(f"stops with {output.ename}: {output.evalue}")
        if output.output_type == "stream" and output.name == "stderr":
            faults.append(f"writes to stderr: {output.text[:200]}")
    for text in output_texts(cell):
        if match := WARNING.search(text):
            faults.append(f"shows a warning: {text[max(0, match.start() - 40) : match.end() + 80]}")
        if match := LOCAL_PATH.search(text):
            faults.append(f"shows a path of this machine: {match.group()}")
        if re.search(r"\bat 0x[0-9a-f]{6,}", text):
            faults.append("shows the address of an object")
    return faults


def test_outputs_are_clean(chapter):
    for number, cell in enumerate(chapter.executed.cells, 1):
        if cell.cell_type == "code":
            assert not faults_of(cell), f"{chapter.id}, cell {number}: " + "; ".join(faults_of(cell))


def test_every_code_cell_ran(chapter):
    for number, cell in enumerate(chapter.executed.cells, 1):
        if cell.cell_type == "code" and cell.source.strip():
            assert cell.execution_count, f"{chapter.id}, cell {number} did not run"


def test_the_executed_copy_is_this_chapter(chapter):
    def code(cells):
        return [cell.source for cell in cells if cell.cell_type == "code"]

    assert code(chapter.executed.cells) == code(chapter.cells), (
        f"{chapter.id} has changed since it was executed: run `python tools/run_chapters.py`"
    )


def test_stubs_and_solutions_say_what_they_should(chapter, helpers):
    for number, cell in enumerate(chapter.executed.cells, 1):
        if cell.cell_type != "code" or not helpers.calls(cell.source, "check_exercise"):
            continue
        said = " ".join(" ".join(output_texts(cell)).split())
        want = "Correct." if "solution" in helpers.tags(cell) else "Not yet: "
        assert want in said, f"{chapter.id}, cell {number} prints {said!r}"


def test_budgets_are_held(chapter, helpers):
    path = helpers.run / "budgets.json"
    assert path.is_file(), "no budgets recorded: run `make test`, or `python tools/run_chapters.py`"
    cost = json.loads(path.read_text("utf-8"))[chapter.id]
    # A slow or busy machine may be given more time, never more memory.
    scale = float(os.environ.get("COMPUTEGAP_BUDGET_SCALE", "1"))
    hint = "; on a slow or busy machine: COMPUTEGAP_BUDGET_SCALE=2 make test"
    assert cost["seconds"] <= SECONDS * scale, f"{chapter.id} took {cost['seconds']:.0f} s{hint}"
    assert cost["slowest_cell_s"] <= CELL_SECONDS * scale, (
        f"cell {cost['slowest_cell']} of {chapter.id} took {cost['slowest_cell_s']:.0f} s{hint}"
    )
    assert cost["peak_mb"] <= MEGABYTES, f"{chapter.id} needed {cost['peak_mb']:.0f} MB"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("stderr", "anything"),
        ("stdout", "/x/y.py:3: UserWarning: old"),
        ("stdout", "saved to /home/me/plot.svg"),
        ("stdout", "read C:\\Users\\me"),
        ("stdout", "<computegap.Thing object at 0x7f00ab>"),
        ("stdout", "&lt;built-in method title of str object at 0x7f00ab&gt;"),
    ],
)
def test_planted_faults_are_found(kind, text):
    import nbformat.v4 as v4

    cell = v4.new_code_cell("", outputs=[v4.new_output("stream", name=kind, text=text)])
    assert faults_of(cell)


@pytest.mark.parametrize(
    "text", ["148 TFLOP/s and 2/3", "see https://example.org/home/x", "and/or /", "a warning sign"]
)
def test_plain_outputs_pass(text):
    import nbformat.v4 as v4

    cell = v4.new_code_cell("", outputs=[v4.new_output("stream", name="stdout", text=text)])
    assert faults_of(cell) == []
