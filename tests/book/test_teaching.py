"""Cards: what they say, what they refuse, and that no text can break out of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.book import markup
from computegap.book.claims import claims_table
from computegap.book.teaching import Answer, opening, predict, quiz

A, B = Answer("because A", "A is half of it"), Answer("because B", "B decides", right=True)
NASTY = "<script>alert(1)</script> \"quoted\" 'single' & <img src=x onerror=y>"


class Tags(HTMLParser):
    VOID = ("input", "br", "img")

    def __init__(self):
        super().__init__()
        self.seen, self.stack, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def parse(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    parser.close()
    assert parser.stack == []
    return parser


def number(**changes):
    given_ = {
        "id": "rate",
        "question": "How fast?",
        "low": 1,
        "high": 1000,
        "unit": "TFLOP/s",
        "answer": 148.0,
        "explain": "So.",
    }
    return predict(**{**given_, **changes})


def test_the_site_gets_no_inline_code_and_a_live_notebook_does(monkeypatch):
    card = quiz("Why?", [A, B])
    monkeypatch.setenv("COMPUTEGAP_SITE", "1")
    bundle = card._repr_mimebundle_()
    assert "<script" not in bundle["text/html"]
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    monkeypatch.delenv("COMPUTEGAP_SITE")
    assert "<script>" in card._repr_mimebundle_()["text/html"]


def test_script_and_style_are_small():
    import gzip

    for name, limit in (("teaching.js", 3 * 1024), ("teaching.css", 3 * 1024)):
        assert len(gzip.compress((files("computegap.book") / "assets" / name).read_bytes())) <= limit, name


@pytest.mark.parametrize(
    "card",
    [
        lambda: opening(NASTY, [NASTY], [NASTY], 3),
        lambda: predict("x", NASTY, 0, 9, 'GB"><b', 3.0, NASTY),
        lambda: predict("x", NASTY, options=[NASTY, "no"], answer=NASTY, explain=NASTY),
        lambda: quiz(NASTY, [Answer(NASTY, NASTY), Answer("no", NASTY, right=True)]),
        lambda: claims_table(
            [("C1", "holds", NASTY)],
            lookup=lambda _: SimpleNamespace(
                text=NASTY,
                verdict=NASTY,
                evidence=NASTY,
                sources=[SimpleNamespace(title=NASTY, url='javascript:alert("x")')],
            ),
        ),
    ],
)
def test_no_text_breaks_out_of_a_card(card):
    parser = parse(card().html)
    assert not {"script", "img"} & set(parser.seen)
    assert not [name for name in parser.attributes if name.startswith("on")]
    assert "javascript:" not in card().html


@given(st.text(alphabet="ab*`<>&\"'[]()/;i# \n", max_size=40))
def test_markup_is_balanced_or_refused(text):
    try:
        html = markup.inline(text)
    except ValueError:
        return
    allowed = {"b", "i", "em", "strong", "code", "sub", "sup", "a"}
    assert set(parse(html).seen) <= allowed


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** and *it*", "<strong>bold</strong> and <em>it</em>"),
        ("`a < b`", "<code>a &lt; b</code>"),
        ("H<sub>2</sub>O", "H<sub>2</sub>O"),
        ("a &lt; b &amp; c", "a &lt; b &amp; c"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("[the rule](../a.html)", '<a href="../a.html">the rule</a>'),
        ("3A090.a", "3A090.a"),
    ],
)
def test_markup(text, html):
    assert markup.inline(text) == html


@pytest.mark.parametrize(
    "text", ["<b>open", "closed</b>", "<b><i>x</b></i>", "[x](javascript:alert)", "[x](data:text/html)"]
)
def test_markup_refuses(text):
    with pytest.raises(ValueError, match=r"open|closes|link"):
        markup.inline(text)


def test_an_opening_says_what_for_what_with_and_how_long():
    card = opening("What may not be sold?", ["read a rule"], "Python", 40)
    for part in ("What may not be sold?", "read a rule", "Python", "40\u00a0minutes"):
        assert part in card.html
        assert part in card.markdown


@pytest.mark.parametrize("minutes", [0, -3, 2.5, True, "ten"])
def test_an_opening_wants_minutes(minutes):
    with pytest.raises(ValueError, match="minutes"):
        opening("Q?", ["g"], "n", minutes)


def test_an_opening_wants_goals():
    with pytest.raises(ValueError, match="goals"):
        opening("Q?", [], "n", 3)


def test_a_prediction_carries_answer_range_and_gap():
    html = number(answer_range=(120, 150)).html
    assert 'data-answer="148"' in html
    assert 'data-from="120"' in html
    assert 'data-to="150"' in html
    assert 'data-gap="ratio"' in html
    assert "estimates run from 120 to 150\u00a0TFLOP/s" in html
    assert 'data-gap="difference"' in number(unit="%", low=0, high=200).html
    assert 'data-gap="percent"' in number(low=100, high=200).html


def test_a_fact_brings_unit_and_range():
    class Peak:
        unit, range = "TFLOP/s", (140.0, 150.0)

        def __float__(self):
            return 148.0

    html = number(answer=Peak(), unit="").html
    assert 'data-unit="TFLOP/s"' in html
    assert 'data-from="140"' in html


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": 2000.0}, "outside the slider"),
        ({"answer": None}, "needs low, high and answer"),
        ({"low": 5, "high": 5, "answer": 5}, "low must be below high"),
        ({"low": 0, "log": True}, "above zero"),
        ({"explain": " "}, "no explanation"),
        ({"id": "Bad Id"}, "not a good name"),
        ({"gap": "huge"}, "gap is"),
        ({"low": -1, "gap": "ratio"}, "below zero"),
        ({"answer_range": (1, 2)}, "outside its own range"),
        ({"options": ["a", "b"]}, "both options and a slider"),
    ],
)
def test_bad_predictions_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        number(**changes)


def test_bad_choices_are_refused():
    with pytest.raises(ValueError, match="not among the options"):
        predict("x", "Q?", options=["a", "b"], answer="c", explain="e")
    with pytest.raises(ValueError, match="two different options"):
        predict("x", "Q?", options=["a", "a"], answer="a", explain="e")


def test_a_quiz_shows_each_reason_once_and_folded():
    html = quiz("Why?", [A, B]).html
    details = re.search("<details>.*</details>", html)[0]
    assert "A is half of it." in details
    assert "B decides." in details
    assert "B decides" not in html.replace(details, "")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([A], "exactly one is right"),
        ([A, A], "exactly one is right"),
        ([B, Answer("c", "d", right=True)], "exactly one is right"),
        ([A, Answer("x", " ", right=True)], "feedback"),
        ([Answer("x", "y"), Answer("x", "z", right=True)], "the same"),
    ],
)
def test_bad_quizzes_are_refused(answers, message):
    with pytest.raises(ValueError, match=message):
        quiz("Why?", answers)


def test_a_quiz_takes_answers_only():
    with pytest.raises(TypeError, match="Answer"):
        quiz("Why?", ["a", "b"])


CLAIM = SimpleNamespace(
    text="It stops all.",
    verdict="partly",
    evidence="Some | sold.",
    sources=[SimpleNamespace(title="R", url="https://e.org")],
)


def test_claims_stand_beside_the_literature():
    card = claims_table([("C1", "holds in part", "Two were sold.")], lookup=lambda _: CLAIM)
    row = re.search("<tbody[^>]*>(.*)</tbody>", card.html)[1]
    assert "It stops all.</th>" in row
    assert "<strong>Holds in part.</strong> Two were sold." in row
    assert "<strong>Partly.</strong>" in row
    assert '<a href="https://e.org">R</a>' in row
    assert 'scope="row"' in row
    assert card.markdown.count("\n") == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one"),
        ([("C1", "true", "x")], "not a verdict"),
        ([("C1", "holds", " ")], "say what"),
        ([("C1", "holds")], "a row is"),
        ([("C1", "holds", "x"), ("C1", "holds", "y")], "twice"),
    ],
)
def test_bad_tables_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        claims_table(rows, lookup=lambda _: CLAIM)


def test_the_registrys_claims_can_be_shown():
    html = claims_table([("C003", "holds in part", "x")]).html
    assert "C003" not in html
    assert " object at " not in html
    assert "<div class" in html
    with pytest.raises(LookupError):
        claims_table([("C999", "holds", "x")])
