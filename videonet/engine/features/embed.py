"""What is taken from a network: which of its named intermediates, pooled how, stored as what.

A row of a feature is (C,) pooled over time and space, (T', C) pooled over space, or the map (C, T', H', W').
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

Pool = Literal["all", "space", "none"]

VECTORS = ("pooled", "logits")
"""Features that have neither time nor space."""
DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


class Embedder(Protocol):
    """A network with named intermediates."""

    @property
    def feature_channels(self) -> Mapping[str, int]:
        """Channels of each feature map, by name."""
        ...

    def embed(self, x: torch.Tensor, names: Collection[str] | None = None) -> dict[str, torch.Tensor]:
        """(N, 3, T, S, S) float -> name -> (N, D) or (N, C, T', H', W')."""
        ...


@dataclass(frozen=True)
class Wanted:
    """Features by name, in order; `pool` says what is averaged: "all" of T, H, W, "space" (H, W), or "none"."""

    features: tuple[str, ...]
    pool: Pool = "all"
    dtype: Literal["fp32", "fp16"] = "fp32"

    def check(self, model: Embedder) -> None:
        """Raises ValueError for names that the network does not have, or that are given twice."""
        known = (*model.feature_channels, *VECTORS)
        for name in self.features:
            if name not in known:
                raise ValueError(f"feature {name!r} is not known; this network has {', '.join(known)}")
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"feature names {', '.join(self.features)} must differ")

    @property
    def only_vectors(self) -> bool:
        """Whether a row of each feature is (D,)."""
        return self.pool == "all" or set(self.features) <= set(VECTORS)

    def __call__(self, model: Embedder, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, 3, T, S, S) -> name -> (N, ...), in the order of `features`."""
        outputs = model.embed(x, self.features)
        return {name: self._pooled(outputs[name].float()).to(DTYPES[self.dtype]) for name in self.features}

    def _pooled(self, value: torch.Tensor) -> torch.Tensor:
        if value.ndim < 5 or self.pool == "none":
            return value
        return value.mean(dim=(2, 3, 4)) if self.pool == "all" else value.mean(dim=(3, 4)).transpose(1, 2)
