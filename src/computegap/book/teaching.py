"""What makes a chapter teachable: its opening card, predictions to commit to, quizzes and exercises.

Each function shows plain HTML that a small script (``assets/teaching.js``) brings to life. The same output
works in the built site, where no kernel runs, and in JupyterLab or Colab. Without JavaScript the question
stands there with its answer folded away beneath it.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from . import session
from .markup import blocks, inline, plain
from .numbers import NBSP, format_number, plain_number, with_unit

#: Keeps JupyterLab's one-key commands away while someone types an answer.
_OWN_KEYS = "data-lm-suppress-shortcuts"
_ID = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


class Card:
    """A piece of the page: HTML for a browser, Markdown and plain text for whatever cannot show it.

    Attributes
    ----------
    html, markdown : str
    """

    def __init__(self, html_: str, markdown: str) -> None:
        self.html = html_
        self.markdown = markdown

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """All forms at once; the front end takes the best it can show."""
        return {
            "text/html": self.html + _assets(),
            "text/markdown": self.markdown,
            "text/plain": plain_markdown(self.markdown),
        }

    def __repr__(self) -> str:
        return plain_markdown(self.markdown)


def plain_markdown(markdown: str) -> str:
    """Markdown with its signs removed, for a terminal."""
    return re.sub(r"</?(details|summary)>|\*\*", "", markdown).strip()


def _assets() -> str:
    """Style and script, in front ends other than the site, whose pages load them once."""
    if session.building_site():
        return ""
    folder = files("computegap.book") / "assets"
    style = (folder / "teaching.css").read_text("utf-8")
    script = (folder / "teaching.js").read_text("utf-8")
    return f"<style>{style}</style><script>{script}</script>"


def _show(card: Card) -> Card:
    """Display the card where there is a notebook, and hand it back quietly."""
    if session.in_notebook():
        from IPython.display import display

        display(card)
        return _Shown(card.html, card.markdown)
    return card


class _Shown(Card):
    """A card that is on the page already, so that it isn't shown again when it ends a cell."""

    def _ipython_display_(self) -> None:
        return None


def opening(question: str, goals: Sequence[str], needs: str | Sequence[str], minutes: int) -> Card:
    """Open a chapter: its question, what the reader will be able to do, what it needs, how long it takes.

    Parameters
    ----------
    question : str
        The chapter's question, one sentence.
    goals : sequence of str
        Endings of "You will be able to ...", each starting with a verb.
    needs : str or sequence of str
        What the reader should bring.
    minutes : int
        Time to read and play, without the exercises.

    Raises
    ------
    TypeError, ValueError
        If a part is missing or empty, or ``minutes`` is not a whole number above zero.
    """
    goals, needs = _texts(goals, "goals"), _texts(needs, "needs")
    if isinstance(minutes, bool) or not isinstance(minutes, int) or minutes <= 0:
        raise ValueError(f"minutes is a whole number above zero, not {minutes!r}")
    time = f"About {minutes}{NBSP}minutes, exercises not counted"
    page = (
        '<div class="cg-teach cg-opening">'
        f'<p class="cg-question">{inline(question)}</p>'
        f"<dl><dt>You will be able to</dt><dd>{_list(goals)}</dd>"
        f"<dt>You need</dt><dd>{_list(needs)}</dd>"
        f"<dt>Time</dt><dd>{time}.</dd></dl></div>"
    )
    lines = [f"**{question.strip()}**", "", "**You will be able to**", "", *(f"- {goal}" for goal in goals)]
    lines += ["", "**You need**", "", *(f"- {need}" for need in needs), "", f"**Time.** {time}."]
    return _show(Card(page, "\n".join(lines)))


def predict(
    id: str,
    question: str,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    answer: Any = None,
    explain: str = "",
    fmt: str | None = None,
    *,
    options: Sequence[str] | None = None,
    answer_range: tuple[Any, Any] | None = None,
    log: bool = False,
    gap: str = "auto",
) -> Card:
    """Ask for a prediction first; once the reader has committed to one, show the answer and the gap.

    Parameters
    ----------
    id : str
        Name of the question on its page, lower-case with hyphens.
    question : str
        What to predict.
    low, high : float
        Ends of the slider, for a number. Any number may be typed.
    unit : str
        Unit of the number.
    answer : float or str
        The answer as the chapter computed it, a number or a Fact; one of ``options`` for a choice.
    explain : str
        Why it is so; paragraphs are split at empty lines.
    fmt : str, optional
        Python format of the answer.
    options : sequence of str, optional
        Choices, instead of a number.
    answer_range : tuple, optional
        Its low and high end, where the answer is known as a range; the reader is told whether the prediction
        fell inside. A Fact whose sources disagree brings its own.
    log : bool
        Let the slider move by ratios; both ends must be above zero.
    gap : str
        How the gap is put into words: "ratio", "percent", "difference" or "auto". By default a ratio where
        the slider spans a factor of ten or more, a difference for percentages and where the slider reaches
        below zero, a percentage elsewhere.

    Raises
    ------
    TypeError, ValueError
        If the answer lies outside the slider, isn't among the options, or a part is missing.
    """
    _check_id(id)
    if not explain.strip():
        raise ValueError(f"prediction {id!r} has no explanation: say why the answer is so")
    if options is not None:
        if low is not None or high is not None:
            raise ValueError(f"prediction {id!r} has both options and a slider; choose one")
        return _show(_predict_choice(id, question, list(options), answer, explain))
    question_ = _number_question(id, low, high, unit, answer, fmt, answer_range, log, gap)
    return _show(_predict_number(id, question, question_, explain))


