"""The recognizer: a backbone and a head. Clips in, logits out; what lies between by name on request."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from videonet.models.backbone import Backbone, Parts
from videonet.models.block import run
from videonet.models.head import head


class Recognizer(Backbone):
    """Classifier of clips and images; normalising them is the caller's work.

    Attributes besides those of `Backbone`: `num_classes` (K), `feature_dim` (D, of the pooled feature).
    """

    def __init__(self, parts: Parts, *, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__(parts)
        self.num_classes = num_classes
        self.feature_dim = parts.channels[-1]
        preactivation = parts.wiring == "preact"
        for name, layer in head(self.feature_dim, num_classes, dropout, last_norm=preactivation).items():
            self.add_module(name, layer)
        self._pooling = "bn_last relu avgpool flatten" if preactivation else "avgpool flatten"

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of clips (N, C, T, H, W); a 2D net also takes images (N, C, H, W)."""
        return self.embed(x, ("logits",))["logits"]

    def embed(self, x: Tensor, names: Collection[str] | None = None) -> dict[str, Tensor]:
        """What one pass computes: the maps of `features`, "pooled" (N, D) and "logits" (N, K).

        `names`: those to keep; None keeps all. Raises ValueError for a name that is none of them, and as `features`.
        """
        known = (*self.feature_channels, "pooled", "logits")
        wanted = known if names is None else names
        for name in wanted:
            if name not in known:
                raise ValueError(f"feature {name!r} is not known; this net has {', '.join(known)}")
        kept = {}
        for name, feature in self._maps(x):
            if name in wanted:
                kept[name] = feature
        pooled = run(self, self._pooling, feature)
        logits = run(self, "dropout fc", pooled)
        kept |= {"pooled": pooled, "logits": logits}
        return {name: kept[name] for name in known if name in wanted}
