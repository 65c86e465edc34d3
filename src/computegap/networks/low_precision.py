"""Matrix products in narrow formats, forwards and backwards, as an accelerator would do them.

A linear layer does three matrix products: one in the forward pass and two in the backward pass (for the
gradient of its input and of its weights). Eight-bit training runs all three on rounded numbers and keeps
everything between them (norms, softmax, residuals, the weights that the optimiser holds) in high precision.
:class:`LowPrecisionMatmul` is that recipe in twenty lines. It rounds and multiplies; it does not get
faster, since this machine has no eight-bit arithmetic to use. What it shows is what narrow numbers do to
*learning*.

Taught in chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from computegap.networks.formats import SCALINGS, number_format, quantize


@dataclass(frozen=True)
class Recipe:
    """Which formats the three products of a linear layer use.

    Attributes
    ----------
    name : str
        What a figure calls it.
    forward : str
        Format of weights and activations.
    backward : str
        Format of gradients; empty for the same as forward.
    scaling : str
        "none", "tensor" or "block".
    block : int
        Block length of block scaling.
    """

    name: str
    forward: str = "fp32"
    backward: str = ""
    scaling: str = "none"
    block: int = 32

    def __post_init__(self) -> None:
        number_format(self.forward)
        if self.backward:
            number_format(self.backward)
        if self.scaling not in SCALINGS:
            raise ValueError(f"no scaling {self.scaling!r}; there are: {', '.join(SCALINGS)}")

    def values(self, x: torch.Tensor) -> torch.Tensor:
        """Weights or activations as this recipe stores them."""
        return quantize(x, self.forward, self.scaling, self.block)

    def gradients(self, x: torch.Tensor) -> torch.Tensor:
        """Gradients as this recipe stores them."""
        return quantize(x, self.backward or self.forward, self.scaling, self.block)


#: The recipes that chapter 2 compares.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("FP32"),
        Recipe("BF16", "bf16"),
        Recipe("FP8, no scaling", "e4m3"),
        Recipe("FP8, per tensor", "e4m3", scaling="tensor"),
        Recipe("FP8, per block", "e4m3", scaling="block"),
        Recipe("FP8, E5M2 gradients, no scaling", "e4m3", "e5m2"),
        Recipe("INT8, per tensor", "int8", scaling="tensor"),
    )
}


class LowPrecisionMatmul(torch.autograd.Function):
    """``x @ w.T`` on rounded inputs, with a backward pass whose two products are rounded as well."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor, w: torch.Tensor, recipe: Recipe) -> torch.Tensor:
        """x (..., n_in), w (n_out, n_in) -> (..., n_out)."""
        return recipe.values(x) @ recipe.values(w).mT

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        x, w, ctx.recipe = inputs
        ctx.save_for_backward(x, w)

    @staticmethod
    def backward(ctx, gradient):
        x, w = ctx.saved_tensors
        recipe = ctx.recipe
        # Blocks run along the axis that a product sums over, so each product rounds its own view of a tensor.
        flat_gradient, flat_x = gradient.flatten(0, -2), x.flatten(0, -2)
        for_x = recipe.gradients(gradient) @ recipe.values(w.mT).mT
        for_w = recipe.gradients(flat_gradient.mT) @ recipe.values(flat_x.mT).mT
        return for_x, for_w, None


class PreciseLinear(torch.nn.Linear):
    """A linear layer whose products follow a :class:`Recipe`; in FP32 it is an ordinary one."""

    def __init__(self, n_in: int, n_out: int, recipe: Recipe, bias: bool = True) -> None:
        super().__init__(n_in, n_out, bias=bias)
        self.recipe = recipe

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.recipe.forward == "fp32":
            return super().forward(x)
        product = LowPrecisionMatmul.apply(x, self.weight, self.recipe)
        return product if self.bias is None else product + self.bias


def limited_matmul(
    a: torch.Tensor, b: torch.Tensor, *, bits: int = 14, group: int = 32, promote_every: int | None = None
) -> torch.Tensor:
    """``a @ b.T`` with an accumulator that keeps few bits.

    Products are summed ``group`` at a time, exactly, and each sum is added to an accumulator whose fraction
    is cut to ``bits`` bits. With ``promote_every`` the accumulator is emptied into a float32 one after so
    many products, which is the remedy that DeepSeek-V3 describes for the tensor cores of the H800.

    Parameters
    ----------
    a, b : torch.Tensor
        (m, k) and (n, k).
    bits : int
        Bits kept of the accumulator's fraction.
    group : int
        Products summed before the accumulator is cut.
    promote_every : int or None
        Products after which to promote, a multiple of ``group``; None for never.

    Raises
    ------
    ValueError
        If sizes do not match or ``promote_every`` is no multiple of ``group``.

    Notes
    -----
    A model of one effect: real tensor cores align the addends of a group before adding, and differ by
    generation.
    """
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"inner sizes differ: {a.shape[-1]} and {b.shape[-1]}")
    if promote_every is not None and (promote_every < group or promote_every % group):
        raise ValueError(f"promote_every must be a multiple of group ({group}), got {promote_every!r}")
    total = a.new_zeros(a.shape[0], b.shape[0])
    running = torch.zeros_like(total)
    for start in range(0, a.shape[-1], group):
        stretch = slice(start, start + group)
        running = cut_fraction(running + a[:, stretch] @ b[:, stretch].mT, bits)
        if promote_every is not None and (start + group) % promote_every == 0:
            total, running = total + running, torch.zeros_like(running)
    return total + running


def cut_fraction(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Values with all but ``bits`` bits of the fraction cut off (towards zero)."""
    if bits < 1:
        raise ValueError(f"a fraction needs one bit or more, got {bits!r}")
    fraction, exponent = torch.frexp(x)
    step = 2.0**bits
    return torch.ldexp(torch.trunc(fraction * step) / step, exponent)
