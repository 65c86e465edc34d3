"""Each exercise: its stub runs and fails its checker, its solution passes, and hints stand before it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

RUNNER = """
import contextlib, io, json, sys
import matplotlib
matplotlib.use("Agg")
cells = json.load(sys.stdin)
from computegap.book import exercises
results = []
for group in cells["groups"]:
    namespace = {"__name__": "__main__"}
    exercises.LOG.clear()
    with contextlib.redirect_stdout(io.StringIO()):
        for source in cells["setup"] + [group]:
            exec(compile(source, "cell", "exec"), namespace)
    results.append([[r.id, r.correct, r.message] for r in exercises.LOG])
print(json.dumps(results))
"""


def outcomes(chapter, helpers, number: int) -> list[list]:
    """What the checker said to the stub and to the solution, each run after the chapter's set-up alone."""
    pair = chapter.exercises[number]
    setup = [helpers.without_magics(cell.source) for cell in chapter.tagged("exercise-setup")]
    cells = {
        "setup": setup,
        "groups": [helpers.without_magics(pair[kind].source) for kind in ("stub", "solution")],
    }
    run = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, (
        f"an exercise cell must run by itself after the set-up cells:\n{run.stderr[-2000:]}"
    )
    return json.loads(run.stdout.splitlines()[-1])


def test_a_chapter_has_three_to_five_exercises_in_order(chapter):
    numbers = sorted(chapter.exercises)
    assert numbers == list(range(1, len(numbers) + 1)), f"exercises are numbered {numbers}"
    assert 3 <= len(numbers) <= 5, f"{len(numbers)} exercises"


def test_every_checker_has_its_exercise(chapter):
    from importlib import import_module

    from computegap.book import exercises

    import_module(f"computegap.book.exercises.ch{chapter.number}")
    known = {name for name in exercises._CHECKERS if name.startswith(f"{chapter.number}-")}
    assert known == {f"{chapter.number}-{number}" for number in chapter.exercises}


def test_an_exercise_is_complete(exercise, helpers):
    chapter, number = exercise
    pair = chapter.exercises[number]
    assert set(pair) == {"stub", "solution"}, f"exercise {number} has {set(pair)}"
    assert "exercise" in helpers.tags(pair["stub"])
    assert {"solution", "hide-cell"} <= set(helpers.tags(pair["solution"]))
    place = chapter.cells.index(pair["stub"])
    assert chapter.cells.index(pair["solution"]) == place + 1, "the solution follows the stub"
    statement = chapter.cells[place - 1]
    assert statement.cell_type == "markdown", "the statement stands right before the stub"
    assert re.search(rf"(?m)^### Exercise {number}: \S", statement.source), (
        f"title: “### Exercise {number}: ...”"
    )
    hints = re.findall(
        r"<details>\s*<summary>Hint (\d)</summary>\n\n.*?\n\n</details>", statement.source, re.DOTALL
    )
    assert hints == [str(n) for n in range(1, len(hints) + 1)], "hints are numbered"
    assert hints, "give at least one hint, folded: <details><summary>Hint 1</summary>"


def test_the_stub_fails_and_the_solution_passes(exercise, helpers):
    chapter, number = exercise
    stub, solution = outcomes(chapter, helpers, number)
    name = f"{chapter.number}-{number}"
    assert [result[:2] for result in stub] == [[name, False]], f"the stub must be told “Not yet”: {stub}"
    assert stub[0][2].startswith("Not yet: ")
    assert len(stub[0][2]) > 25, "say which input fails"
    assert [result[:2] for result in solution] == [[name, True]], f"the solution must be correct: {solution}"


def test_the_stub_gives_nothing_away(exercise):
    chapter, number = exercise
    stub, solution = (chapter.exercises[number][kind].source for kind in ("stub", "solution"))
    kept = {line.strip() for line in solution.splitlines() if "return" in line} & {
        line.strip() for line in stub.splitlines()
    }
    assert not kept, f"the stub holds a line of the solution: {kept}"


@pytest.mark.parametrize(
    ("stub", "solution", "fine"),
    [
        ("def f(x):\n    return None", "def f(x):\n    return 2 * x", True),
        ("def f(x):\n    return 2 * x", "def f(x):\n    return 2 * x", False),
        ("def f(x):\n    return None", "def f(x):\n    return 3 * x", False),
    ],
)
def test_the_proof_itself_can_fail(tmp_path, helpers, stub, solution, fine):
    """A planted chapter whose stub passes, or whose solution fails, is seen."""
    import nbformat.v4 as v4

    setup = (
        "from computegap import book\nfrom computegap.book import exercises as e\nimport sys, types\n"
        "sys.modules['computegap.book.exercises.ch99'] = types.ModuleType('ch99')\n"
        "e._CHECKERS['99-1'] = lambda fn: e.expect(fn, (21,), 42)"
    )
    end = "\nbook.check_exercise('99-1', f)"
    notebook = v4.new_notebook(
        cells=[
            v4.new_code_cell(setup, metadata={"tags": ["exercise-setup"]}),
            v4.new_code_cell(stub + end, metadata={"tags": ["exercise", "exercise-1"]}),
            v4.new_code_cell(solution + end, metadata={"tags": ["solution", "hide-cell", "exercise-1"]}),
        ]
    )
    import nbformat

    path = tmp_path / "99-planted.ipynb"
    nbformat.write(notebook, path)
    results = outcomes(helpers.chapter(path), helpers, 1)
    assert (results[0][0][1] is False and results[1][0][1] is True) is fine
