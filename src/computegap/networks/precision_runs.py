"""The two experiments of chapter 2 on narrow numbers: training in them, and outliers in a trained network.

:func:`compare_recipes` trains the same networks, from the same starts on the same data, once for each
recipe; :func:`outlier_sweep` takes a trained network, scales one channel of a hidden layer up and its
outgoing weights down by the same factor (which changes nothing in exact arithmetic), and measures what
rounding then costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from computegap.experiment import Spread, generator, measure_flops, paired, seeds, threads, versions
from computegap.networks.language_model import TinyLanguageModel, next_symbol_loss
from computegap.networks.low_precision import RECIPES, Recipe
from computegap.networks.stack import Stack, Trained, train_stack
from computegap.networks.text import batches, python_help


@dataclass(frozen=True)
class Setting:
    """Size of the network and of the run; the defaults fit a chapter on two cores."""

    width: int = 32
    layers: int = 2
    heads: int = 2
    length: int = 32
    rows: int = 8
    steps: int = 100
    every: int = 20
    learning_rate: float = 6e-3
    n_seeds: int = 4
    base_seed: int = 0


@dataclass(frozen=True)
class RecipeComparison:
    """One finished run for each recipe, all with the same seeds.

    Attributes
    ----------
    runs : dict
        Recipe name -> :class:`computegap.networks.stack.Trained`.
    setting : Setting
        What was run.
    weights : int
        Weights of one network.
    tokens : int
        Symbols that one seed reads in training.
    flops : int
        Operations of the matrix products of one seed's training (those of the rounding are not counted).
    versions : dict
        Software used.
    """

    runs: Mapping[str, Trained]
    setting: Setting
    weights: int
    tokens: int
    flops: int
    versions: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Wall-clock time of all runs."""
        return sum(run.seconds for run in self.runs.values())

    def gap(self, name: str, against: str = "FP32") -> Spread:
        """Held-out loss minus that of another recipe, seed by seed, nats."""
        for wanted in (name, against):
            if wanted not in self.runs:
                raise LookupError(f"no run {wanted!r}; there are: {', '.join(self.runs)}")
        return paired(self.runs[name].final, self.runs[against].final)


def _build(setting: Setting, recipe: Recipe) -> Callable[[], TinyLanguageModel]:
    vocabulary = python_help().vocabulary
    return lambda: TinyLanguageModel(
        vocabulary, setting.width, setting.layers, setting.heads, setting.length, recipe
    )


def held_out_batch(setting: Setting, rows: int = 48) -> torch.Tensor:
    """The stretches of held-out text that every run is judged by, (rows, length + 1)."""
    return batches(python_help().held_out, rows, setting.length, [generator(12345)])[0]


def compare_recipes(
    recipes: Sequence[Recipe | str] = (
        "FP32",
        "BF16",
        "FP8, no scaling",
        "FP8, per tensor",
        "FP8, per block",
    ),
    setting: Setting | None = None,
    report: Callable[[str], None] | None = None,
) -> RecipeComparison:
    """Train the same seeds once for each recipe.

    Parameters
    ----------
    recipes : sequence of Recipe or str
        Recipes, or names of :data:`computegap.networks.low_precision.RECIPES`.
    setting : Setting
        Size of the run.
    report : callable or None
        Called with the name of each recipe before it runs.

    Raises
    ------
    LookupError
        For a name that is not in RECIPES.
    """
    setting = setting or Setting()
    chosen = []
    for recipe in recipes:
        if isinstance(recipe, str) and recipe not in RECIPES:
            raise LookupError(f"no recipe {recipe!r}; there are: {', '.join(RECIPES)}")
        chosen.append(RECIPES[recipe] if isinstance(recipe, str) else recipe)
    text, held_out = python_help(), held_out_batch(setting)
    runs = {}
    for recipe in chosen:
        if report is not None:
            report(recipe.name)
        stack = Stack(_build(setting, recipe), seeds(setting.n_seeds, setting.base_seed))
        runs[recipe.name] = train_stack(
            stack,
            next_symbol_loss,
            lambda generators: batches(text.train, setting.rows, setting.length, generators),
            held_out,
            steps=setting.steps,
            every=setting.every,
            learning_rate=setting.learning_rate,
        )
    weights, flops = _size(setting)
    return RecipeComparison(
        runs,
        setting,
        weights,
        setting.steps * setting.rows * setting.length,
        flops * setting.steps,
        versions(),
    )


def _size(setting: Setting) -> tuple[int, int]:
    """Weights of a network and FLOPs of one training step."""
    model = _build(setting, RECIPES["FP32"])()
    batch = batches(python_help().train, setting.rows, setting.length, [generator(0)])[0]
    flops = measure_flops(lambda: next_symbol_loss(model, batch).backward())
    return sum(weight.numel() for weight in model.parameters()), flops


