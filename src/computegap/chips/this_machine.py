"""The reader's own machine, measured: how fast it multiplies, how fast it fetches, and why.

Every number carries its spread over repeats and a reason, because a rate without one ("bf16: 50 GFLOP/s")
invites the wrong conclusion. A precision that this machine or this torch cannot multiply is absent, with
the reason instead of a value. The whole measurement takes a few seconds and works on one core.

What it does not measure: other programs use the same machine, and a laptop slows down when it is warm.
Rates are those that torch reaches, which can be far from what the processor could do. Taught in chapter 2.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from computegap.chips.roofline import Roofline
from computegap.experiment import Budget, Spread, Timer, spread, threads, versions

#: Processor flags (Linux names) that speed up each precision.
HELPFUL_FLAGS = {
    "bf16": ("amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp"),
    "fp32": ("avx512f", "avx2", "asimd"),
    "fp64": ("avx512f", "avx2", "asimd"),
}


@dataclass(frozen=True)
class Measured:
    """A measured quantity, or the reason why there is none.

    ``value`` is a Spread over repeats (in ``unit``) or None; ``reason`` says what explains the value or its
    absence.
    """

    what: str
    unit: str
    value: Spread | None
    reason: str

    def __str__(self) -> str:
        value = "no value" if self.value is None else f"{self.value} {self.unit}"
        return f"{self.what}: {value} ({self.reason})"


@dataclass(frozen=True)
class Machine:
    """What was measured.

    Attributes
    ----------
    cpu : str
        Name of the processor.
    cores, threads : int
        Cores that the system shows, and threads that torch used.
    capability : str
        Vector instructions that torch chose ("AVX512", "AVX2", "DEFAULT", ...).
    flags : frozenset of str
        Processor flags, empty where the system does not tell.
    rates : dict
        Precision -> Measured, FLOP/s (for int8: OP/s).
    bandwidth : Measured
        Memory bandwidth, B/s.
    cache : dict
        Bytes in use -> Measured, B/s.
    seconds : float
        How long measuring took.
    software : dict
        Versions.
    """

    cpu: str
    cores: int
    threads: int
    capability: str
    flags: frozenset[str]
    rates: Mapping[str, Measured]
    bandwidth: Measured
    cache: Mapping[int, Measured]
    seconds: float
    software: Mapping[str, str] = field(default_factory=dict)

    @property
    def fastest(self) -> str:
        """The precision with the highest measured rate. LookupError if none could be measured."""
        known = {name: rate.value.mean for name, rate in self.rates.items() if rate.value is not None}
        if not known:
            raise LookupError("no precision could be measured on this machine")
        return max(known, key=known.get)

    def report(self) -> list[tuple[str, str, str]]:
        """Rows for a table: what was measured, its value with the spread of the repeats, and the reason."""
        rows = []
        for found in (*self.rates.values(), self.bandwidth):
            if found.value is None:
                value = "no value"
            else:
                value = f"{found.value.mean / 1e9:.3g} ± {found.value.sd / 1e9:.2g} G{found.unit}"
            rows.append((found.what, value, found.reason))
        return rows

    def roofline(self, precision: str = "fp32") -> Roofline:
        """Roofline of this machine, its roofs as wide as the spread of the repeats.

        Raises
        ------
        LookupError
            If the precision is unknown or could not be measured here; the message gives the reason.
        """
        if precision not in self.rates:
            raise LookupError(f"no precision {precision!r}; measured: {', '.join(self.rates)}")
        rate = self.rates[precision]
        for quantity in (rate, self.bandwidth):
            if quantity.value is None:
                raise LookupError(f"{quantity.what} has no value here: {quantity.reason}")
        return Roofline(
            "this machine", _range(rate.value), _range(self.bandwidth.value), precision, kind="measured"
        )


def _range(value: Spread) -> tuple[float, float]:
    # One standard deviation of the repeats to either side: what the next repeat is likely to give.
    return max(value.mean - value.sd, value.mean / 10), value.mean + value.sd


def cpu_name() -> str:
    """Name of the processor, by whatever way this system has; never fails."""
    try:
        if platform.system() == "Linux":
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.lower().startswith(("model name", "hardware", "cpu model")):
                    return line.split(":", 1)[1].strip()
        if platform.system() == "Darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                command, capture_output=True, text=True, timeout=2, check=True
            ).stdout.strip()
    except (OSError, IndexError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def cpu_flags() -> frozenset[str]:
    """Processor flags from /proc/cpuinfo; empty on systems without it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith(("flags", "features")):
                return frozenset(line.split(":", 1)[1].split())
    except (OSError, IndexError):
        pass
    return frozenset()


