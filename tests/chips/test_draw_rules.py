"""The pictures say what the predicates say."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap import facts
from computegap.chips import compliant, draw_rules, export_rules


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@given(
    st.one_of(st.floats(900, 1e5), st.floats(1500, 2600)), st.one_of(st.floats(1.2, 90), st.floats(1.2, 6.5))
)
def test_shaded_regions_are_the_predicates(tpp, pd):
    for year, edition in ((2022, "oct2022"), (2023, "oct2023"), (2026, "oct2023")):
        paper = {"tpp": tpp, "tpp_2022": tpp, "pd": pd, "dc": "yes", "io_total": 1e4}
        shaded = {region.label for region in draw_rules.regions(year) if region.contains(tpp, pd)}
        label = export_rules.outcome(paper, edition)
        if year == 2026 and tpp >= float(facts.threshold("jan2026", "tpp")):
            label = "denied"
        assert shaded == (set() if label == "free" else {label})


def test_status_follows_the_years():
    assert [draw_rules.status("A100", y) for y in draw_rules.STAGES] == [
        "free",
        "licence needed",
        "licence needed",
        "licence needed",
        "case by case",
    ]
    assert [draw_rules.status("H20", y) for y in draw_rules.STAGES] == [
        "free",
        "free",
        "free",
        "licence needed",
        "licence needed",
    ]
    assert draw_rules.status("B200", 2026) == "denial presumed"
    assert draw_rules.status("MI308X", 2023) == "cannot be decided"
    with pytest.raises(LookupError, match="no rule changed"):
        draw_rules.status("H20", 2024)


@pytest.mark.parametrize("year", draw_rules.STAGES)
def test_the_plane_keeps_its_structure(year):
    first = [type(a).__name__ for a in draw_rules.rule_plane(2021).axes[0].get_children()]
    again = [type(a).__name__ for a in draw_rules.rule_plane(year, "sparse").axes[0].get_children()]
    assert first == again


def test_untrusted_values_are_not_drawn():
    drawn = {chip.name for chip in draw_rules._plane_chips()}
    assert "H20 96GB" in drawn
    assert not drawn & {"MI308X", "Cambricon MLU590", "Ascend 910D (unreleased)"}


def test_labels_name_chips_that_are_drawn():
    drawn = {chip.name for chip in draw_rules._plane_chips()}
    assert set(draw_rules._LABELS) <= drawn


def test_the_plane_says_where_history_differs():
    assert "RTX 6000D" in draw_rules.describe_rule_plane(2023)
    rings = [a for a in draw_rules.rule_plane(2023).axes[0].lines if a.get_marker() == "s"]
    assert sum(ring.get_markeredgewidth() > 0 for ring in rings) == 1
    assert len(draw_rules.describe_rule_plane(2023, "sparse")) > len(draw_rules.describe_rule_plane(2023))


def test_the_frontier_says_what_the_closed_form_gives():
    area = float(facts.chip("H100").applicable_die_mm2)
    said = draw_rules.describe_legal_frontier()
    assert f"{compliant.max_tpp(area):,.0f}" in said
    for regime in compliant.REGIMES:
        for technology in draw_rules.TECHNOLOGIES:
            assert draw_rules.describe_legal_frontier(regime, technology)
    assert draw_rules.legal_frontier().axes


def test_the_game_reveals_rounds_up_to_the_year():
    early, late = draw_rules.cat_and_mouse(2022).axes[0], draw_rules.cat_and_mouse(2026).axes[0]

    def shown(ax):
        return sum(bar.get_width() > 0 for bar in ax.patches)

    assert 0 < shown(early) < shown(late)
    assert "H800" in draw_rules.describe_cat_and_mouse(2022)
    assert "H20" in draw_rules.describe_cat_and_mouse(2024)


def test_distances_are_sorted_and_mostly_below():
    rows = draw_rules.drawn_to_lines()
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    assert sum(row[2] < 0 for row in rows) > len(rows) / 2
    assert draw_rules.distances().axes
    assert "percent" in draw_rules.describe_distances()


def test_percent_has_a_true_minus():
    assert draw_rules.percent(-0.0133) == "\u22121.3\u00a0%"
