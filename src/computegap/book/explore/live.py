"""The explorable with a kernel: ipywidgets that draw the state asked for, exactly and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computegap.book import assets

from . import page
from .controls import Control, Play, Slider

if TYPE_CHECKING:
    from .explorable import Explorable


def _widget(control: Control, value: Any) -> tuple[Any, Any]:
    """What is shown, and the widget whose ``value`` is the control's value."""
    import ipywidgets as w

    look = {"style": {"description_width": "initial"}, "description": control.label}
    options = [(control.text(i), v) for i, v in enumerate(control.values)]
    if isinstance(control, Slider):
        slider = w.SelectionSlider(options=options, value=value, layout={"width": "22rem"}, **look)
        if not isinstance(control, Play):
            return slider, slider
        last = len(options) - 1
        interval = max(150, round(1000 * control.seconds / max(1, last)))
        player = w.Play(min=0, max=last, value=control.index(value), interval=interval)
        w.jslink((player, "value"), (slider, "index"))
        return w.HBox([player, slider]), slider
    if control.kind == "select":
        choice = w.Dropdown(options=options, value=value, **look)
        return choice, choice
    box = w.Checkbox(value=bool(value), description=control.label, indent=False)
    return box, box


def widget(explorable: Explorable) -> Any:
    """Controls over a picture; the picture is drawn again whenever a control has a new value.

    A state that cannot be drawn is named under the last good picture, and the controls stay alive.
    """
    import ipywidgets as w

    uid = page.unique_id(explorable.title, "live")
    made = {k: _widget(c, explorable.default[k]) for k, c in explorable.controls.items()}
    picture = w.HTML()
    head = assets.tags("explorable", script=False)

    def draw(_change: Any = None) -> None:
        state = {k: source.value for k, (_, source) in made.items()}
        try:
            markup, sentence = explorable.frame(uid, **state)
        except Exception as e:
            message.value = f'<p role="alert">{page.escape(str(e))}</p>'
            return
        message.value = ""
        picture.value = head + page.figure(
            uid, explorable.title, explorable.caption, explorable.basis, markup, sentence
        )

    message = w.HTML()
    draw()
    for _, source in made.values():
        source.observe(draw, "value")
    controls = w.Box([shown for shown, _ in made.values()], layout={"flex_flow": "row wrap"})
    return w.VBox([controls, picture, message])
