"""Numbers in prose: what is accepted, how it is written, and what is refused."""

from __future__ import annotations

import math
import re
from ast import literal_eval

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter

from computegap import book
from computegap.book import numbers, session
from computegap.book.numbers import NBSP, format_number


@pytest.fixture(autouse=True)
def fresh_session():
    session.current.published.clear()
    yield
    session.current.published.clear()


@pytest.mark.parametrize(
    ("value", "unit", "fmt", "text"),
    [
        (148.0, "TFLOP/s", None, "148_TFLOP/s"),
        (4832, "TPP", None, "4,832_TPP"),
        (1979.2, "TFLOP/s", None, "1,980_TFLOP/s"),
        (1e6, "wafers a month", None, "1,000,000_wafers_a_month"),
        (1234.5, "$", ".0f", "$1,234"),
        (12.34, "%", ".0f", "12_%"),
        (0.000123, "", None, "0.000123"),
        (1.2e24, "FLOP", None, "1.2_×_10²⁴_FLOP"),
        (1e24, "FLOP", None, "10²⁴_FLOP"),
        (-3.5, "%", None, "−3.5_%"),
        (np.float32(2.5), "GB", None, "2.5_GB"),
        (np.int64(7), "chips", None, "7_chips"),
        (np.array([2.5]), "GB", None, "2.5_GB"),
        (torch.tensor(0.25), "", ".2f", "0.25"),
        (torch.tensor([3]), "steps", None, "3_steps"),
        (0.0, "", None, "0"),
        (45210.4, "", ".0f", "45,210"),
    ],
)
def test_a_number_is_written_with_its_unit(value, unit, fmt, text):
    assert book.publish("n", value, unit, fmt) == text.replace("_", NBSP)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.nan, torch.tensor(math.nan), np.float32("inf")]
)
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="cannot stand in a sentence"):
        book.publish("n", value)


@pytest.mark.parametrize(
    "value", [True, np.True_, torch.tensor(True), "148", None, [1.0], np.array([1.0, 2.0]), torch.ones(2), 1j]
)
def test_what_is_not_one_number_is_refused(value):
    with pytest.raises(TypeError):
        book.publish("n", value)


@pytest.mark.parametrize("name", ["", "2fast", "Has Space", "h20-ridge", "H20", None, "a:b", "a`"])
def test_bad_names_are_refused(name):
    with pytest.raises(ValueError, match="not a good name"):
        book.publish(name, 1.0)


def test_one_name_stands_for_one_number():
    book.publish("n", 1.0, "GB")
    book.publish("n", 1.0, "GB")
    with pytest.raises(ValueError, match="already stands for"):
        book.publish("n", 2.0, "GB")


def test_a_reader_at_the_keyboard_may_run_a_cell_again_with_another_number(monkeypatch):
    monkeypatch.setattr(session, "live", lambda: True)
    book.publish("n", 1.0)
    book.publish("n", 2.0)
    assert book.number("n") == "2"


def test_a_bad_format_is_named():
    with pytest.raises(ValueError, match="'d' is not a format"):
        book.publish("n", 1.5, fmt="d")


def test_ranges():
    assert book.publish_range("a", 20, 40.0, "%") == f"20 to 40{NBSP}%"
    assert book.publish_range("b", 1200, 3400, "$") == "$1,200 to $3,400"
    assert book.publish_range("c", 1.001, 1.002, "GB") == f"1{NBSP}GB"
    with pytest.raises(ValueError, match="low end first"):
        book.publish_range("d", 2, 1)


class Peak:
    """Looks like a fact of the registry."""

    unit, range, known = "TFLOP/s", (120.0, 150.0), True

    def __float__(self):
        return 148.0

    def __str__(self):
        return "148 TFLOP/s"

    def cite(self):
        return "A data sheet, 2024"


def test_facts_bring_their_unit_and_their_range():
    assert book.publish_fact("a", Peak()) == f"148{NBSP}TFLOP/s"
    assert book.publish("b", Peak()) == f"148{NBSP}TFLOP/s"
    assert book.publish("c", Peak(), fmt=".1f") == f"148.0{NBSP}TFLOP/s"
    assert book.publish_fact("d", Peak(), show_range=True) == f"148{NBSP}TFLOP/s (120 to 150)"


def test_a_value_that_nobody_trusts_is_not_quoted():
    class Blank(Peak):
        def __float__(self):
            raise LookupError("sources contradict each other")

    with pytest.raises(LookupError, match="contradict"):
        book.publish_fact("a", Blank())


def test_words_can_be_published():
    assert book.publish_text("winner", " H20 ") == "H20"
    with pytest.raises(ValueError, match="empty"):
        book.publish_text("other", " ")
    with pytest.raises(TypeError, match="use publish"):
        book.publish_text("other", 3)


