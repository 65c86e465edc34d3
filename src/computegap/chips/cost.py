"""What a good die costs, and what making it without extreme-ultraviolet light adds.

A fab charges for the wafer, not for the die: every dead die is paid for by the good ones, and every package
that fails takes good dies with it. The rest of the module asks what happens to the price of the wafer when
the finest layers, which an EUV machine prints in one exposure, are printed in several by older machines.

Units: USD, mm2, fractions between 0 and 1. Taught in chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from computegap.chips.wafer import die_yield


def _fraction(name: str, value: float, *, one_ok: bool = True, zero_ok: bool = True) -> float:
    number = float(value)
    fits = (number >= 0 if zero_ok else number > 0) and (number <= 1 if one_ok else number < 1)
    if not fits:
        bounds = f"{'0' if zero_ok else 'above 0'} and {'1' if one_ok else 'below 1'}"
        raise ValueError(f"{name} is a fraction between {bounds}, got {value!r}")
    return number


def _positive(name: str, value: float) -> float:
    number = float(value)
    if not number > 0 or number == float("inf"):
        raise ValueError(f"{name} must be positive, got {value!r}")
    return number


def cost_per_good_die(wafer_price_usd: float, dies_per_wafer: float, yield_fraction: float) -> float:
    """Price of the wafer shared among its good dies, USD a die.

    Raises
    ------
    ValueError
        If the price or the number of dies is not positive, or the yield is not above 0 and up to 1.
    """
    price = _positive("wafer price", wafer_price_usd)
    dies = _positive("dies per wafer", dies_per_wafer)
    return price / (dies * _fraction("yield", yield_fraction, zero_ok=False))


def silicon_per_package(cost_per_die_usd: float, dies_per_package: int, packaging_loss: float = 0.0) -> float:
    """Cost of the dies in one working package, USD: packages that fail take their dies along.

    Memory, substrate, test and margin are not in it.
    """
    cost = _positive("cost per die", cost_per_die_usd)
    dies = _positive("dies per package", dies_per_package)
    return cost * dies / (1 - _fraction("packaging loss", packaging_loss, one_ok=False))


def multipatterning_cost(litho_share: float, litho_increase: float) -> float:
    """Wafer cost relative to the same wafer with EUV.

    Only the lithography gets dearer: ``1 + litho_share * litho_increase``.

    Parameters
    ----------
    litho_share : float
        Part of the wafer's cost that is lithography, between 0 and 1.
    litho_increase : float
        How much dearer lithography gets, 0.5 meaning half as much again.
    """
    increase = float(litho_increase)
    if increase < -1:
        raise ValueError(f"lithography cannot get cheaper than free, got an increase of {litho_increase!r}")
    return 1 + _fraction("litho share", litho_share) * increase


@dataclass(frozen=True)
class MultiPatterning:
    """A process in which each EUV layer is printed by several exposures of an older machine.

    Attributes
    ----------
    euv_layers : float
        Layers that the EUV process prints with EUV.
    steps_per_layer : float
        Process steps that replace one EUV step.
    step_survival : float
        Chance that a die survives one such step (alignment between exposures is the hard part).
    """

    euv_layers: float
    steps_per_layer: float
    step_survival: float = 1.0

    def __post_init__(self) -> None:
        if float(self.euv_layers) < 0:
            raise ValueError(f"layers must be zero or more, got {self.euv_layers!r}")
        if float(self.steps_per_layer) < 1:
            raise ValueError(f"a layer takes one step or more, got {self.steps_per_layer!r}")
        _fraction("step survival", self.step_survival, zero_ok=False)

    @property
    def extra_steps(self) -> float:
        """Steps added to the process."""
        return float(self.euv_layers) * (float(self.steps_per_layer) - 1)

    @property
    def survival(self) -> float:
        """Chance that a die survives all the added steps; small losses compound."""
        return float(self.step_survival) ** self.extra_steps


def cost_per_good_die_without_euv(
    wafer_price_usd: float,
    dies_per_wafer: float,
    area_mm2: float,
    d0_per_cm2: float,
    process: MultiPatterning,
    *,
    litho_share: float,
    litho_increase: float,
    model: str = "murphy",
    alpha: float = 2.0,
) -> float:
    """Cost of a good die, USD, when the wafer is dearer and each added step loses a few dies.

    ``wafer_price_usd`` is the price of the wafer made with EUV; the yield is that of
    :func:`~computegap.chips.wafer.die_yield` times the survival of the added steps.
    """
    good = die_yield(area_mm2, d0_per_cm2, model, alpha=alpha) * process.survival
    price = _positive("wafer price", wafer_price_usd) * multipatterning_cost(litho_share, litho_increase)
    return cost_per_good_die(price, dies_per_wafer, good)