def cpu_capability() -> str:
    """Vector instructions that torch uses on this processor."""
    import torch

    try:
        return torch.backends.cpu.get_cpu_capability()
    except (AttributeError, RuntimeError):
        return "unknown"


def explain(precision: str, rate: float | None, fp32_rate: float | None, flags: frozenset[str]) -> str:
    """Why a precision is as fast as it is: a sentence from the flags and from the ratio to fp32.

    Parameters
    ----------
    precision : str
        "fp64", "fp32", "bf16" or "int8".
    rate, fp32_rate : float or None
        Measured operations a second.
    flags : frozenset of str
        Processor flags; empty means that the system does not tell.
    """
    helpful = [flag for flag in HELPFUL_FLAGS.get(precision, ()) if flag in flags]
    if not flags:
        support = "this system does not list its processor flags"
    elif helpful:
        support = f"the processor has {' and '.join(helpful)}"
    else:
        support = f"the processor lists none of {', '.join(HELPFUL_FLAGS.get(precision, ()))}"
    if precision == "fp32" or rate is None or not fp32_rate:
        return support
    ratio = rate / fp32_rate
    if ratio >= 1.2:
        return f"{ratio:.1f} times fp32; {support}"
    if ratio >= 0.8:
        return f"about as fast as fp32; {support}"
    if precision == "fp64":
        return f"{ratio:.2f} of fp32, twice the bytes per number; {support}"
    tail = ", but torch's matrix product makes little use of it" if helpful else ""
    return f"{ratio:.2f} of fp32; {support}{tail}"


