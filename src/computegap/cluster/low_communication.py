"""Training that seldom talks: local steps, an outer step now and then, few bits on the wire.

A worker takes ``H`` ordinary steps by itself. The distance that it moved is its *outer gradient*; the workers
average it and give it to an outer optimiser. With plain averaging this is local SGD (McMahan et al. 2017;
Stich 2019); with Nesterov momentum it is DiLoCo (Douillard et al. 2023, arXiv 2311.08105). Streaming DiLoCo
(Douillard et al. 2025, arXiv 2501.18512) sends a fragment at a time, goes on computing meanwhile, and sends
four bits.

Everything works on flat vectors, so that each step can be read as the formula that it is.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.distributed as dist

#: Numbers that share a scale factor when they are rounded.
BLOCK = 64


class OuterOptimiser:
    """SGD with Nesterov momentum on outer gradients; momentum 0 and rate 1 is plain averaging.

    Parameters
    ----------
    weights : torch.Tensor
        Shared weights at the start, a flat vector; updated in place as ``self.weights``.
    learning_rate : float
        Outer learning rate; the paper's choice is 0.7.
    momentum : float
        Outer momentum; the paper's choice is 0.9.

    Raises
    ------
    ValueError
        If the rate is not positive or the momentum is not in [0, 1).
    """

    def __init__(self, weights: torch.Tensor, learning_rate: float = 0.7, momentum: float = 0.9) -> None:
        if not learning_rate > 0:
            raise ValueError(f"an outer learning rate is positive, got {learning_rate!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum lies in [0, 1), got {momentum!r}")
        self.weights = weights.clone()
        self.velocity = torch.zeros_like(self.weights)
        self.learning_rate, self.momentum = learning_rate, momentum

    def step(
        self, outer_gradient: torch.Tensor, part: slice | tuple[slice, ...] = slice(None)
    ) -> torch.Tensor:
        """Apply an averaged outer gradient to a part of the weights; returns that part as it is now."""
        velocity = self.velocity[part]
        velocity.mul_(self.momentum).add_(outer_gradient)
        self.weights[part] -= self.learning_rate * (outer_gradient + self.momentum * velocity)
        return self.weights[part]


def fragments(size: int, count: int) -> list[slice]:
    """``count`` stretches of a vector, as equal as can be."""
    if not 1 <= count <= size:
        raise ValueError(f"a vector of {size} can be cut into 1 to {size} fragments, not {count!r}")
    edges = [size * i // count for i in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]


def to_few_bits(values: torch.Tensor, bits: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Round a vector to small integers with one scale a block, two of them in a byte where they fit.

    Parameters
    ----------
    values : torch.Tensor
        Flat; its length is a multiple of :data:`BLOCK`.
    bits : int
        2 to 8; up to 4, two numbers share a byte.

    Returns
    -------
    codes : torch.Tensor of uint8
    scales : torch.Tensor of float16
        One for each block: the largest absolute value divided by the largest integer.

    Raises
    ------
    ValueError
        For another length or number of bits.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits are 2 to 8, got {bits!r}")
    if len(values) % BLOCK:
        raise ValueError(f"the length must be a multiple of {BLOCK}, got {len(values)}")
    largest = 2 ** (bits - 1) - 1
    blocks = values.view(-1, BLOCK)
    # Sixteen bits for the scale; the smallest normal one keeps a block of zeros from dividing by zero.
    scales = (blocks.abs().amax(1) / largest).half().clamp(min=6.2e-5)
    codes = (blocks / scales[:, None]).round().clamp(-largest, largest).to(torch.int8) + largest
    codes = codes.flatten().to(torch.uint8)
    if bits <= 4:
        codes = codes[0::2] | (codes[1::2] << 4)
    return codes, scales


def from_few_bits(codes: torch.Tensor, scales: torch.Tensor, bits: int = 4) -> torch.Tensor:
    """The vector that :func:`to_few_bits` rounded."""
    if bits <= 4:
        codes = torch.stack([codes & 15, codes >> 4], 1).flatten()
    centred = codes.float() - (2 ** (bits - 1) - 1)
    return (centred.view(-1, BLOCK) * scales.float()[:, None]).flatten()


class Averaging:
    """An average over all workers that is under way; :meth:`result` waits for it.

    In full precision this is torch's asynchronous all-reduce. In few bits it has two halves: each worker
    receives everybody's rounded version of its own share of the vector and averages that; then the rounded
    averages are passed round. Each half is rounded once, and the sums are made in full precision.

    Parameters
    ----------
    values : torch.Tensor
        This worker's vector, flat.
    bits : int or None
        Bits on the wire for each number; None sends 32.
    """

    def __init__(self, values: torch.Tensor, bits: int | None = None) -> None:
        self.bits, self.workers, self._length = bits, dist.get_world_size(), len(values)
        self._second = bits is None
        if bits is None:
            self._got = values.clone()
            self._work = dist.all_reduce(self._got, async_op=True)
            return
        room = -len(values) % (BLOCK * self.workers)
        codes, scales = to_few_bits(torch.nn.functional.pad(values, (0, room)), bits)
        self._sent = _as_bytes(codes, scales, self.workers)
        self._got = torch.empty_like(self._sent)
        self._work = dist.all_to_all_single(self._got, self._sent, async_op=True)

    def second_half(self) -> None:
        """Start passing the rounded averages round, once the first half has arrived; does nothing twice."""
        if self._second:
            return
        self._second = True
        self._work.wait()
        shares = [_from_bytes(part, self.bits) for part in self._got.view(self.workers, -1)]
        self._sent = _as_bytes(*to_few_bits(torch.stack(shares).mean(0), self.bits), 1)
        self._got = torch.empty(self.workers * len(self._sent), dtype=torch.uint8)
        self._work = _all_gather(self._got, self._sent, async_op=True)

    def result(self) -> torch.Tensor:
        """The average, once it has arrived."""
        self.second_half()
        self._work.wait()
        if self.bits is None:
            return self._got / self.workers
        parts = [_from_bytes(part, self.bits) for part in self._got.view(self.workers, -1)]
        return torch.cat(parts)[: self._length]


# The newer name where torch has it; the older one warns there.
_all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor


def _as_bytes(codes: torch.Tensor, scales: torch.Tensor, shares: int) -> torch.Tensor:
    """Codes and scales of each share side by side, as one vector of bytes."""
    both = [codes.view(shares, -1), scales.view(torch.uint8).view(shares, -1)]
    return torch.cat(both, 1).flatten()


def _from_bytes(message: torch.Tensor, bits: int) -> torch.Tensor:
    blocks = len(message) // (BLOCK // (2 if bits <= 4 else 1) + 2)
    codes, scales = message[: -2 * blocks], message[-2 * blocks :]
    return from_few_bits(codes, scales.clone().view(torch.float16), bits)
