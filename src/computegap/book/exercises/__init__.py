"""Exercises that check themselves.

A chapter's checkers live in ``chNN.py`` of this folder, one function per exercise::

    @checker("01-3")
    def dies(fn):
        expect(fn, (814,), 64, hint="count whole dies only")

In the notebook a stub ends with ``book.check_exercise("01-3", fn)``, which prints what is missing, or
"Correct".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from textwrap import fill
from typing import Any

Checker = Callable[[Callable[..., Any]], None]
#: Signs a line of a message, so that it fits the page without scrolling.
WIDTH = 74
_CHECKERS: dict[str, Checker] = {}

#: Results of this process, newest last; tests read it after running a cell.
LOG: list[Result] = []


class NotYet(Exception):
    """What is still wrong with an answer, said to the reader in a sentence."""


@dataclass(frozen=True)
class Result:
    """Outcome of one check.

    Attributes
    ----------
    id : str
    correct : bool
    message : str
        What was printed.
    """

    id: str
    correct: bool
    message: str


def checker(id: str) -> Callable[[Checker], Checker]:
    """Register a function as the checker of an exercise.

    Parameters
    ----------
    id : str
        Chapter and exercise, ``"01-3"``.

    Raises
    ------
    ValueError
        For another kind of name, or one that is taken.
    """
    _split(id)

    def register(function: Checker) -> Checker:
        if id in _CHECKERS and _CHECKERS[id].__qualname__ != function.__qualname__:
            raise ValueError(f"exercise {id} has a checker already: {_CHECKERS[id].__qualname__}")
        _CHECKERS[id] = function
        return function

    return register


def expect(
    fn: Callable[..., Any], args: tuple, want: Any, *, rel: float = 1e-6, abs_: float = 1e-12, hint: str = ""
) -> None:
    """Call the reader's function with one input and compare what it returns.

    Parameters
    ----------
    fn : callable
    args : tuple
        Positional arguments.
    want : number, bool, str, None, or list, tuple, dict or array of these
        Numbers are compared with the tolerances, everything else exactly.
    rel, abs_ : float
        Relative and absolute tolerance.
    hint : str
        Added to the message.

    Raises
    ------
    NotYet
        If it returns something else, or raises; the message holds the input.
    """
    got = call(fn, *args)
    if not _same(got, want, rel, abs_):
        expect_that(
            False, f"{_call_text(fn, args)} should give {_short(want)}, but gives {_short(got)}", hint
        )


def expect_that(condition: bool, sentence: str, hint: str = "") -> None:
    """Raise :class:`~computegap.book.exercises.NotYet` with the sentence unless the condition holds."""
    if not condition:
        parts = [part.strip().rstrip(".") for part in (sentence, hint) if part.strip()]
        raise NotYet(
            ". ".join(part if i == 0 else part[0].upper() + part[1:] for i, part in enumerate(parts)) + "."
        )


def call(fn: Callable[..., Any], *args: Any) -> Any:
    """Call the reader's function; what it raises becomes a message that names the input.

    Raises
    ------
    NotYet
        If the function raises anything.
    """
    try:
        return fn(*args)
    except NotYet:
        raise
    except Exception as error:
        raise NotYet(f"{_call_text(fn, args)} stops with {type(error).__name__}: {error}.") from error


def check_exercise(id: str, fn: Callable[..., Any], *, strict: bool = False) -> bool:
    """Check an answer and print what is missing, or that it is correct.

    Parameters
    ----------
    id : str
        Chapter and exercise, ``"01-3"``.
    fn : callable
        The reader's function.
    strict : bool
        Raise :class:`~computegap.book.exercises.NotYet` instead of printing it; for tests and for grading.

    Returns
    -------
    bool
        Shown as nothing at the end of a cell.

    Raises
    ------
    LookupError
        If there is no such exercise.
    """
    result = run(id, fn)
    if strict and not result.correct:
        raise NotYet(result.message)
    print(fill(result.message, WIDTH, break_long_words=False, break_on_hyphens=False))
    return _Quiet(result.correct)


def run(id: str, fn: Callable[..., Any]) -> Result:
    """Check an answer without printing; see :func:`~computegap.book.exercises.check_exercise`."""
    check = find(id)
    if not callable(fn):
        result = Result(id, False, f"Not yet: hand over the function itself, not {_short(fn)}.")
    else:
        try:
            check(fn)
            result = Result(id, True, "Correct.")
        except NotYet as shortfall:
            result = Result(id, False, f"Not yet: {shortfall}")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # The reader's function itself is called through `call`, so this is about what it returned.
            message = (
                "Not yet: what the function returns has another form than the exercise asks for "
                f"({type(error).__name__}: {error})."
            )
            result = Result(id, False, message)
    LOG.append(result)
    return result


def find(id: str) -> Checker:
    """Checker of an exercise.

    Raises
    ------
    LookupError
        If the chapter has no such exercise; the message lists those it has.
    """
    chapter, _ = _split(id)
    try:
        import_module(f"{__name__}.ch{chapter}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.ch{chapter}":
            raise
        raise LookupError(f"chapter {chapter} has no exercises") from None
    if id not in _CHECKERS:
        known = ", ".join(sorted(key for key in _CHECKERS if key.startswith(f"{chapter}-")))
        raise LookupError(f"there is no exercise {id}; chapter {chapter} has {known or 'none'}")
    return _CHECKERS[id]


class _Quiet(int):
    """A truth value that shows nothing when it ends a cell."""

    def _ipython_display_(self) -> None:
        return None


def _split(id_: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\d\d)-(\d+)", id_) if isinstance(id_, str) else None
    if not match:
        raise ValueError(f"{id_!r} is not an exercise; write chapter and number, as in '01-3'")
    return match.group(1), match.group(2)


def _same(got: Any, want: Any, rel: float, abs_: float) -> bool:
    if hasattr(got, "tolist") and not isinstance(got, (str, bytes)):
        got = got.tolist()
    if hasattr(want, "tolist"):
        want = want.tolist()
    if want is None or isinstance(want, (bool, str)):
        return type(got) is type(want) and got == want
    if isinstance(want, (list, tuple)):
        return (
            isinstance(got, (list, tuple))
            and len(got) == len(want)
            and all(_same(g, w, rel, abs_) for g, w in zip(got, want, strict=True))
        )
    if isinstance(want, dict):
        return (
            isinstance(got, dict)
            and got.keys() == want.keys()
            and all(_same(got[key], want[key], rel, abs_) for key in want)
        )
    if isinstance(want, (int, float)):
        if isinstance(got, (bool, str)) or got is None:
            return False
        try:
            return math.isclose(float(got), float(want), rel_tol=rel, abs_tol=abs_)
        except (OverflowError, TypeError, ValueError):
            return False
    return bool(got == want)


def _call_text(fn: Callable[..., Any], args: tuple) -> str:
    return f"{getattr(fn, '__name__', 'your function')}({', '.join(_short(arg) for arg in args)})"


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
