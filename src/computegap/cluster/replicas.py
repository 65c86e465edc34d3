"""Small networks that several workers train together, with all seeds of an experiment in one module.

Each worker holds one network for each seed, and every seed starts from weights and reads text of its own. The
seeds share nothing: each has parameters of its own, so that whatever torch does to gradients (averaging,
rounding, compressing matrix by matrix) it does for every seed as it would for that seed alone. One message
carries all seeds; a link that is to offer a rate to each of them must be that many times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from computegap.experiment import generator, seeds, threads
from computegap.networks.text import batches, python_help

#: Symbols that the network sees before it predicts the next one, and the numbers that stand for each.
CONTEXT, EMBEDDING = 12, 12


class Replicas(nn.Module):
    """A network for each seed: a few symbols in, one hidden layer, the next symbol out.

    Parameters
    ----------
    seed_numbers : list of int
        One network each.
    hidden : int
        Width of the hidden layer.

    Attributes
    ----------
    flat : torch.Tensor
        All weights of all seeds as one vector, seed after seed; the parameters are views of it.
    """

    def __init__(self, seed_numbers: list[int], hidden: int = 96) -> None:
        super().__init__()
        if not seed_numbers:
            raise ValueError("one seed or more is needed")
        self.seed_numbers = list(seed_numbers)
        symbols = python_help().vocabulary
        shapes = [
            (symbols, EMBEDDING), (CONTEXT * EMBEDDING, hidden), (hidden,), (hidden, symbols), (symbols,),
        ]  # fmt: skip
        self.per_seed = sum(torch.Size(shape).numel() for shape in shapes)
        self.flat = torch.empty(len(seed_numbers) * self.per_seed)
        groups: list[list[nn.Parameter]] = [[] for _ in shapes]
        place = 0
        for number in seed_numbers:
            random = generator(number)
            for group, shape in zip(groups, shapes, strict=True):
                size = torch.Size(shape).numel()
                view = self.flat[place : place + size].view(shape)
                fan_in = shape[0] if len(shape) == 2 else 1
                spread = {symbols: 0.5, 1: 0.0}.get(fan_in, fan_in**-0.5)
                view.copy_(torch.randn(shape, generator=random) * spread)
                group.append(nn.Parameter(view))
                place += size
        self.embedding, self.enter, self.enter_bias, self.leave, self.leave_bias = map(
            nn.ParameterList, groups
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Loss of each seed: tokens (seeds, rows, CONTEXT + 1) -> (seeds,), nats a symbol."""
        n, rows, _ = tokens.shape
        seen, target = tokens[..., :-1], tokens[..., -1]
        table = torch.stack(list(self.embedding))
        x = table[torch.arange(n)[:, None, None], seen].reshape(n, rows, -1)
        h = F.relu(
            torch.baddbmm(torch.stack(list(self.enter_bias))[:, None], x, torch.stack(list(self.enter)))
        )
        out = torch.baddbmm(torch.stack(list(self.leave_bias))[:, None], h, torch.stack(list(self.leave)))
        return F.cross_entropy(out.flatten(0, 1), target.flatten(), reduction="none").view(n, rows).mean(1)

    def gather(self) -> None:
        """Make the parameters views of ``flat`` again, with their present values.

        Torch's averager hands every parameter new storage.
        """
        place = 0
        for weights in zip(*self._groups(), strict=True):
            for weight in weights:
                view = self.flat[place : place + weight.numel()].view(weight.shape)
                view.copy_(weight.detach())
                weight.data = view
                place += weight.numel()

    def _groups(self) -> tuple[nn.ParameterList, ...]:
        return self.embedding, self.enter, self.enter_bias, self.leave, self.leave_bias

    def load(self, flat: torch.Tensor) -> None:
        """Take all weights from a vector like ``flat``."""
        if flat.shape != self.flat.shape:
            raise ValueError(f"these networks have {len(self.flat)} weights, the start {len(flat)}")
        self.flat.copy_(flat)


def draw(generators: list[torch.Generator], rows: int) -> torch.Tensor:
    """A batch of training text for each seed: (seeds, rows, CONTEXT + 1)."""
    return batches(python_help().train, rows, CONTEXT, generators)


def held_out_losses(
    networks: Replicas, flats: list[torch.Tensor], share: tuple[int, int] = (0, 1), rows: int = 1600
) -> list[list[float]]:
    """Loss on text that nobody trained on, for each of several states and each seed.

    Parameters
    ----------
    networks : Replicas
    flats : list of torch.Tensor
        States, as ``Replicas.flat``.
    share : (int, int)
        Which of how many equal parts of the held-out rows to read.
    rows : int
        Symbols to predict, over all parts.
    """
    test = batches(python_help().held_out, rows, CONTEXT, [generator(12345)])
    part, parts = share
    mine = test[:, part * rows // parts : (part + 1) * rows // parts]
    everyone = mine.expand(len(networks.seed_numbers), -1, -1)
    kept, losses = networks.flat.clone(), []
    with torch.no_grad():
        for flat in flats:
            networks.load(flat)
            losses.append(networks(everyone).tolist())
        networks.load(kept)
    return losses


def worker_generators(numbers: list[int], worker: int) -> list[torch.Generator]:
    """Where a worker's training text comes from: the same for every method, another for every worker."""
    return [generator(number + 1000 * (1 + worker)) for number in numbers]


def together(
    start: WarmStart, marks: list[int], *, workers: int = 4, rows: int = 32, learning_rate: float = 4e-3
) -> list[list[float]]:
    """Data parallel training of several workers, done by one process: one batch of all workers' rows.

    Returns
    -------
    list of list of float
        Held-out loss after each number of steps in ``marks``, for each seed.
    """
    with threads(1):
        networks = Replicas(start.seed_numbers)
        networks.load(start.flat)
        optimiser = optimiser_of(networks, learning_rate)
        sources = [worker_generators(start.seed_numbers, worker) for worker in range(workers)]
        states = {0: start.flat}
        for step in range(1, max(marks) + 1):
            optimiser.zero_grad()
            networks(torch.cat([draw(source, rows) for source in sources], 1)).sum().backward()
            optimiser.step()
            if step in marks:
                states[step] = networks.flat.clone()
        return held_out_losses(networks, [states[mark] for mark in marks])


def optimiser_of(networks: Replicas, learning_rate: float) -> torch.optim.Optimizer:
    """AdamW as every method uses it inside."""
    return torch.optim.AdamW(
        networks.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )


@dataclass(frozen=True)
class WarmStart:
    """Networks that one worker trained before the others joined.

    Attributes
    ----------
    seed_numbers : list of int
    flat : torch.Tensor
        All weights, as ``Replicas.flat``.
    losses : list of float
        Held-out loss of each seed.
    steps : int
    """

    seed_numbers: list[int]
    flat: torch.Tensor
    losses: list[float]
    steps: int


def warm_start(n_seeds: int = 4, steps: int = 400, rows: int = 64, learning_rate: float = 3e-3) -> WarmStart:
    """Train each seed's network alone for a while; ``steps=0`` gives untrained networks."""
    with threads(1):
        networks = Replicas(seeds(n_seeds))
        optimiser = optimiser_of(networks, learning_rate)
        generators = [generator(number + 1) for number in networks.seed_numbers]
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = learning_rate * min(1.0, (step + 1) / 20)
            optimiser.zero_grad()
            networks(draw(generators, rows)).sum().backward()
            optimiser.step()
        losses = held_out_losses(networks, [networks.flat.clone()])[0]
    return WarmStart(networks.seed_numbers, networks.flat.clone(), losses, steps)
