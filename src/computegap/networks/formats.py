"""Number formats of eight and sixteen bits, and the scaling that makes the small ones usable.

A float spends its bits on range (exponent) and on accuracy (fraction). BF16 keeps the range of FP32 and has
three decimal digits less; the two FP8 formats have to choose:

=======  ========  ========  ==========  =================  ==========================================
name     exponent  fraction  largest     smallest above 0   made for
=======  ========  ========  ==========  =================  ==========================================
e4m3     4 bits    3 bits    448         2^-9               weights and activations
e5m2     5 bits    2 bits    57,344      2^-16              gradients
bf16     8 bits    7 bits    3.4e38      9.2e-41            everything, without scaling
int8     none      7 bits    127         1                  weights and activations, evenly spaced
=======  ========  ========  ==========  =================  ==========================================

A gradient of 1e-5 is below the smallest E4M3 number and becomes zero: this is why eight-bit training needs
*scale factors*. One factor for a whole tensor moves its largest value to the top of the format. One factor
for each block of neighbouring values does the same block by block, so that one outlier spoils its own block
only.

Values are rounded to the format and stored as float32 again, so that arithmetic on them is that of a
machine with narrow inputs and float32 accumulation.

Sources: P. Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433; B. D. Rouhani et al.,
"Microscaling data formats for deep learning", arXiv:2310.10537; DeepSeek-AI, "DeepSeek-V3 technical report",
arXiv:2412.19437, section 3.3. Taught in chapter 2.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Format:
    """A number format.

    Attributes
    ----------
    name : str
        Short name.
    largest, smallest : float
        Largest value, and smallest above zero.
    fraction, exponent : int
        Bits of the fraction, and the lowest exponent of a number with a full fraction; zero for "int8".
    """

    name: str
    largest: float
    smallest: float
    fraction: int
    exponent: int


FORMATS = {
    "fp32": Format("fp32", 3.4028234663852886e38, 1.401298464324817e-45, 23, -126),
    "bf16": Format("bf16", 3.3895313892515355e38, 9.183549615799121e-41, 7, -126),
    "e4m3": Format("e4m3", 448.0, 2.0**-9, 3, -6),
    "e5m2": Format("e5m2", 57344.0, 2.0**-16, 2, -14),
    "int8": Format("int8", 127.0, 1.0, 0, 0),
}
SCALINGS = ("none", "tensor", "block")


def number_format(name: str) -> Format:
    """A format by name. LookupError for an unknown one, with the nearest name."""
    if name not in FORMATS:
        near = difflib.get_close_matches(str(name).lower(), FORMATS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise LookupError(f"no number format {name!r}; {hint}There are: {', '.join(FORMATS)}")
    return FORMATS[name]


def round_to(x: torch.Tensor, name: str) -> torch.Tensor:
    """Each value rounded to the nearest one of the format, as float32; larger ones are cut to the largest."""
    kind = number_format(name)
    if name == "fp32":
        return x
    if name == "bf16":
        return x.to(torch.bfloat16).to(torch.float32)
    x = x.clamp(-kind.largest, kind.largest)
    if name == "int8":
        return x.round()
    return _round_fraction(x, kind)


def _round_fraction(x: torch.Tensor, kind: Format) -> torch.Tensor:
    """Round to a few bits of fraction, half to even, exactly as a cast to torch's float8 types and back does.

    Adding a number so large that float32 has no room for the bits that must go, and taking it away again,
    makes the processor do the rounding: four times as fast as the two casts (a test compares the results).
    """
    exponent_bits = x.view(torch.int32) & 0x7F800000
    power = exponent_bits.view(torch.float32).clamp_min(2.0**kind.exponent)
    large = power * (1.5 * 2.0 ** (23 - kind.fraction))
    return (x + large) - large


def quantize(x: torch.Tensor, name: str, scaling: str = "tensor", block: int = 32) -> torch.Tensor:
    """Round a tensor to a format, scaled as asked, and scale it back.

    Parameters
    ----------
    x : torch.Tensor
        Any shape; blocks run along the last axis.
    name : str
        A format of :data:`computegap.networks.formats.FORMATS`.
    scaling : str
        "none", "tensor" (one factor, from the largest absolute value) or "block" (one factor for each
        ``block`` neighbours of the last axis).
    block : int
        Length of a block; the last axis must be a multiple of it, or shorter (then the axis is the block).

    Raises
    ------
    LookupError
        For an unknown format.
    ValueError
        For an unknown scaling or a block that does not divide the axis.
    """
    kind = number_format(name)
    if scaling not in SCALINGS:
        raise ValueError(f"no scaling {scaling!r}; there are: {', '.join(SCALINGS)}")
    if scaling == "none" or name in ("fp32", "bf16"):
        return round_to(x, name)
    if scaling == "tensor":
        return _scaled(x, kind, x.abs().amax())
    size = min(block, x.shape[-1])
    if block < 1 or x.shape[-1] % size:
        raise ValueError(f"blocks of {block!r} do not divide an axis of {x.shape[-1]}")
    blocks = x.reshape(*x.shape[:-1], x.shape[-1] // size, size)
    return _scaled(blocks, kind, blocks.abs().amax(-1, keepdim=True)).reshape(x.shape)


def _scaled(x: torch.Tensor, kind: Format, largest: torch.Tensor) -> torch.Tensor:
    # A block of zeros has no largest value to scale by: leave it as it is.
    factor = torch.where(largest > 0, kind.largest / largest.clamp_min(1e-30), torch.ones_like(largest))
    return round_to(x * factor, kind.name) / factor