@dataclass(frozen=True)
class _NumberQuestion:
    low: float
    high: float
    unit: str
    answer: float
    inside: tuple[float, float] | None
    text: str
    log: bool
    gap: str


def _number_question(id_, low, high, unit, answer, fmt, answer_range, log, gap) -> _NumberQuestion:
    if low is None or high is None or answer is None:
        raise ValueError(f"prediction {id_!r} needs low, high and answer, or options and answer")
    unit = unit or getattr(answer, "unit", "")
    true, low, high = float(plain_number(answer)), float(low), float(high)
    if not low < high:
        raise ValueError(f"prediction {id_!r}: low must be below high, not {low} and {high}")
    if not low <= true <= high:
        raise ValueError(
            f"prediction {id_!r}: the answer {true} lies outside the slider from {low} to {high}"
        )
    if log and low <= 0:
        raise ValueError(
            f"prediction {id_!r}: a slider that moves by ratios must start above zero, not at {low}"
        )
    if gap not in ("auto", "ratio", "percent", "difference"):
        raise ValueError(f"gap is 'auto', 'ratio', 'percent' or 'difference', not {gap!r}")
    if gap == "auto":
        gap = "difference" if low < 0 or unit == "%" else "ratio" if high >= 10 * low else "percent"
    if gap != "difference" and low < 0:
        raise ValueError(
            f"prediction {id_!r}: a ratio means nothing for numbers below zero; use gap='difference'"
        )
    ends = answer_range if answer_range is not None else getattr(answer, "range", None)
    inside = None
    if ends and None not in ends and float(ends[0]) != float(ends[1]):
        inside = (float(plain_number(ends[0])), float(plain_number(ends[1])))
        if not inside[0] <= true <= inside[1]:
            raise ValueError(f"prediction {id_!r}: the answer {true} lies outside its own range {inside}")
    value = answer if isinstance(answer, int) else true
    text = with_unit(format_number(value, fmt), unit)
    if inside:
        first, last = (format_number(end, fmt) for end in inside)
        text += f" (estimates run from {first} to {with_unit(last, unit)})"
    return _NumberQuestion(low, high, unit, true, inside, text, log, gap)


def _predict_number(id_: str, question: str, q: _NumberQuestion, explain: str) -> Card:
    key = f"cg-predict-{id_}"
    data = {"answer": f"{q.answer:.12g}", "unit": q.unit, "gap": q.gap}
    if q.inside:
        data |= {"from": f"{q.inside[0]:.12g}", "to": f"{q.inside[1]:.12g}"}
    attributes = "".join(f' data-{name}="{html.escape(value)}"' for name, value in data.items())
    ends = f'data-low="{q.low:.12g}" data-high="{q.high:.12g}"' + (" data-log" if q.log else "")
    unit = f' <span id="{key}-u">{html.escape(q.unit)}</span>' if q.unit else ""
    described = f' aria-describedby="{key}-u"' if q.unit else ""
    controls = (
        f'<label for="{key}-n">Your prediction</label> '
        '<span class="cg-number">'
        f'<input id="{key}-n" type="number" step="any" required{described}>{unit}</span> '
        f'<input type="range" min="0" max="1000" value="500" {ends} aria-label="Your prediction, by slider" '
        f'aria-valuetext="not set yet"> '
    )
    answer = f'<p class="cg-answer"><strong>Answer: {html.escape(q.text)}.</strong></p>'
    return _prediction(key, question, controls, attributes, answer, explain, q.text)


def _predict_choice(id_: str, question: str, options: list[str], answer: Any, explain: str) -> Card:
    if len(options) < 2 or len(set(options)) != len(options):
        raise ValueError(f"prediction {id_!r} needs at least two different options")
    if answer not in options:
        raise ValueError(f"prediction {id_!r}: the answer {answer!r} is not among the options")
    key = f"cg-predict-{id_}"
    radios = _radios(key, options, required=True)
    text = plain(answer)
    attributes = f' data-choice="{options.index(answer)}"'
    answer_html = f'<p class="cg-answer"><strong>Answer: {inline(answer)}.</strong></p>'
    return _prediction(key, question, radios, attributes, answer_html, explain, text)


