"""Low-precision products and training: the effects as relations, on seeds that the chapter does not use."""

import pytest
import torch

from computegap.networks.language_model import TinyLanguageModel, next_symbol_loss
from computegap.networks.low_precision import (
    RECIPES,
    LowPrecisionMatmul,
    PreciseLinear,
    Recipe,
    cut_fraction,
    limited_matmul,
)
from computegap.networks.precision_runs import (
    Setting,
    accumulator_error,
    compare_recipes,
    outlier_sweep,
    with_outlier,
)
from computegap.networks.text import batches, python_help

FRESH = Setting(steps=60, every=60, rows=8, n_seeds=4, base_seed=99)


@pytest.fixture(scope="module")
def comparison():

    return compare_recipes(("FP32", "BF16", "FP8, no scaling", "FP8, per tensor"), FRESH)


def test_fp32_recipe_is_the_ordinary_product():
    x = torch.randn(3, 5, 32, requires_grad=True)
    w = torch.randn(16, 32, requires_grad=True)
    ours = torch.autograd.grad(LowPrecisionMatmul.apply(x, w, RECIPES["FP32"]).square().sum(), (x, w))
    theirs = torch.autograd.grad((x @ w.mT).square().sum(), (x, w))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", ["BF16", "FP8, per tensor", "FP8, per block", "INT8, per tensor"])
def test_scaled_gradients_point_the_right_way(name):
    torch.manual_seed(0)
    x, w = torch.randn(64, 64, requires_grad=True), torch.randn(32, 64, requires_grad=True)
    target = torch.randn(64, 32)
    loss = lambda product: ((product - target) ** 2).mean()  # noqa: E731
    rounded = torch.autograd.grad(loss(LowPrecisionMatmul.apply(x, w, RECIPES[name])), (x, w))
    exact = torch.autograd.grad(loss(x @ w.mT), (x, w))
    for a, b in zip(rounded, exact, strict=True):
        assert torch.cosine_similarity(a.flatten(), b.flatten(), dim=0) > 0.99


def test_unscaled_gradients_of_a_mean_over_many_words_are_gone():
    x, w = torch.randn(64, 64), torch.randn(32, 64, requires_grad=True)
    loss = LowPrecisionMatmul.apply(x, w, RECIPES["FP8, no scaling"]).sum() * 1e-5
    loss.backward()
    assert w.grad.abs().max() == 0


def test_layer_is_a_layer():
    layer = PreciseLinear(32, 8, RECIPES["FP8, per block"])
    assert layer(torch.randn(4, 32)).shape == (4, 8)


def test_bad_recipes_are_refused():
    with pytest.raises(LookupError, match="no number format"):
        Recipe("odd", "fp7")
    with pytest.raises(ValueError, match="no scaling"):
        Recipe("odd", "e4m3", scaling="rows")
    with pytest.raises(LookupError, match="no recipe 'FP9'"):
        compare_recipes(("FP9",), FRESH)


def test_text_is_there_and_split():
    text = python_help()
    assert text.vocabulary < 256
    assert len(text.train) > 5 * len(text.held_out) > 0
    assert text.train.max() < text.vocabulary
    stretch = batches(text.train, 2, 16, [torch.Generator().manual_seed(0)])
    assert stretch.shape == (1, 2, 17)
    assert isinstance(text.decode(stretch[0, 0]), str)
    with pytest.raises(ValueError, match="no stretch of"):
        batches(torch.arange(10), 2, 16, [torch.Generator()])


def test_untrained_model_knows_nothing_and_sees_no_future():
    torch.manual_seed(0)
    model = TinyLanguageModel(50, 32, 2, 2, 16)
    tokens = torch.randint(0, 50, (4, 17))
    assert next_symbol_loss(model, tokens).item() == pytest.approx(
        torch.log(torch.tensor(50.0)).item(), abs=0.2
    )
    changed = tokens.clone()
    changed[:, 10:] = 0
    torch.testing.assert_close(model(tokens[:, :16])[:, :10], model(changed[:, :16])[:, :10])
    with pytest.raises(ValueError, match="do not divide"):
        TinyLanguageModel(50, 32, heads=3)


def test_training_learns(comparison):
    for run in comparison.runs.values():
        assert run.diverged == 0
        assert all(last < first - 0.5 for first, last in zip(run.losses[0], run.losses[-1], strict=True))


def test_bf16_costs_nothing_that_can_be_seen(comparison):
    assert abs(comparison.gap("BF16").mean) < 0.05


def test_fp8_without_scaling_learns_less_and_scaling_mends_it(comparison):
    unscaled, scaled = comparison.gap("FP8, no scaling"), comparison.gap("FP8, per tensor")
    assert unscaled.mean > 0.05
    assert unscaled.low > 0
    assert abs(scaled.mean) < unscaled.mean / 2


def test_comparison_says_what_it_ran(comparison):
    assert comparison.tokens == FRESH.steps * FRESH.rows * FRESH.length
    assert comparison.flops > 4 * comparison.tokens * comparison.weights / 2
    assert comparison.seconds > 0
    with pytest.raises(LookupError, match="there are: FP32"):
        comparison.gap("FP4")


def test_outliers_change_nothing_exactly_and_hurt_int8_first(comparison):
    sweep = outlier_sweep(comparison.runs["FP32"], FRESH, (1, 1e3))
    assert max(sweep.exact) < 1e-3
    per_tensor, per_block = sweep.losses["INT8, per tensor"], sweep.losses["INT8, per block"]
    assert per_tensor[0].mean < 0.05
    assert per_tensor[1].mean > 0.1
    assert per_block[1].mean < per_tensor[1].mean
    assert sweep.losses["FP8, per tensor"][1].mean < per_tensor[1].mean / 4


def test_outlier_needs_a_positive_factor():
    with pytest.raises(ValueError, match="must be positive"):
        with_outlier({}, -1)


def test_cutting_the_fraction():
    x = torch.tensor([1.0, 1.9999, -1.9999, 0.0])
    assert cut_fraction(x, 2).tolist() == [1.0, 1.5, -1.5, 0.0]
    with pytest.raises(ValueError, match="one bit or more"):
        cut_fraction(x, 0)


def test_wide_accumulator_is_the_exact_product():
    a, b = torch.rand(4, 256), torch.rand(5, 256)
    torch.testing.assert_close(limited_matmul(a, b, bits=24), a @ b.mT, rtol=1e-5, atol=1e-5)


def test_short_accumulators_hurt_long_sums_and_promotion_mends_them():
    # DeepSeek-V3 (2024, section 3.3.2) reports errors near 2 % for sums of 4,096 products kept to about 14
    # bits, and promotes every 128. Ours cuts once in 32 products: the order of magnitude and the direction
    # are tested.
    result = accumulator_error((128, 4096), n_seeds=3)
    assert result.cut[1].mean > 3 * result.cut[0].mean
    assert 1e-3 < result.cut[1].mean < 0.1
    assert result.promoted[1].mean < result.cut[1].mean / 5


def test_matmul_errors_are_clear():
    with pytest.raises(ValueError, match="inner sizes differ"):
        limited_matmul(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match="multiple of group"):
        limited_matmul(torch.ones(2, 64), torch.ones(2, 64), promote_every=48)
