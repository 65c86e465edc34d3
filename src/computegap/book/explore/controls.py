"""Controls of an explorable: what the reader may change, and through which values.

A control is a short list of values with a label. The built page shows it as a native element of HTML (a
range, a drop-down, a check box), a kernel shows it as the ipywidget of the same kind; both step through the
same values, so that both show the same pictures.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar


def _numeric(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _same(a: Any, b: Any) -> bool:
    """Equal, where numbers may differ by rounding (0.30000000000000004 is the 0.3 that was meant)."""
    if _numeric(a) and _numeric(b):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15)
    return type(a) is type(b) and a == b


class Control(ABC):
    """What all controls share: ``values``, a ``label``, and the text of each value.

    Attributes
    ----------
    kind : str
        The element on the page: ``"range"``, ``"select"``, ``"checkbox"`` or ``"play"``.
    smooth : bool
        Whether the picture may be interpolated between two neighbouring values while the reader drags.
    """

    kind: ClassVar[str]
    smooth: bool = False
    label: str
    values: list

    @abstractmethod
    def text(self, index: int) -> str:
        """What the reader sees at the value with this index, unit included."""

    def index(self, value: Any) -> int:
        """Index of a value.

        Raises
        ------
        ValueError
            If the control has no such value; the message lists what there is.
        """
        for i, v in enumerate(self.values):
            if _same(v, value):
                return i
        shown = ", ".join(repr(v) for v in self.values[:12]) + (", ..." if len(self.values) > 12 else "")
        near = ""
        if _numeric(value) and all(map(_numeric, self.values)):
            near = f"; the nearest is {min(self.values, key=lambda v: abs(v - value))!r}"
        raise ValueError(f"{value!r} is not among the values of the control {self.label!r} ({shown}){near}")

    def start(self) -> Any:
        """The value to begin with where the drawing function has no default."""
        return self.values[0]


def _values(values: Any, what: str) -> list:
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise TypeError(f"{what} needs a sequence of values, not {values!r}")
    # numpy scalars become plain numbers: what the reader's function gets should not depend on how we counted
    out = [v.item() if hasattr(v, "item") and getattr(v, "ndim", 1) == 0 else v for v in values]
    if not out:
        raise ValueError(f"{what} has no values: give at least one")
    for i, v in enumerate(out):
        if any(_same(v, w) for w in out[:i]):
            raise ValueError(f"{what} has the value {v!r} twice")
    return out


def _label(label: Any, what: str) -> str:
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"{what} needs a label that a reader can see, not {label!r}")
    return label.strip()


@dataclass
class Slider(Control):
    """A slider over numbers (or over anything that has an order).

    Parameters
    ----------
    values : sequence
        The stops of the slider, in order.
    label : str
        Visible name. An empty one is replaced by the parameter's name.
    unit : str
        Printed after the value.
    fmt : str
        Format of the value, as in ``format(value, fmt)``; ignored for values that are not numbers.
    smooth : bool
        Interpolate the picture between two stops during a drag, then snap. Leave it on for continuous
        quantities; turn it off where half-way has no meaning (3.5 chips).
    """

    values: Sequence
    label: str = ""
    unit: str = ""
    fmt: str = "g"
    smooth: bool = True
    kind: ClassVar[str] = "range"

    def __post_init__(self) -> None:
        self.values = _values(self.values, f"the slider {self.label!r}")

    def text(self, index: int) -> str:
        """Value and unit, joined by a no-break space."""
        v = self.values[index]
        shown = format(v, self.fmt) if _numeric(v) else str(v)
        return f"{shown}\N{NO-BREAK SPACE}{self.unit}" if self.unit else shown

    def start(self) -> Any:
        """The middle of the slider."""
        return self.values[len(self.values) // 2]


@dataclass
class Play(Slider):
    """A slider over time with a play button, for a recorded run or a history.

    Parameters
    ----------
    values, label, unit, fmt, smooth
        As for :class:`Slider`.
    seconds : float
        How long one pass through all values takes.
    """

    seconds: float = 6.0
    kind: ClassVar[str] = "play"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seconds > 0:
            raise ValueError(
                f"one pass of the player {self.label!r} must take some time, not {self.seconds} s"
            )

    def start(self) -> Any:
        """The first moment."""
        return self.values[0]


@dataclass
class Choice(Control):
    """A drop-down.

    Parameters
    ----------
    options : sequence or mapping
        The values; a mapping gives ``{what the reader sees: value}``.
    label : str
        Visible name. An empty one is replaced by the parameter's name.
    """

    options: Sequence | Mapping
    label: str = ""
    kind: ClassVar[str] = "select"

    def __post_init__(self) -> None:
        what = f"the drop-down {self.label!r}"
        if isinstance(self.options, Mapping):
            self.names = [str(k) for k in self.options]
            self.values = _values(list(self.options.values()), what)
        else:
            self.values = _values(self.options, what)
            self.names = [str(v) for v in self.values]

    def text(self, index: int) -> str:
        """The name of the option."""
        return self.names[index]


@dataclass
class Toggle(Control):
    """A check box: ``False`` or ``True``.

    Parameters
    ----------
    label : str
        Visible name. An empty one is replaced by the parameter's name.
    on, off : str
        How the two states are named to a screen reader and in messages.
    """

    label: str = ""
    on: str = "on"
    off: str = "off"
    kind: ClassVar[str] = "checkbox"

    def __post_init__(self) -> None:
        self.values = [False, True]

    def text(self, index: int) -> str:
        """``on`` or ``off`` (or the names given)."""
        return (self.off, self.on)[index]


def _span(lo: Any, hi: Any, step: Any) -> list:
    if not all(map(_numeric, (lo, hi, step))):
        raise TypeError(
            f"a slider as a tuple is (low, high) or (low, high, step) in numbers, not {(lo, hi, step)!r}"
        )
    if not hi > lo or not step > 0:
        raise ValueError(
            f"a slider from {lo} to {hi} in steps of {step} is empty: low < high and step > 0 are needed"
        )
    n = math.floor((hi - lo) / step + 1e-9)
    if n > 100_000:
        raise ValueError(
            f"a slider from {lo} to {hi} in steps of {step} has {n + 1:,} stops: take a larger step"
        )
    # rounding keeps 0.1 + 0.2 from becoming a label of seventeen digits
    return [v if isinstance(v, Integral) else round(v, 12) for v in (lo + k * step for k in range(n + 1))]


def as_control(spec: Any, name: str, default: Any = None) -> Control:
    """Make a control from one of the abbreviations of :func:`ipywidgets.interact`.

    ``[a, b]`` and ``{"name": a}`` become a drop-down, ``True`` or ``False`` a check box, ``(low, high)`` or
    ``(low, high, step)`` a slider, a number a slider around it; a control stays what it is.

    Parameters
    ----------
    spec
        The abbreviation or the control.
    name : str
        The parameter it is for; its visible name where the control has no label.
    default
        Default of the parameter, only used to choose the stops around a single number.

    Raises
    ------
    TypeError
        If ``spec`` is none of these.
    ValueError
        If it has no values, or values twice.
    """
    if isinstance(spec, Control):
        control = spec
    elif isinstance(spec, bool):
        control = Toggle(name)
    elif isinstance(spec, Mapping) or (
        isinstance(spec, Sequence) and not isinstance(spec, str | bytes | tuple)
    ):
        control = Choice(spec, name)
    elif isinstance(spec, tuple) and len(spec) in (2, 3):
        lo, hi = spec[:2]
        whole = all(isinstance(v, Integral) for v in spec)
        control = Slider(
            _span(lo, hi, spec[2] if len(spec) == 3 else (1 if whole else 0.1)), name, smooth=not whole
        )
    elif _numeric(spec):
        whole = isinstance(spec, Integral)
        lo, hi = (0, 1) if spec == 0 else sorted((-spec, 3 * spec))
        control = Slider(_span(lo, hi, 1 if whole else (hi - lo) / 20), name, smooth=not whole)
    else:
        raise TypeError(
            f"{spec!r} cannot be a control for {name!r}: give Slider, Choice, Toggle or Play, a list, "
            "a dict, a bool, a number, or a tuple (low, high, step)"
        )
    control.label = _label(control.label or name, f"the control for {name!r}")
    return control