def test_sentences_are_filled_and_unknown_names_get_a_hint():
    book.publish("ridge", 37.0, "FLOP/byte")
    assert (
        book.fill("It lies at {ridge}; {} and {X} stay.")
        == f"It lies at 37{NBSP}FLOP/byte; {{}} and {{X}} stay."
    )
    with pytest.raises(LookupError, match="did you mean ridge"):
        book.fill("{rigde}")


def test_publishing_shows_nothing():
    text = book.publish("n", 1.0)
    assert DisplayFormatter().format(text) == ({}, {})


def test_the_glued_text_survives_the_role_that_prints_it(monkeypatch):
    """The role reads text/plain back as a Python literal: "1,200" must not become a pair of numbers."""
    shown = []
    monkeypatch.setattr(session, "in_notebook", lambda: True)
    monkeypatch.setattr(session, "live", lambda: False)
    monkeypatch.setattr("IPython.display.display", lambda data, **rest: shown.append((data, rest)))
    book.publish("cost", 1200, "dies")
    book.publish("cost", 1200, "dies")
    [(data, rest)] = shown  # a second time would be a duplicate key, which the build refuses
    assert literal_eval(data["application/papermill.record/text/plain"]) == f"1,200{NBSP}dies"
    assert rest["metadata"]["scrapbook"]["name"] == "cost"


def test_check_passes_and_raises_with_the_sentence():
    book.check(True, "All is well.")
    book.check(np.float64(1) < 2, "One is less than two.")
    book.check(torch.tensor(1.0) < 2, "One is less than two.")
    with pytest.raises(AssertionError, match="The H20 is faster"):
        book.check(np.bool_(False), "The H20 is faster.")


def test_a_readers_own_notebook_warns_and_goes_on(monkeypatch):
    for name in ("COMPUTEGAP_SITE", "PYTEST_CURRENT_TEST", "CI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.warns(UserWarning, match="it does not hold: The H20 is faster"):
        book.check(False, "The H20 is faster.")
    monkeypatch.setenv("COMPUTEGAP_SITE", "1")
    with pytest.raises(AssertionError, match="The H20 is faster"):
        book.check(False, "The H20 is faster.")


@pytest.mark.parametrize("condition", [1, 0.0, "yes", None, np.array([True, False]), [True], np.float64(1)])
def test_check_wants_one_truth_value(condition):
    with pytest.raises(TypeError):
        book.check(condition, "A sentence.")


def test_check_wants_a_sentence():
    with pytest.raises(TypeError, match="as a sentence"):
        book.check(True, "")


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_three_digits_are_kept_and_no_exponent_is_printed(value):
    text = format_number(value)
    assert "e" not in text
    plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "").replace(NBSP, "")
    plain = re.sub(
        "×?10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)$",
        lambda m: f"e{m[1].translate(str.maketrans('⁰¹²³⁴⁵⁶⁷⁸⁹⁻', '0123456789-'))}",
        plain,
    )
    read = float(plain if not plain.startswith(("e", "-e")) else plain.replace("e", "1e"))
    assert math.isclose(read, value, rel_tol=0.00501, abs_tol=1e-300)


@given(st.integers(-(10**18), 10**18))
def test_whole_numbers_are_written_in_full(value):
    assert int(format_number(value).replace(",", "").replace("\N{MINUS SIGN}", "-")) == value


def test_start_sets_style_seed_and_clears_the_numbers():
    import matplotlib as mpl

    book.publish("n", 1.0)
    mpl.rcParams["axes.titlesize"] = 30
    book.start("01-export-controls")
    first = np.random.random()
    book.start("01-export-controls")
    assert np.random.random() == first
    assert session.current.chapter == "01-export-controls"
    assert session.current.published == {}
    assert mpl.rcParams["axes.titlesize"] == 12


@pytest.mark.parametrize("name", ["", "export-controls", "1-x", "01_export", "01-Export", "../01-x", None])
def test_start_wants_a_chapters_name(name):
    with pytest.raises(ValueError, match="not a chapter"):
        book.start(name)


def test_threads_stay_within_what_is_granted():
    assert 1 <= session.cores() <= 4
    assert session.cores() <= session.granted_cores()


@pytest.mark.parametrize(
    ("grant", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("250000 100000", 2), ("max 100000", 8), (None, 8), ("", 8)],
)
def test_a_grant_counts_and_not_what_the_host_shows(grant, expected, monkeypatch):
    """As on Binder: eight cores are shown, and one may be used."""

    def read(path):
        assert str(path) == "/sys/fs/cgroup/cpu.max"
        if grant is None:
            raise FileNotFoundError
        return grant

    monkeypatch.setattr(session.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(session.Path, "read_text", read)
    assert book.granted_cores() == expected
    assert session.cores() == min(expected, 4)


def test_all_names_of_the_package_exist():
    for name in book.__all__:
        assert getattr(book, name) is not None
    assert callable(book.explore)
    assert numbers.NBSP == "\u00a0"
