"""Dies on a wafer and yields, against published worked examples and against simulated wafers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.chips.wafer import (
    FORMULAS,
    MODELS,
    die_yield,
    gross_dies,
    hits_per_die,
    implied_d0,
    implied_d0_range,
    place_dies,
    sides,
    simulate_yield,
    throw_defects,
)

areas = st.floats(1, 1500)
densities = st.floats(0, 5)
models = st.sampled_from(MODELS)
parameters = st.fixed_dictionaries({"alpha": st.floats(0.3, 50), "layers": st.floats(1, 20)})


# --- published worked examples ------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "published"), [(15.0, 270), (10.0, 640)])
def test_hennessy_patterson_dies_on_a_300_mm_wafer(side, published):
    # Computer Architecture, chapter 1, worked examples: 1.5 cm and 1.0 cm dies on a 30 cm wafer.
    assert round(gross_dies(side**2, 300, "hennessy-patterson")) == published


@pytest.mark.parametrize(("area", "published"), [(225.0, 0.40), (100.0, 0.66)])
def test_hennessy_patterson_yields(area, published):
    # Same chapter: 0.031 defects per cm2 and process-complexity factor 13.5 give yields of 0.40 and 0.66.
    assert die_yield(area, 0.031, "bose-einstein", layers=13.5) == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize(("area", "dies", "good"), [(230.0, 130, 0.10), (100.0, 314, 0.37)])
def test_flynn_dies_and_yields_on_a_21_cm_wafer(area, dies, good):
    # Flynn (1995): 21 cm wafer, one defect per cm2, Poisson.
    assert round(gross_dies(area, 210, "flynn")) == dies
    assert die_yield(area, 1.0, "poisson") == pytest.approx(good, abs=0.005)


def test_anandtech_tsmc_n5_test_chip():
    # AnandTech, 2019-12-11: a 17.92 mm2 test chip at 80 % is 1.271 defects per cm2, so 100 mm2 yields 32.0 %.
    assert implied_d0(0.80, 17.92, "murphy") == pytest.approx(1.271, abs=0.005)
    assert die_yield(100, 1.271, "murphy") == pytest.approx(0.320, abs=0.001)


@pytest.mark.parametrize(
    ("reported", "model", "d0"),
    [
        (0.2, "poisson", 0.242),
        (0.2, "murphy", 0.286),
        (0.2, "seeds", 0.601),
        (0.4, "negative-binomial", 0.175),
    ],
)
def test_yield_detective_on_the_ascend_die(reported, model, d0):
    # 665.6 mm2, the die of the Ascend 910B measured by teardown; densities computed independently of this
    # package.
    assert implied_d0(reported, 665.6, model, alpha=2) == pytest.approx(d0, abs=0.001)


# --- invariants ---------------------------------------------------------------------------------------------


@given(areas, densities, models, parameters)
def test_a_yield_is_a_fraction(area, d0, model, extra):
    assert 0 <= die_yield(area, d0, model, **extra) <= 1


@given(areas, densities, st.floats(0, 3), models, parameters)
def test_more_defects_never_make_more_good_dies(area, d0, more, model, extra):
    assert die_yield(area, d0 + more, model, **extra) <= die_yield(area, d0, model, **extra) + 1e-12


@given(areas, st.floats(1, 3), densities, models, parameters)
def test_larger_dies_yield_less(area, factor, d0, model, extra):
    assert die_yield(area * factor, d0, model, **extra) <= die_yield(area, d0, model, **extra) + 1e-12


@given(areas, densities)
def test_even_defects_kill_more_than_clustered_ones(area, d0):
    poisson, murphy, seeds = (die_yield(area, d0, m) for m in ("poisson", "murphy", "seeds"))
    assert poisson <= murphy + 1e-12
    assert murphy <= seeds + 1e-12


@given(areas, densities, st.floats(1, 30))
def test_negative_binomial_lies_between_poisson_and_seeds(area, d0, alpha):
    clustered = die_yield(area, d0, "negative-binomial", alpha=alpha)
    assert die_yield(area, d0, "poisson") - 1e-12 <= clustered <= die_yield(area, d0, "seeds") + 1e-12


@given(st.floats(0.01, 1), areas, models, parameters)
def test_running_a_model_backwards_and_forwards_returns(reported, area, model, extra):
    d0 = implied_d0(reported, area, model, **extra)
    assert die_yield(area, d0, model, **extra) == pytest.approx(reported, rel=1e-6)


@given(areas, st.sampled_from(FORMULAS))
def test_no_formula_beats_the_area_of_the_wafer(area, formula):
    assert 0 <= gross_dies(area, 300, formula) <= gross_dies(area, 300, "area")


@settings(max_examples=25, deadline=None)
@given(st.floats(5, 30), st.floats(0.5, 2))
def test_placed_dies_lie_on_the_wafer_and_apart(width, aspect):
    layout = place_dies(width, width * aspect, offsets=4)
    far_x = np.maximum(abs(layout.x), abs(layout.x + layout.width))
    far_y = np.maximum(abs(layout.y), abs(layout.y + layout.height))
    assert np.all(np.hypot(far_x, far_y) <= layout.diameter / 2 - layout.edge + 1e-9)
    assert len({(c, r) for c, r in zip(layout.column, layout.row, strict=True)}) == len(layout)
    assert len(layout) * layout.area <= np.pi * (layout.diameter / 2) ** 2


@pytest.mark.parametrize("area", [50.0, 100.0, 225.0, 400.0, 665.6])
def test_de_vries_is_the_formula_nearest_to_counting(area):
    # De Vries (2005) fitted his coefficients to exact counts without street or rim: within a few per cent.
    counted = len(place_dies(*sides(area), scribe_mm=0, edge_mm=0))
    assert gross_dies(area, 300, "de-vries") == pytest.approx(counted, rel=0.06)


def test_street_and_rim_cost_dies():
    assert len(place_dies(21.32, 31.22)) < len(place_dies(21.32, 31.22, scribe_mm=0, edge_mm=0))


def test_reticle_limit():
    assert place_dies(26, 33).fits_reticle
    assert not place_dies(30, 30).fits_reticle


# --- simulated wafers ---------------------------------------------------------------------------------------


def test_points_are_told_their_die():
    layout = place_dies(20, 10)
    middle = layout.die_of(layout.x + 10, layout.y + 5)
    np.testing.assert_array_equal(middle, np.arange(len(layout)))
    assert np.all(layout.die_of(layout.x + 20.05, layout.y + 5) == -1)
    assert layout.die_of(149.0, 0.0) == -1


@pytest.mark.parametrize("alpha", [None, 2.0])
def test_simulated_wafers_agree_with_the_formula(alpha):
    layout = place_dies(20.0, 20.0)
    yields = simulate_yield(layout, 0.2, 150, np.random.default_rng(7), alpha=alpha)
    model = "poisson" if alpha is None else "negative-binomial"
    expected = die_yield(400, 0.2, model, alpha=alpha or 1)
    error = np.std(yields) / np.sqrt(len(yields))
    assert abs(yields.mean() - expected) < 4 * error


def test_clusters_spare_dies_and_spread_the_wafers():
    layout, rng = place_dies(20.0, 20.0), np.random.default_rng(3)
    even = simulate_yield(layout, 0.3, 80, rng)
    clustered = simulate_yield(layout, 0.3, 80, rng, alpha=0.7, dies_per_patch=3)
    assert clustered.mean() > even.mean()
    assert clustered.std() > even.std()


def test_a_dirtier_wafer_keeps_its_old_defects():
    layout = place_dies(20.0, 20.0)
    thrown = throw_defects(1.0, np.random.default_rng(0), alpha=2.0)
    few, many = hits_per_die(layout, thrown, 0.2), hits_per_die(layout, thrown, 0.9)
    assert np.all(many >= few)
    assert many.sum() > few.sum()


def test_density_of_thrown_defects_is_what_was_asked():
    thrown = throw_defects(2.0, np.random.default_rng(0))
    on_wafer = np.hypot(thrown.x, thrown.y) < 150
    assert on_wafer.sum() / (np.pi * 15**2) == pytest.approx(2.0, rel=0.1)


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", [0, -5, float("nan"), float("inf")])
def test_bad_areas_are_refused(area):
    with pytest.raises(ValueError, match="die area must be positive"):
        die_yield(area, 0.1)


def test_negative_density_is_refused():
    with pytest.raises(ValueError, match="defect density must be zero or more"):
        die_yield(100, -0.1)


def test_unknown_model_suggests_the_near_one():
    with pytest.raises(ValueError, match="did you mean 'murphy'"):
        die_yield(100, 0.1, "murphey")


def test_unknown_formula_suggests_the_near_one():
    with pytest.raises(ValueError, match="did you mean 'de-vries'"):
        gross_dies(100, 300, "devries")


@pytest.mark.parametrize("reported", [0, -0.2, 1.2, 40])
def test_yield_is_a_fraction_not_a_percentage(reported):
    with pytest.raises(ValueError, match="fraction above 0"):
        implied_d0(reported, 100)


def test_die_larger_than_the_wafer_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        gross_dies(300.0**2, 300)
    with pytest.raises(ValueError, match="no die of"):
        place_dies(290, 290)


def test_density_beyond_what_was_drawn_is_refused():
    thrown = throw_defects(0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"drawn up to 0\.5"):
        thrown.present(0.6)


def test_range_over_models_contains_each():
    low, high = implied_d0_range((0.2, 0.4), 665.6)
    assert low <= implied_d0(0.4, 665.6, "poisson")
    assert high >= implied_d0(0.2, 665.6, "seeds")
