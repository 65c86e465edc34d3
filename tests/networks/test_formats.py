"""Number formats: published limits, and what scaling buys."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.networks.formats import FORMATS, number_format, quantize, round_to

narrow = st.sampled_from(["bf16", "e4m3", "e5m2", "int8"])
numbers = st.lists(st.floats(-1e4, 1e4, width=32), min_size=32, max_size=32)


@pytest.mark.parametrize(
    ("name", "largest", "smallest"),
    [("e4m3", 448.0, 2.0**-9), ("e5m2", 57344.0, 2.0**-16)],
)
def test_limits_of_the_fp8_formats(name, largest, smallest):
    # Micikevicius et al. (2022), table 1: largest normal and smallest subnormal numbers.
    ends = torch.tensor([largest, 10 * largest, smallest, 0.4 * smallest])
    assert round_to(ends, name).tolist() == [largest, largest, smallest, 0.0]
    assert (FORMATS[name].largest, FORMATS[name].smallest) == (largest, smallest)


def test_one_plus_an_eighth_is_the_first_e4m3_number_after_one():
    assert round_to(torch.tensor([1.0, 1.05, 1.07, 1.125]), "e4m3").tolist() == [1.0, 1.0, 1.125, 1.125]


@pytest.mark.parametrize(("name", "dtype"), [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)])
def test_rounding_is_that_of_torchs_own_eight_bit_types(name, dtype):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, generator=g) * torch.exp(5 * torch.randn(20_000, generator=g))
    x = x.clamp(-FORMATS[name].largest, FORMATS[name].largest)
    assert torch.equal(round_to(x, name), x.to(dtype).to(torch.float32))


@settings(deadline=None, max_examples=50)
@given(numbers, narrow)
def test_rounding_twice_is_rounding_once(values, name):
    once = round_to(torch.tensor(values), name)
    assert torch.equal(round_to(once, name), once)


@settings(deadline=None, max_examples=50)
@given(numbers, narrow, st.sampled_from(["tensor", "block"]))
def test_scaling_keeps_signs_and_stays_close_to_the_largest(values, name, scaling):
    x = torch.tensor(values)
    rounded = quantize(x, name, scaling)
    assert torch.all(rounded * x >= 0)
    step = {"bf16": 2**-8, "e4m3": 2**-4, "e5m2": 2**-3, "int8": 1 / 254}[name]
    assert (rounded - x).abs().max() <= 1.01 * step * x.abs().max() + 1e-6


def test_small_gradients_vanish_without_scaling_and_survive_with_it():
    gradient = torch.full((8, 32), 1e-5)
    assert quantize(gradient, "e4m3", "none").abs().max() == 0
    assert torch.allclose(quantize(gradient, "e4m3", "tensor"), gradient, rtol=0.07)
    assert quantize(gradient, "e5m2", "none").abs().max() > 0


def test_an_outlier_spoils_the_tensor_but_only_its_own_block():
    x = torch.randn(4, 128, generator=torch.Generator().manual_seed(0))
    x[0, 0] = 1e4
    rest = (slice(1, None), slice(32, None))
    per_tensor = (quantize(x, "int8", "tensor") - x)[rest].abs().mean()
    per_block = (quantize(x, "int8", "block") - x)[rest].abs().mean()
    assert per_block < per_tensor / 20


def test_zeros_stay_zeros():
    assert torch.equal(quantize(torch.zeros(2, 64), "e4m3", "block"), torch.zeros(2, 64))


def test_errors_name_what_would_be_right():
    with pytest.raises(LookupError, match="did you mean 'e4m3'"):
        number_format("e4m3fn")
    with pytest.raises(ValueError, match="there are: none, tensor, block"):
        quantize(torch.ones(4), "e4m3", "row")
    with pytest.raises(ValueError, match="do not divide an axis of 48"):
        quantize(torch.ones(48), "e4m3", "block")
