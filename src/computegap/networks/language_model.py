"""A transformer small enough to train in seconds, several seeds at once.

It reads bytes, has a few tens of thousands of weights and learns spelling, common words and the layout of
the text: too little to be useful, enough to show what a change of arithmetic or of architecture does to
learning. As in published recipes for eight-bit training, the linear layers inside the blocks follow the
recipe, while embedding, norms, attention scores and the output layer stay in high precision.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from computegap.networks.low_precision import RECIPES, PreciseLinear, Recipe


class Block(nn.Module):
    """Attention and a two-layer ReLU network, each added to what came in."""

    def __init__(self, width: int, heads: int, recipe: Recipe) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.norm_mlp = nn.LayerNorm(width)
        self.qkv = PreciseLinear(width, 3 * width, recipe, bias=False)
        self.mix = PreciseLinear(width, width, recipe, bias=False)
        self.up = PreciseLinear(width, 4 * width, recipe)
        self.down = PreciseLinear(4 * width, width, recipe)

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        q, k, v = self.qkv(x).reshape(rows, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        score = q @ k.mT * (width // self.heads) ** -0.5
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        mixed = score.masked_fill(future, float("-inf")).softmax(-1) @ v
        return self.mix(mixed.transpose(1, 2).reshape(rows, length, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attend(self.norm_attention(x))
        # ReLU and not GELU: scaling a channel up and its outgoing weights down then changes nothing, which
        # the experiment with outliers needs.
        return x + self.down(F.relu(self.up(self.norm_mlp(x))))


class TinyLanguageModel(nn.Module):
    """Bytes in, scores of the next byte out.

    Parameters
    ----------
    vocabulary : int
        Number of symbols.
    width, layers, heads, length : int
        Size of the network and the longest text it reads.
    recipe : Recipe
        Arithmetic of the linear layers.

    Raises
    ------
    ValueError
        If the heads do not divide the width.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        length: int = 64,
        recipe: Recipe = RECIPES["FP32"],
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.embed = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(width, heads, recipe) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.embed.weight, std=0.02)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens (rows, length) -> scores (rows, length, vocabulary)."""
        x = self.embed(tokens) + self.place[: tokens.shape[-1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def next_symbol_loss(model, tokens: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the next symbol, nats; tokens (rows, length + 1)."""
    scores = model(tokens[:, :-1])
    return F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
