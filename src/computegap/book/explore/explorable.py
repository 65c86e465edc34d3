"""The explorable: one function that draws, and three ways to show what it draws."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any

from computegap.book import assets

from . import encode, page, states, svg
from .controls import Control, as_control


def on_site() -> bool:
    """Whether the chapter runs for the built site (``COMPUTEGAP_SITE=1``)."""
    return os.environ.get("COMPUTEGAP_SITE") == "1"


def _parameters(fn: Callable) -> tuple[dict[str, inspect.Parameter], bool]:
    """Named parameters of a function, and whether it takes any others."""
    kinds = inspect.Parameter
    found = inspect.signature(fn).parameters
    named = {k: p for k, p in found.items() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)}
    return named, any(p.kind is kinds.VAR_KEYWORD for p in found.values())


def _name(fn: Callable) -> str:
    return getattr(fn, "__name__", None) or getattr(getattr(fn, "func", None), "__name__", None) or repr(fn)


class Explorable:
    """A figure that the reader can change. Made by :func:`explore`; shows itself as the last value of a cell.

    Attributes
    ----------
    title, caption : str
        Printed under the picture.
    basis : tuple of str
        What it rests on.
    controls : dict
        Parameter -> control.
    default : dict
        Parameter -> value of the state it starts with.
    """

    def __init__(
        self,
        draw: Callable,
        describe: Callable,
        title: str,
        caption: str,
        basis: str | Iterable[str],
        controls: dict[str, Any],
        max_states: int | None,
    ) -> None:
        if not isinstance(title, str) or not title.strip():
            raise ValueError("an explorable needs a title: a screen reader has no other name for it")
        self.title, self.caption, self.basis = title.strip(), caption.strip(), page.bases(basis)
        self._draw, self._describe = draw, describe
        self._max_states = max_states or int(os.environ.get("COMPUTEGAP_MAX_STATES", states.MAX_STATES))
        self.controls, self.default = self._match(controls)
        self._bundle: dict[str, str] = {}

    def _match(self, specs: dict[str, Any]) -> tuple[dict[str, Control], dict[str, Any]]:
        """Controls and defaults, checked against what ``draw`` and ``describe`` take."""
        parameters, open_ended = _parameters(self._draw)
        name = _name(self._draw)
        if not specs:
            raise ValueError(
                f"{self.title!r} has no control; show(fig, alt=...) displays a picture without any"
            )
        for key in specs:
            if key not in parameters and not open_ended:
                raise ValueError(
                    f"a control for {key!r}, but {name} has no such parameter; "
                    f"it takes {', '.join(parameters)}"
                )
        empty = inspect.Parameter.empty
        missing = [k for k, p in parameters.items() if p.default is empty and k not in specs]
        if missing:
            raise ValueError(f"{name} needs {', '.join(missing)}: give a control or a default")
        takes, describes_any = _parameters(self._describe)
        unknown = [k for k in specs if k not in takes] if not describes_any else []
        if unknown:
            raise ValueError(
                f"{_name(self._describe)} must take the same state as {name}; it lacks {', '.join(unknown)}"
            )
        controls, default = {}, {}
        for key, spec in specs.items():
            given = parameters[key].default if key in parameters else empty
            controls[key] = as_control(spec, key)
            default[key] = controls[key].start() if given is empty else given
            default[key] = controls[key].values[controls[key].index(default[key])]
        return controls, default

    def _state(self, state: dict[str, Any]) -> dict[str, Any]:
        for key, value in state.items():
            if key not in self.controls:
                raise ValueError(f"{self.title!r} has no control {key!r}; it has {', '.join(self.controls)}")
            self.controls[key].index(value)
        return {**self.default, **state}

    # -- one state ---------------------------------------------------------------------------------------

    def figure(self, **state: Any) -> Any:
        """The matplotlib Figure of a state; what is not given has its default."""
        import matplotlib as mpl

        from computegap.book import style

        with mpl.rc_context(style.RC):
            return self._draw(**self._state(state))

    def describe(self, **state: Any) -> str:
        """The sentence about a state; what is not given has its default."""
        return states.sentence(self._describe, self._state(state), self.title)

    def frame(self, uid: str, **state: Any) -> tuple[str, str]:
        """Inline SVG of a state with this prefix for its ids, and the sentence about it, both made now."""
        state = self._state(state)
        sentence = states.sentence(self._describe, state, self.title)
        tree = states.draw_frame(self._draw, state, self.title)
        return svg.dumps(svg.finish([tree], uid, self.title, [sentence])[0]), sentence

    def svg(self, **state: Any) -> str:
        """Inline SVG of a state, drawn now; what is not given has its default."""
        return self.frame("cg-now", **state)[0]

    # -- all states --------------------------------------------------------------------------------------

    def states(self) -> list[dict[str, Any]]:
        """All states, the last control varying fastest."""
        return states.grid(self.controls)

    def _all(self) -> tuple[list, list[str]]:
        states.check_size(self.title, self.controls, self._max_states)
        return states.draw_all(self._draw, self._describe, self.states(), self.title)

    def frames(self, uid: str = "cg-all") -> list:
        """SVG trees of all states, in the order of :meth:`states`.

        Raises
        ------
        ValueError
            If there are too many.
        computegap.book.explore.states.StateError
            If one of them cannot be drawn; the message names it.
        """
        frames, sentences = self._all()
        return svg.finish(frames, uid, self.title, sentences)

    def static_html(self, *, standalone: bool = False) -> str:
        """The explorable for a page without a kernel, with all its states.

        Parameters
        ----------
        standalone : bool
            Add style and player, for a page that doesn't load them itself.
        """
        frames, sentences = self._all()
        shape = [len(c.values) for c in self.controls.values()]
        start = [c.index(self.default[k]) for k, c in self.controls.items()]
        default = functools.reduce(lambda at, axis: at * axis[0] + axis[1], zip(shape, start, strict=True), 0)
        uid = page.unique_id(self.title, svg.dumps(frames[default]) + "".join(sentences) + repr(shape))
        trees = svg.finish(frames, uid, self.title, sentences)
        html = page.explorable(
            uid,
            self.title,
            self.caption,
            self.basis,
            svg.dumps(trees[default]),
            sentences[default],
            self.controls,
            start,
            encode.pack(encode.encode(trees, shape, default)),
        )
        return html + (assets.tags("explorable") if standalone else "")

    def picture_html(self) -> str:
        """The default state alone, with its caption, for places where nothing can move."""
        markup, sentence = self.frame("cg-x")
        uid = page.unique_id(self.title, markup)
        return page.figure(uid, self.title, self.caption, self.basis, markup.replace("cg-x", uid), sentence)

    def widget(self) -> Any:
        """The explorable with a kernel behind it: an ipywidget that draws a state when it is asked for."""
        from .live import widget

        return widget(self)

    # -- display -----------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Do what may fail while the cell runs; in a display hook an error would not stop the chapter."""
        if on_site():
            self._bundle = {"text/html": self.static_html()}
        else:
            head = assets.tags("explorable", script=False)
            self._bundle = {
                "text/html": head + self.picture_html(),
                "image/png": states.png(self.figure()),
            }
        self._bundle["text/plain"] = f"{self.title}. {self.describe()}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Everything a front end may choose from: the widget, the page, the picture, one sentence."""
        bundle = dict(self._bundle)
        if not on_site():
            made = self.widget()._repr_mimebundle_()
            made = made[0] if isinstance(made, tuple) else made
            bundle.update((k, v) for k, v in made.items() if k != "text/plain")
        return bundle


