"""The roofline: two roofs, one ridge, and nothing drawn that nobody trusts."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.chips.roofline import (
    Roofline,
    attainable,
    from_chip,
    from_chips,
    matmul_intensity,
    ridge,
    step_seconds,
)

speeds = st.floats(1e6, 1e18)
intensities = st.floats(0, 1e6)


def fact(low, high=None, known=True):
    return SimpleNamespace(range=(low, high or low), known=known, confidence="official")


@given(intensities, speeds, speeds)
def test_never_above_either_roof_and_on_one_of_them(intensity, peak, bandwidth):
    reached = attainable(intensity, peak, bandwidth)
    assert reached <= peak
    assert reached <= intensity * bandwidth
    assert reached in (pytest.approx(peak), pytest.approx(intensity * bandwidth))


@given(speeds, speeds, st.floats(0.01, 100))
def test_ridge_separates_memory_bound_from_compute_bound(peak, bandwidth, factor):
    reached = attainable(ridge(peak, bandwidth) * factor, peak, bandwidth)
    assert reached == pytest.approx(peak * min(1, factor))


def test_ridge_points_of_the_h20_and_the_h100():
    # H20 148 TFLOP/s over 4.0 TB/s, H100 989.5 over 3.35 (data sheets, dense BF16): 37 and 295 FLOP/byte.
    assert ridge(148e12, 4000e9) == pytest.approx(37.0)
    assert ridge(989.5e12, 3350e9) == pytest.approx(295.4, abs=0.1)


def test_decode_step_of_a_large_model_waits_for_memory():
    # A 70-billion-weight model in FP8 on an H100: 70e9 bytes over 3.35 TB/s is 20.9 ms, whatever the peak.
    assert step_seconds(2 * 70e9, 70e9, 1979e12, 3350e9) == pytest.approx(20.9e-3, abs=0.05e-3)


def test_broadcasts_over_arrays():
    reached = attainable(np.array([1.0, 10.0, 1000.0]), 100.0, 5.0)
    np.testing.assert_allclose(reached, [5.0, 50.0, 100.0])


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_matrix_product_gains_intensity_with_batch(size, batch):
    assert matmul_intensity(batch, size, size) <= matmul_intensity(batch + 1, size, size)


def test_batch_of_one_does_about_one_operation_per_byte():
    assert matmul_intensity(1, 4096, 4096, bytes_per_value=2) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((-1, 1, 1), "intensity"), ((1, 0, 1), "peak"), ((1, 1, -2), "bandwidth"), ((1, np.nan, 1), "peak")],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        attainable(*arguments)


def test_contested_values_become_a_band():
    roof = Roofline("910C", (752e12, 800e12), (3.2e12, 3.2e12))
    assert roof.contested
    low, high = roof.at(1e4)
    assert (low, high) == (752e12, 800e12)
    assert roof.ridge == (pytest.approx(235), pytest.approx(250))


def test_reversed_range_is_refused():
    with pytest.raises(ValueError, match="above high"):
        Roofline("x", (2.0, 1.0), (1.0, 1.0))


def test_untrusted_chips_are_left_out_and_listed():
    good = SimpleNamespace(name="good", bf16=fact(100), mem_bw_gbs=fact(1000))
    blank = SimpleNamespace(name="blank", bf16=fact(0, known=False), mem_bw_gbs=fact(1000))
    missing = SimpleNamespace(name="missing", bf16=fact(100), mem_bw_gbs=None)
    drawn, left_out = from_chips([good, blank, missing])
    assert [roof.name for roof in drawn] == ["good"]
    assert drawn[0].peak == (100e12, 100e12)
    assert drawn[0].bandwidth == (1000e9, 1000e9)
    assert {item.name: item.reason for item in left_out} == {
        "blank": "no trusted bf16 peak",
        "missing": "no trusted memory bandwidth",
    }


def test_unknown_precision_is_refused_by_name():
    with pytest.raises(LookupError, match="fp3"):
        from_chip(SimpleNamespace(name="x"), "fp3")
