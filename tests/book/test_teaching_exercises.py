"""Exercises that check themselves: registering, comparing, and what the reader is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from computegap import book
from computegap.book import exercises
from computegap.book.exercises import NotYet, checker, expect, expect_that


@pytest.fixture
def double(monkeypatch):
    """An exercise 99-1: double a number."""
    import sys
    import types

    monkeypatch.setitem(sys.modules, "computegap.book.exercises.ch99", types.ModuleType("ch99"))
    monkeypatch.setattr(exercises, "_CHECKERS", {})
    monkeypatch.setattr(exercises, "LOG", [])

    @checker("99-1")
    def double(fn):
        expect(fn, (21,), 42, hint="add it to itself")
        expect(fn, (0.5,), 1.0)


@pytest.mark.usefixtures("double")
def test_a_right_answer_is_told_so(capsys):
    assert book.check_exercise("99-1", lambda x: x + x)
    assert capsys.readouterr().out == "Correct.\n"
    assert exercises.LOG[-1].correct


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(
    ("fn", "told"),
    [
        (lambda x: None, "(21) should give 42, but gives None. Add it to itself."),
        (lambda x: 42, "(0.5) should give 1, but gives 42"),
        (lambda x: x / 0, "(21) stops with ZeroDivisionError"),
        (lambda: 42, "stops with TypeError"),
        (42, "hand over the function itself"),
    ],
)
def test_a_wrong_answer_is_told_which_input_fails(fn, told, capsys):
    assert not book.check_exercise("99-1", fn)
    out = capsys.readouterr().out
    assert out.startswith("Not yet: ")
    assert told in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= exercises.WIDTH


@pytest.mark.usefixtures("double")
def test_strict_raises():
    with pytest.raises(NotYet, match="should give 42"):
        book.check_exercise("99-1", lambda x: None, strict=True)


@pytest.mark.usefixtures("double")
def test_the_result_is_quiet():
    from IPython.core.formatters import DisplayFormatter

    assert DisplayFormatter().format(book.check_exercise("99-1", lambda x: None)) == ({}, {})


@pytest.mark.usefixtures("double")
def test_unknown_exercises_are_named():
    with pytest.raises(LookupError, match="chapter 99 has 99-1"):
        book.check_exercise("99-2", abs)
    with pytest.raises(LookupError, match="chapter 98 has no exercises"):
        book.check_exercise("98-1", abs)
    with pytest.raises(ValueError, match="as in '01-3'"):
        book.check_exercise("1-3", abs)


@pytest.mark.usefixtures("double")
def test_a_number_is_taken_once():
    with pytest.raises(ValueError, match="has a checker already"):

        @checker("99-1")
        def other(fn):
            return None


@pytest.mark.parametrize(
    ("got", "want", "same"),
    [
        (1.0, 1, True),
        (1.0 + 1e-9, 1.0, True),
        (1.1, 1.0, False),
        (np.float64(2), 2, True),
        (torch.tensor(2.0), 2.0, True),
        (np.array([1.0, 2.0]), [1, 2], True),
        ((1, 2), [1, 2], True),
        ([1, 2, 3], [1, 2], False),
        (True, 1, False),
        (1, True, False),
        (np.True_, True, True),
        ("a", "a", True),
        (None, 0, False),
        ("1", 1, False),
        ({"a": 1.0}, {"a": 1}, True),
        ({"a": 1.0}, {"b": 1}, False),
        (float("nan"), 1.0, False),
        (None, None, True),
    ],
)
def test_comparison(got, want, same):
    if same:
        expect(lambda: got, (), want)
    else:
        with pytest.raises(NotYet):
            expect(lambda: got, (), want)


def test_expect_that_joins_sentence_and_hint():
    expect_that(True, "fine")
    with pytest.raises(NotYet, match=r"^It must fall\. Try a larger die\.$"):
        expect_that(False, "It must fall.", "Try a larger die")


def every_exercise() -> list[str]:
    from importlib import import_module
    from pathlib import Path

    names = sorted(path.stem for path in Path(exercises.__file__).parent.glob("ch[0-9][0-9].py"))
    for name in names:
        import_module(f"computegap.book.exercises.{name}")
    return sorted(exercises._CHECKERS)


ODD = (
    None,
    "x",
    float("nan"),
    10**400,
    [],
    [1],
    [[1, 2], [3]],
    ([1.0], [[1.0]]),
    {"a": 1},
    [None] * 4,
    [float("inf")] * 4,
)


@pytest.mark.parametrize("id", every_exercise())
def test_whatever_a_reader_returns_the_checker_answers_in_a_sentence(id):
    for answer in ODD:
        result = exercises.run(id, lambda *args, answer=answer: answer)
        assert not result.correct
        assert result.message.startswith("Not yet: ")
        assert result.message.endswith(".")