@dataclass(frozen=True)
class OutlierSweep:
    """Increase of the held-out loss when a network with an outlier channel is rounded.

    Attributes
    ----------
    factors : list of float
        How far the channel was scaled.
    losses : dict
        Label -> list of :class:`Spread`, one for each factor: loss rounded minus loss exact, nats.
    exact : list of float
        Largest change of the exact loss over the seeds, for each factor: should be nothing but rounding.
    """

    factors: list[float]
    losses: Mapping[str, list[Spread]]
    exact: list[float]


#: What the sweep rounds to, label -> (format, scaling).
OUTLIER_FORMATS = {
    "INT8, per tensor": ("int8", "tensor"),
    "INT8, per block": ("int8", "block"),
    "FP8, per tensor": ("e4m3", "tensor"),
    "FP8, per block": ("e4m3", "block"),
}


def with_outlier(
    state: Mapping[str, torch.Tensor], factor: float, channel: int = 0
) -> dict[str, torch.Tensor]:
    """Weights with one hidden channel of each block scaled up, and its outgoing weights down.

    With ReLU between the two layers the network computes the same function. ValueError unless the factor is
    positive.
    """
    if not factor > 0:
        raise ValueError(f"the factor must be positive, or ReLU does not let it through; got {factor!r}")
    changed = {name: weight.clone() for name, weight in state.items()}
    for name, weight in changed.items():
        if name.endswith("up.weight"):
            weight[..., channel, :] *= factor
        elif name.endswith("up.bias"):
            weight[..., channel] *= factor
        elif name.endswith("down.weight"):
            weight[..., channel] /= factor
    return changed


def outlier_sweep(
    trained: Trained, setting: Setting, factors: Sequence[float] = (1, 10, 100, 300, 1e3, 1e4, 1e5, 1e6)
) -> OutlierSweep:
    """Round a trained network to eight bits after giving it an outlier of each size.

    Only the forward pass is rounded (this is use, not training). Seeds are those of the run.
    """
    held_out = held_out_batch(setting)
    everyone = held_out.expand(setting.n_seeds, *held_out.shape)
    names = seeds(setting.n_seeds, setting.base_seed)
    exact_stack = Stack(_build(setting, RECIPES["FP32"]), names)
    stacks = {
        label: Stack(_build(setting, Recipe(label, form, scaling=scaling)), names)
        for label, (form, scaling) in OUTLIER_FORMATS.items()
    }
    losses: dict[str, list[Spread]] = {label: [] for label in stacks}
    exact = []
    with torch.no_grad(), threads(1):
        plain = exact_stack.losses(next_symbol_loss, everyone, dict(trained.state))
        for factor in factors:
            weights = with_outlier(trained.state, factor)
            moved = exact_stack.losses(next_symbol_loss, everyone, weights)
            exact.append(float((moved - plain).abs().max()))
            for label, stack in stacks.items():
                rounded = stack.losses(next_symbol_loss, everyone, weights)
                losses[label].append(paired(rounded.tolist(), plain.tolist()))
    return OutlierSweep(list(map(float, factors)), losses, exact)


@dataclass(frozen=True)
class AccumulatorError:
    """Relative error of a matrix product for each length of the sum, with and without promotion.

    Lengths, and for each the worst error over the seeds' products relative to the largest exact value.
    """

    lengths: list[int]
    cut: list[Spread]
    promoted: list[Spread]


def accumulator_error(
    lengths: Sequence[int] = (128, 512, 1024, 2048, 4096),
    *,
    bits: int = 14,
    promote_every: int = 128,
    n_seeds: int = 6,
) -> AccumulatorError:
    """How a short accumulator hurts long sums of random products of positive mean (as ReLU gives them)."""
    from computegap.networks.low_precision import limited_matmul

    cut, promoted = [], []
    with threads(1):
        for length in lengths:
            errors: tuple[list[float], list[float]] = ([], [])
            for seed in seeds(n_seeds):
                g = generator(seed)
                a, b = torch.rand(16, length, generator=g), torch.rand(16, length, generator=g)
                exact = a.double() @ b.double().mT
                for found, promote in zip(errors, (None, promote_every), strict=True):
                    product = limited_matmul(a, b, bits=bits, promote_every=promote).double()
                    found.append(float(((product - exact) / exact).abs().max()))
            cut.append(paired(errors[0], [0.0] * n_seeds))
            promoted.append(paired(errors[1], [0.0] * n_seeds))
    return AccumulatorError(list(lengths), cut, promoted)
