"""Two machines of many chips behind one fast network: Huawei's CloudMatrix 384 and NVIDIA's GB200 NVL72.

What analysts printed about them, beside what the parts in the registry add up to. Arithmetic, memory and
bandwidth add up from data sheets; power does not, and is taken as printed.
Taught in chapter 9.
"""

from __future__ import annotations

from dataclasses import dataclass

from computegap import facts
from computegap.cluster.spans import Span

#: What is compared, and what the keys of the registry call it.
QUANTITIES = {"compute": "arithmetic", "memory": "memory", "bandwidth": "memory bandwidth"}


@dataclass(frozen=True)
class Supernode:
    """One machine.

    Attributes
    ----------
    name : str
    chips : float
    compute, memory, bandwidth : Span
        FLOP/s dense in 16 bits, bytes, bytes per second.
    watts : Span
        Of the whole machine.
    """

    name: str
    chips: float
    compute: Span
    memory: Span
    bandwidth: Span
    watts: Span


@dataclass(frozen=True)
class Ratio:
    """One quantity of the first machine over that of the second.

    Attributes
    ----------
    what : str
    ours : Span
    published : float or None
        As printed by the analysts; None where they printed none.
    """

    what: str
    ours: Span
    published: float | None

    def agrees(self, tolerance: float = 0.05) -> bool | None:
        """Whether the printed ratio lies in our range, allowing for rounding; None where there is none."""
        if self.published is None:
            return None
        return self.ours.low * (1 - tolerance) <= self.published <= self.ours.high * (1 + tolerance)


def supernode(name: str) -> Supernode:
    """A machine of the registry of systems; arithmetic, memory and bandwidth with their ranges.

    Raises
    ------
    LookupError
        If there is no such system.
    """
    system = facts.system(name)
    values = {}
    for what, field in (
        ("compute", "bf16"),
        ("memory", "mem_tb"),
        ("bandwidth", "mem_bw_tbs"),
        ("watts", "power_kw"),
    ):
        fact = getattr(system, field)
        values[what] = Span.of(fact) * (fact.si / fact.value)
    return Supernode(system.name, float(system.n_chips), **values)


def ratios() -> list[Ratio]:
    """CloudMatrix 384 over GB200 NVL72: chips, parts, power, and power for the same of each part.

    The analysts print a ratio of power that is not the ratio of the powers that they print; ours is the
    latter, with the range of the powers.
    """
    ours, other = supernode("CloudMatrix 384"), supernode("GB200 NVL72")
    power = ours.watts / other.watts
    rows = [Ratio("chips", Span.of(ours.chips / other.chips), None)]
    shares = {what: getattr(ours, what) / getattr(other, what) for what in QUANTITIES}
    for what, words in QUANTITIES.items():
        rows.append(Ratio(words, shares[what], float(facts.published(f"cm384-{what}"))))
    rows.append(Ratio("power", power, float(facts.published("cm384-power"))))
    for what, key in (("compute", "per-flop"), ("bandwidth", "per-bandwidth"), ("memory", "per-memory")):
        words = f"power for the same {QUANTITIES[what]}"
        rows.append(Ratio(words, power / shares[what], float(facts.published(f"cm384-power-{key}"))))
    return rows
