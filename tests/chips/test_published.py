"""Every published number that the chapter prints is recomputed, and the one that differs is known to."""

import pytest

from computegap.chips.published import analysts, misprint, systems, textbooks
from computegap.facts.comparison import Comparison


@pytest.mark.parametrize("comparison", textbooks(), ids=lambda c: f"{c.source}: {c.what}")
def test_textbook_examples_agree(comparison):
    assert comparison.agrees, comparison.row()


@pytest.mark.parametrize("comparison", analysts(), ids=lambda c: f"{c.source}: {c.what}")
def test_analysts_agree_within_their_rounding(comparison):
    assert comparison.agrees, comparison.row()


def test_the_sixth_editions_inputs_do_not_give_its_answers():
    stated, fitting = misprint()[:2], misprint()[2:]
    assert not any(comparison.agrees for comparison in stated)
    assert all(comparison.agrees for comparison in fitting)


def test_comparison_can_disagree_and_says_so():
    off = Comparison("x", "y", (1.0, 1.0), (1.2, 1.3), 0.1, ".1f")
    assert not off.agrees
    assert off.row() == ("x", "y", "1.0", "1.2 to 1.3", "differs")
    assert Comparison("x", "y", (1.0, 1.0), (0.9, 1.3), 0.0).agrees


def test_of_the_systems_only_the_rounded_up_phrase_differs():
    differ = [comparison.what for comparison in systems() if not comparison.agrees]
    assert differ == ["CloudMatrix 384 over NVL72, arithmetic"]