def explore(
    draw: Callable,
    *,
    title: str,
    describe: Callable,
    caption: str = "",
    basis: str | Iterable[str] = "computed",
    max_states: int | None = None,
    **controls: Any,
) -> Explorable:
    """Let the reader change a figure, with a kernel and without one.

    Parameters
    ----------
    draw : callable
        ``draw(**state)`` returns a :class:`matplotlib.figure.Figure`. Its defaults are the state to start
        with; a parameter without one starts in the middle of its slider, or with its first option.
    title : str
        What the figure shows; printed before the caption, and the picture's name for a screen reader.
    describe : callable
        ``describe(**state)`` returns one sentence, computed from the data, that says what the picture shows.
    caption : str
        What to look at, and what the figure leaves out.
    basis : str or iterable of str
        What the figure rests on: ``"measured"``, ``"simulated"``, ``"computed"``, ``"quoted"`` or
        ``"assumed"``, or several of these.
    max_states : int, optional
        How many states may be drawn in advance (default 400).
    **controls
        A control for each parameter that the reader may change: :class:`Slider`, :class:`Choice`,
        :class:`Toggle`, :class:`Play`, or an abbreviation as for :func:`ipywidgets.interact`.

    Returns
    -------
    Explorable
        Shows itself when it is the last value of a cell.

    Raises
    ------
    ValueError
        If the controls don't fit the functions, a default is not among a control's values, or (where the
        states are drawn in advance) there are too many of them.
    computegap.book.explore.states.StateError
        If a state cannot be drawn or described; the message names it.
    TypeError
        If something is no control.
    """
    made = Explorable(draw, describe, title, caption, basis, controls, max_states)
    made._prepare()
    return made