def _prediction(
    key: str, question: str, controls: str, attributes: str, answer: str, explain: str, text: str
) -> Card:
    page = (
        f'<div class="cg-teach cg-predict" id="{key}"{attributes} {_OWN_KEYS}>'
        f"<form><fieldset><legend>{_kicker('Predict first')} {inline(question)}</legend>"
        f'<div class="cg-inputs">{controls}</div></fieldset>'
        '<button type="submit">Commit</button></form><div role="status"></div>'
        f"<details><summary>The answer</summary>{answer}{blocks(explain)}</details></div>"
    )
    markdown = (
        f"**Predict first.** {question.strip()}\n\n<details><summary>The answer</summary>\n\n"
        f"**{text}.** {explain.strip()}\n\n</details>"
    )
    return Card(page, markdown)


@dataclass(frozen=True)
class Answer:
    """One answer of a quiz.

    Attributes
    ----------
    text : str
        What the reader chooses.
    why : str
        Feedback: why it is right, or what the one who chose it has overlooked.
    right : bool
    """

    text: str
    why: str
    right: bool = False


def quiz(question: str, answers: Sequence[Answer], id: str = "") -> Card:
    """Ask a question with one right answer and feedback for each; the reader may try again.

    Parameters
    ----------
    question : str
    answers : sequence of Answer
        Two or more, exactly one of them right, each with its feedback.
    id : str, optional
        Name on the page; by default made from the question.

    Raises
    ------
    TypeError, ValueError
        If that isn't so.
    """
    answers = list(answers)
    if any(not isinstance(answer, Answer) for answer in answers):
        raise TypeError("a quiz takes a list of Answer(text, why, right=False)")
    if len(answers) < 2 or sum(answer.right for answer in answers) != 1:
        raise ValueError(f"the quiz {question!r} needs two or more answers of which exactly one is right")
    if any(not answer.text.strip() or not answer.why.strip() for answer in answers):
        raise ValueError(f"each answer of the quiz {question!r} needs its text and its feedback")
    if len({answer.text for answer in answers}) != len(answers):
        raise ValueError(f"two answers of the quiz {question!r} are the same")
    id = id or hashlib.sha256(question.encode()).hexdigest()[:8]
    _check_id(id)
    key = f"cg-quiz-{id}"
    feedback = "".join(
        f"<li{' data-right' if answer.right else ''}><p>{inline(answer.text)}: "
        f"<strong>{_verdict(answer)}.</strong> <span>{inline(_sentence(answer.why))}</span></p></li>"
        for answer in answers
    )
    radios = _radios(key, [answer.text for answer in answers], required=True)
    page = (
        f'<div class="cg-teach cg-quiz" id="{key}" {_OWN_KEYS}><form><fieldset>'
        f"<legend>{_kicker('Check yourself')} {inline(question)}</legend>"
        f'<div class="cg-inputs">{radios}</div></fieldset>'
        '<button type="submit">Check</button></form><div role="status"></div>'
        f"<details><summary>All answers, with reasons</summary><ul>{feedback}</ul></details></div>"
    )
    lines = "\n".join(f"- {a.text}: **{_verdict(a)}.** {a.why}" for a in answers)
    choices = "\n".join(f"- {a.text}" for a in answers)
    markdown = (
        f"**Check yourself.** {question.strip()}\n\n{choices}\n\n"
        f"<details><summary>All answers, with reasons</summary>\n\n{lines}\n\n</details>"
    )
    return _show(Card(page, markdown))


def _sentence(text: str) -> str:
    """End a text with a full stop if it has no end of its own."""
    text = text.strip()
    return text if text.endswith((".", "?", "!", ".)", "”")) else text + "."


def _verdict(answer: Answer) -> str:
    return "right" if answer.right else "not so"


def _kicker(words: str) -> str:
    return f'<span class="cg-kicker">{words}</span>'


def _radios(key: str, texts: Sequence[str], required: bool) -> str:
    must = " required" if required else ""
    return "".join(
        f'<label><input type="radio" name="{key}" value="{index}"{must}> <span>{inline(text)}</span></label>'
        for index, text in enumerate(texts)
    )


def _list(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{inline(text)}</li>" for text in texts) + "</ul>"


def _texts(value: str | Sequence[str], what: str) -> list[str]:
    texts = [value] if isinstance(value, str) else list(value)
    if not texts or any(not isinstance(text, str) or not text.strip() for text in texts):
        raise ValueError(f"{what} needs at least one sentence, and none of them empty")
    return texts


def _check_id(id_: str) -> None:
    if not isinstance(id_, str) or not _ID.match(id_):
        raise ValueError(f"{id_!r} is not a good name on a page: lower-case letters, digits and hyphens")