def _repeat(
    run: Callable[[], None], work: float, budget: Budget, at_least: int = 3, at_most: int = 30
) -> Spread:
    """Work per second over repeats, within a budget."""
    run()  # the first call pays for memory and for starting threads
    rates = []
    while len(rates) < at_least or (len(rates) < at_most and budget.left > 0):
        with Timer() as timer:
            run()
        rates.append(work / max(timer.seconds, 1e-9))
    # Interruptions by other programs only ever slow a repeat down: keep the faster half (two at least).
    rates.sort()
    return spread(rates[min(len(rates) // 2, len(rates) - 2) :])


def measure_rate(precision: str, size: int = 768, seconds: float = 0.4) -> Spread:
    """Operations a second of a square matrix product.

    Raises
    ------
    LookupError
        For an unknown precision.
    RuntimeError
        If this torch cannot multiply in it here (torch's own message).
    """
    import torch

    if precision not in HELPFUL_FLAGS:
        raise LookupError(f"no precision {precision!r}; there are: {', '.join(HELPFUL_FLAGS)}")
    if precision == "int8":
        a = torch.randint(-100, 100, (size, size), dtype=torch.int8)
        product = lambda: torch._int_mm(a, a)  # noqa: E731
    else:
        dtype = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        a = torch.randn(size, size, dtype=torch.float32).to(dtype)
        product = lambda: torch.mm(a, a)  # noqa: E731
    return _repeat(product, 2.0 * size**3, Budget(seconds))


def measure_bandwidth(total_bytes: int, seconds: float = 0.3) -> Spread:
    """Bytes a second of the triad ``a = b + s c`` over three arrays that take ``total_bytes`` together.

    Counted as in McCalpin's STREAM: two arrays read and one written, nothing for fetching what is
    overwritten.
    """
    import torch

    n = total_bytes // 12
    if n < 1:
        raise ValueError(f"three arrays do not fit in {total_bytes!r} bytes")
    a, b, c = (torch.ones(n) for _ in range(3))
    loops = max(1, int(2e6 // n))

    def run() -> None:
        for _ in range(loops):
            torch.add(b, c, alpha=1.5, out=a)

    return _repeat(run, 12.0 * n * loops, Budget(seconds))


KIB, MIB = 2**10, 2**20
#: Bytes in use for the cache steps; the last is far beyond the caches of most machines.
CACHE_SIZES = (
    96 * KIB,
    384 * KIB,
    768 * KIB,
    1536 * KIB,
    3 * MIB,
    6 * MIB,
    12 * MIB,
    24 * MIB,
    48 * MIB,
    192 * MIB,
)


def measure_machine(
    seconds: float = 6.0,
    precisions: tuple[str, ...] = ("fp64", "fp32", "bf16", "int8"),
    sizes: tuple[int, ...] = CACHE_SIZES,
) -> Machine:
    """Measure this machine in about ``seconds``; a part that fails is absent, with its reason.

    Raises
    ------
    ValueError
        If the time is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"measuring takes positive seconds, got {seconds!r}")
    import torch

    flags, share = cpu_flags(), seconds / (len(precisions) + len(sizes) + 2)
    with Timer() as timer:
        rates = _rates(precisions, share, flags)
        # One thread for the steps: the caches nearest to a core belong to it alone, and starting several
        # threads takes longer than going through a small array.
        with threads(1):
            cache = {size: _bandwidth(size, share) for size in sizes}
        largest = max(sizes)
        bandwidth = _bandwidth(largest, 2 * share, what="memory bandwidth")
    return Machine(
        cpu=cpu_name(),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        capability=cpu_capability(),
        flags=flags,
        rates=rates,
        bandwidth=bandwidth,
        cache=cache,
        seconds=timer.seconds,
        software=versions(),
    )


def _rates(precisions: tuple[str, ...], seconds: float, flags: frozenset[str]) -> dict[str, Measured]:
    found: dict[str, Spread | None] = {}
    trouble: dict[str, str] = {}
    for precision in precisions:
        # A slow machine gets a smaller product: three repeats must not take longer than the share of the
        # budget.
        size = 768 if seconds > 0.15 else 256
        try:
            found[precision] = measure_rate(precision, size, seconds)
        except (RuntimeError, NotImplementedError, AttributeError, LookupError) as problem:
            found[precision] = None
            trouble[precision] = f"torch cannot multiply it here: {str(problem).splitlines()[0][:120]}"
    fp32 = found.get("fp32")
    return {
        precision: Measured(
            f"{precision} matrix product",
            "OP/s" if precision == "int8" else "FLOP/s",
            rate,
            trouble.get(precision)
            or explain(precision, rate.mean if rate else None, fp32.mean if fp32 else None, flags),
        )
        for precision, rate in found.items()
    }


def _bandwidth(size: int, seconds: float, what: str = "") -> Measured:
    label = what or f"triad over {size / MIB:.3g} MiB"
    try:
        value = measure_bandwidth(size, seconds)
    except (RuntimeError, MemoryError) as problem:
        return Measured(label, "B/s", None, f"no room for the arrays: {str(problem).splitlines()[0][:120]}")
    return Measured(
        label, "B/s", value, f"three arrays of {size / 3 / MIB:.3g} MiB each, two read, one written"
    )


def cache_drops(machine: Machine, factor: float = 1.3) -> list[tuple[int, int, float]]:
    """Neighbouring sizes between which bandwidth falls by more than ``factor``: (from, to, how many times).

    Each is a sign of a cache that no longer holds the arrays; the true size lies somewhere between the two.
    """
    known = [
        (size, found.value.mean) for size, found in sorted(machine.cache.items()) if found.value is not None
    ]
    drops = []
    for (small, fast), (large, slow) in pairwise(known):
        if fast > factor * slow:
            drops.append((small, large, fast / slow))
    return drops
