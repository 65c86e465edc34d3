"""Numbers in prose: a chapter publishes a number by name, and the text refers to the name.

A sentence in the book never carries a typed number with a unit. It says ``{glue:text}`h20_ridge```, and a
code cell before it has said ``publish("h20_ridge", ridge, "FLOP/byte")``. The text that gets printed holds
the number, a no-break space and the unit, so that a line never ends between them.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

from . import session

NBSP = "\N{NO-BREAK SPACE}"
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Published(str):
    """The text of a published number. Shows nothing when it ends a cell, so that cells stay quiet."""

    def _ipython_display_(self) -> None:
        return None


@dataclass(frozen=True)
class Record:
    """What was published under one name.

    Attributes
    ----------
    name : str
    text : str
        What prose prints, unit included.
    internal : bool
        True if no sentence is meant to print it (it exists for a check or another cell).
    """

    name: str
    text: str
    internal: bool = False


def format_number(value: Any, fmt: str | None = None) -> str:
    """Write a number the way the book's prose does.

    Parameters
    ----------
    value : float
        A finite number: Python's, a numpy or torch scalar, or a Fact.
    fmt : str, optional
        A format specification of Python. By default whole numbers (``int``) are written in full, everything
        else with three significant digits. An exponent is never printed as ``e+03``: it becomes ``1,980`` or
        a power of ten.

    Returns
    -------
    str
        Thousands are set off by commas, a negative number carries a true minus sign.

    Raises
    ------
    TypeError
        If ``value`` is not one real number.
    ValueError
        If it is not finite, or ``fmt`` is not a format of a number.
    """
    number = plain_number(value) or 0  # no minus sign before a zero
    if fmt is None:
        fmt = ",d" if isinstance(number, int) else ".3g"
    try:
        text = format(number, fmt)
    except ValueError as error:
        raise ValueError(f"{fmt!r} is not a format for the number {number!r}: {error}") from None
    if "e" in text.lower() and not fmt.lower().endswith("e"):
        text = _without_exponent(text)
    elif fmt.lower().endswith("e"):
        text = _power_of_ten(text)
    elif re.fullmatch(r"-?\d{4,}(\.\d+)?", text):
        whole, dot, rest = text.partition(".")
        text = f"{int(whole):,}{dot}{rest}"
    return text.replace("-", "\N{MINUS SIGN}") if text.startswith("-") else text


def plain_number(value: Any) -> int | float:
    """Reduce a numpy scalar, a one-element tensor or a Fact to a finite Python number.

    Raises
    ------
    TypeError
        If it is a boolean, a string, or holds more than one number.
    ValueError
        If it is NaN or infinite.
    """
    if isinstance(value, (bool, str, bytes)) or value is None or type(value).__name__ == "bool_":
        raise TypeError(f"a number is needed, not {value!r}; publish text with publish_text")
    if isinstance(value, Integral):
        return int(value)
    if hasattr(value, "item") and not isinstance(value, Real):
        size = getattr(value, "size", 1)
        count = value.numel() if hasattr(value, "numel") else size
        if count != 1:
            raise TypeError(
                f"one number is needed, not an array of {count}; publish each one by its own name"
            )
        value = value.item()
        if isinstance(value, bool):
            raise TypeError("a number is needed, not a truth value")
        if isinstance(value, int):
            return value
    try:
        number = float(value)
    except TypeError:
        raise TypeError(f"a number is needed, not {type(value).__name__}") from None
    if not math.isfinite(number):
        raise ValueError(f"{number} cannot stand in a sentence; find out where it came from")
    return number


def _without_exponent(text: str) -> str:
    """``'1.98e+03'`` -> ``'1,980'``; beyond a quadrillion, or very small, a power of ten."""
    number = float(text)
    if 1e-4 <= abs(number) < 1e15:
        digits = max(0, -math.floor(math.log10(abs(number))) + 2)
        return f"{number:,.{digits}f}"
    return _power_of_ten(text)


def _power_of_ten(text: str) -> str:
    mantissa, exponent = text.lower().split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    return power if mantissa in ("1", "1.0", "1.00") else f"{mantissa}{NBSP}×{NBSP}{power}"


def with_unit(number: str, unit: str) -> str:
    """Join a number and its unit: a no-break space between them, a dollar sign in front.

    >>> with_unit("148", "TFLOP/s").replace("\\N{NO-BREAK SPACE}", "_")
    '148_TFLOP/s'
    >>> with_unit("1,200", "$")
    '$1,200'
    """
    unit = unit.strip()
    if not unit:
        return number
    if unit in ("$", "€", "£"):
        return unit + number
    return f"{number}{NBSP}{unit.replace(' ', NBSP)}"


def publish(
    name: str, value: Any, unit: str = "", fmt: str | None = None, *, internal: bool = False
) -> Published:
    """Publish a number under a name, for use in the chapter's prose.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores, for instance ``"h20_ridge"``. One name, one number.
    value : float
        A finite number: Python's, a numpy or torch scalar, or a Fact. A Fact brings its unit along if
        ``unit`` is left empty.
    unit : str
        Printed after the number with a no-break space; ``"$"`` is printed before it.
    fmt : str, optional
        Python format, by default three significant digits (whole numbers in full).
    internal : bool
        Say True for a number that no sentence prints; otherwise a test asks for the sentence.

    Returns
    -------
    Published
        The text, a ``str``. It shows nothing when it is the last line of a cell.

    Raises
    ------
    TypeError, ValueError
        For a bad name, a value that is not one finite number, or a name that already stands for another text.
    """
    if not unit and fmt is None and hasattr(value, "cite"):
        return publish_fact(name, value, internal=internal)
    return _record(name, with_unit(format_number(value, fmt), unit or _unit_of(value)), internal)


def publish_text(name: str, text: str, *, internal: bool = False) -> Published:
    """Publish a word or phrase that the chapter found, such as the name of the chip that won a search.

    Raises
    ------
    TypeError, ValueError
        For a bad name or an empty text.
    """
    if not isinstance(text, str):
        raise TypeError(f"publish_text takes text; for {type(text).__name__} use publish")
    if not text.strip():
        raise ValueError(f"the text published as {name!r} is empty")
    return _record(name, text.strip(), internal)


def publish_range(
    name: str, low: Any, high: Any, unit: str = "", fmt: str | None = None, *, internal: bool = False
) -> Published:
    """Publish a range, printed as ``low to high unit``; a range whose ends print alike becomes one number.

    Raises
    ------
    ValueError
        If ``low`` is above ``high``, or for anything that :func:`~computegap.book.numbers.publish` refuses.
    """
    if plain_number(low) > plain_number(high):
        raise ValueError(f"the range {name!r} runs from {low} down to {high}; give the low end first")
    first, last = format_number(low, fmt), format_number(high, fmt)
    if first == last:
        return _record(name, with_unit(first, unit), internal)
    if unit.strip() in ("$", "€", "£"):
        return _record(name, f"{with_unit(first, unit)} to {with_unit(last, unit)}", internal)
    return _record(name, f"{first} to {with_unit(last, unit)}", internal)


def publish_fact(
    name: str, fact: Any, fmt: str | None = None, *, show_range: bool = False, internal: bool = False
) -> Published:
    """Publish a value of the facts registry with its own unit.

    Parameters
    ----------
    name : str
    fact : computegap.facts.Fact
    fmt : str, optional
        By default the registry's own way of writing it.
    show_range : bool
        Add the range, where sources disagree.

    Raises
    ------
    computegap.facts.UntrustedValue
        If nobody trusts the value; it can't be quoted.
    """
    value = float(fact)
    unit = _unit_of(fact)
    text = with_unit(format_number(value, fmt), unit) if fmt else str(fact).replace(" ", NBSP)
    low, high = getattr(fact, "range", (value, value))
    if show_range and None not in (low, high) and low != high:
        text += f" ({format_number(low, fmt)} to {format_number(high, fmt)})"
    return _record(name, text, internal)


def number(name: str) -> str:
    """Text published under a name, for a caption or a figure's title.

    Raises
    ------
    LookupError
        If nothing was published under it; the message suggests the near ones.
    """
    try:
        return session.current.published[name].text
    except KeyError:
        near = get_close_matches(name, session.current.published, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise LookupError(f"no number {name!r} has been published in this chapter{hint}") from None


def say(template: str) -> None:
    """Show a sentence of Markdown with published numbers in it, computed where the reader runs it.

    Parameters
    ----------
    template : str
        Markdown with published names in braces: ``"The ridge lies at **{h20_ridge}**."``

    Raises
    ------
    LookupError
        If a name in braces was not published.
    """
    from IPython.display import Markdown, display

    display(Markdown(fill(template)))


def fill(template: str) -> str:
    """Replace each ``{name}`` by what was published under it; braces around anything else stay."""
    return re.sub(r"\{([a-z][a-z0-9_]*)\}", lambda match: number(match.group(1)), template)


def check(condition: Any, sentence: str) -> None:
    """Hold a chapter to what its prose says, and say which sentence it is that doesn't hold.

    Where the book is built or tested, that is an error, which stops the build. In a notebook that somebody
    runs it is a warning, and the chapter goes on: a busy machine may measure what ours did not, and a reader
    who learns that a sentence does not hold here has learned something.

    Parameters
    ----------
    condition : bool
        A truth value (Python, numpy or a one-element tensor).
    sentence : str
        What the chapter claims, as a sentence. It is the message of the error or of the warning.

    Raises
    ------
    AssertionError
        If the condition is false and the book is being built or tested: ``COMPUTEGAP_SITE=1``, under pytest
        (and so under nbmake), or where ``CI`` is set.
    TypeError
        If the condition is an array of several truth values, or not a truth value at all.
    """
    if not isinstance(sentence, str) or not sentence.strip():
        raise TypeError("check needs the claim as a sentence, so that a failure can be understood")
    if not isinstance(condition, bool):
        if not hasattr(condition, "item"):
            raise TypeError(
                f"check needs a truth value, not {type(condition).__name__}; compare with something"
            )
        try:
            condition = condition.item()
        except (ValueError, RuntimeError):
            raise TypeError(
                "check needs one truth value; say whether all() or any() of them must hold"
            ) from None
        if not isinstance(condition, bool):
            raise TypeError("check needs a truth value, not a number; compare it with something")
    if not condition:
        if any(os.environ.get(name) for name in ("COMPUTEGAP_SITE", "PYTEST_CURRENT_TEST", "CI")):
            raise AssertionError(sentence.strip())
        warnings.warn(f"In this run, on this machine, it does not hold: {sentence.strip()}", stacklevel=2)


def _unit_of(value: Any) -> str:
    unit = getattr(value, "unit", "")
    return unit if isinstance(unit, str) else ""


def _record(name: str, text: str, internal: bool) -> Published:
    if not isinstance(name, str) or not _NAME.match(name):
        raise ValueError(
            f"{name!r} is not a good name for a number: lower-case letters, digits and underscores, "
            "a letter first, for instance 'h20_ridge'"
        )
    published = session.current.published
    known = published.get(name)
    if known is not None and known.text != text and not session.live():
        raise ValueError(
            f"{name!r} already stands for {known.text!r} in this chapter; publish {text!r} by another name"
        )
    published[name] = Record(name, text, internal)
    if known is None or session.live():
        _glue(name, text)
    return Published(text)


def _glue(name: str, text: str) -> None:
    """Leave the text in the notebook for the ``{glue:text}`` role.

    This is the output that ``myst_nb.glue`` writes, made here so that a host without MyST-NB (Colab, Kaggle)
    needs nothing more. The prefix keeps front ends from showing it.
    """
    if not session.in_notebook():
        return
    from IPython.display import display

    prefix = "application/papermill.record/"
    # As a Python literal, quotes included: the role reads it back with literal_eval, which would take "1,200"
    # for a pair of numbers.
    scrapbook = {"name": name, "mime_prefix": prefix}
    display({f"{prefix}text/plain": repr(text)}, raw=True, metadata={"scrapbook": scrapbook})
