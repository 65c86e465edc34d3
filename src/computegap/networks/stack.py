"""Training several seeds of a network at once, as one stack.

A tiny network keeps no machine busy: most of the time goes into starting operations. Stacking the weights
of all seeds and mapping the network over the stack (``torch.func``) does one operation where a loop would
do four, so that the error bars of an experiment are nearly free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.func import functional_call, stack_module_state, vmap

from computegap.experiment import Recorder, Timer, generator, set_seed, threads


@dataclass(frozen=True)
class Trained:
    """A finished run of all seeds.

    Attributes
    ----------
    state : dict
        Weights, each with the seeds as first axis.
    steps : list of int
        Steps at which the held-out loss was taken.
    losses : torch.Tensor
        Held-out loss, nats: (points, seeds).
    seconds : float
        Wall-clock time of the training.
    """

    state: dict[str, torch.Tensor]
    steps: list[int]
    losses: torch.Tensor
    seconds: float

    @property
    def final(self) -> list[float]:
        """Held-out loss of each seed at the end."""
        return [float(loss) for loss in self.losses[-1]]

    @property
    def diverged(self) -> int:
        """Seeds whose loss stopped being a number."""
        return int((~torch.isfinite(self.losses[-1])).sum())


class Stack:
    """The same network once for each seed, with stacked weights.

    Parameters
    ----------
    build : callable
        Makes one network; called once for each seed, after the seed is set.
    seeds : list of int
        One network each.
    """

    def __init__(self, build: Callable[[], torch.nn.Module], seeds: list[int]) -> None:
        if not seeds:
            raise ValueError("a stack needs one seed or more")
        networks = []
        for seed in seeds:
            set_seed(seed)
            networks.append(build())
        weights, buffers = stack_module_state(networks)
        self.weights = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        self.buffers = buffers
        # The shell has the structure and no weights of its own.
        self.shell = networks[0].to("meta")
        self.seeds = list(seeds)

    def losses(self, loss: Callable, data: torch.Tensor, weights: dict | None = None) -> torch.Tensor:
        """Loss of each seed on its own slice of the data: data (seeds, ...) -> (seeds,)."""

        def one(weight, buffer, part):
            return loss(lambda *inputs: functional_call(self.shell, (weight, buffer), inputs), part)

        return vmap(one)(weights or self.weights, self.buffers, data)


def train_stack(
    stack: Stack,
    loss: Callable,
    draw: Callable[[list[torch.Generator]], torch.Tensor],
    held_out: torch.Tensor,
    *,
    steps: int,
    every: int = 20,
    learning_rate: float = 3e-3,
    warm_up: int = 20,
    report: Callable[[int], None] | None = None,
    n_threads: int = 1,
) -> Trained:
    """Train all seeds with AdamW, linear warm-up and cosine decay.

    Parameters
    ----------
    stack : Stack
        The networks; their weights are trained in place.
    loss : callable
        ``loss(network, tokens)`` for one network.
    draw : callable
        ``draw(generators)`` gives a batch (seeds, ...), one generator a seed, so that seeds see their own
        data.
    held_out : torch.Tensor
        One batch for all seeds, to judge by.
    steps, every : int
        How long to train, and how often to judge.
    learning_rate : float
        The highest one.
    warm_up : int
        Steps until it is reached.
    report : callable or None
        Called with each step.
    n_threads : int
        Threads of torch during the run, see :func:`computegap.experiment.threads`.

    Raises
    ------
    ValueError
        If ``steps`` or ``every`` is not positive.
    """
    if steps < 1 or every < 1:
        raise ValueError(f"steps and every must be 1 or more, got {steps!r} and {every!r}")
    weights = list(stack.weights.values())
    optimiser = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.95), eps=1e-12)
    generators = [generator(seed) for seed in stack.seeds]
    everyone = held_out.expand(len(stack.seeds), *held_out.shape)
    record = Recorder()

    def judge(step: int) -> None:
        with torch.no_grad():
            record.add(step=step, loss=stack.losses(loss, everyone))

    with threads(n_threads), Timer() as timer:
        for step in range(steps):
            if step % every == 0:
                judge(step)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * _schedule(step, steps, warm_up)
            # The seeds share no weight, so the gradient of the sum is the gradient of each.
            stack.losses(loss, draw(generators)).sum().backward()
            optimiser.step()
            optimiser.zero_grad()
            if report is not None:
                report(step)
        judge(steps)
    state = {name: weight.detach().clone() for name, weight in stack.weights.items()}
    return Trained(state, [int(s) for s in record["step"]], torch.as_tensor(record["loss"]), timer.seconds)


def _schedule(step: int, steps: int, warm_up: int) -> float:
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return 0.1 + 0.45 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))
