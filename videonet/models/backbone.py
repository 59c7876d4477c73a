"""The backbone: a stem and stages that give named feature maps. What is done with those is for its heirs.

Layout (N, C, T, H, W) at both ends: a 2D net folds T into the batch on the way in and unfolds it on the way out.
State-dict keys are those of torchvision and of the authors' release: conv1, bn1, layer1.0.conv1, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from videonet.models.block import Dims, run
from videonet.models.stage import Stage


@dataclass(frozen=True)
class Parts:
    """What a backbone is put together from."""

    stem: Mapping[str, nn.Module]
    """Layers by name, in the order they run."""
    stages: Sequence[Stage]
    channels_in: int
    """Channels the stem reads."""
    channels: Sequence[int]
    """Channels that the stem and each of the stages give."""
    dims: Dims
    wiring: str
    """The row of `stage.WIRINGS` the blocks follow."""
    time_pool: int = 1
    """Kernel and stride of a max pool over time between stages 1 and 2; 1: none."""


class Backbone(nn.Module):
    """Abstract: stem and stages, and the feature maps "stem", "stage1", "stage2", ... they give.

    Attributes: `dims`, `wiring`, `time_pool` and `channels_in` as in `Parts`; `feature_channels`, channels of each
    feature map by name, in order; `stem_layers`, names of the stem's layers in the order they run.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.channels_in, self.dims, self.wiring = parts.channels_in, parts.dims, parts.wiring
        self.time_pool = parts.time_pool
        self.stem_layers = " ".join(parts.stem)
        self._layers_of = {"stem": self.stem_layers}
        for name, layer in parts.stem.items():
            self.add_module(name, layer)
        for number, stage in enumerate(parts.stages, 1):
            self.add_module(f"layer{number}", stage)
            self._layers_of[f"stage{number}"] = f"layer{number}"
        if parts.time_pool > 1:
            self.pool1 = nn.MaxPool3d((parts.time_pool, 1, 1))
            self._layers_of["stage2"] = "pool1 layer2"
        self.feature_channels = dict(zip(self._layers_of, parts.channels, strict=True))

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Every feature map of a batch of clips, by name.

        x: (N, C, T, H, W), in a 2D net also (N, C, H, W), which is T = 1. Each map is (N, C', T', H', W'), with T' = T
        in a 2D net. Raises ValueError for another number of axes or of channels.
        """
        return dict(self._maps(x))

    def _maps(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The feature maps one by one: who needs only the last holds only the last."""
        x = self._checked(x)
        clips = x.shape[0]
        for name, order in self._layers_of.items():
            # What comes next reads the very map that is given out, so that it has a gradient; in a 2D net by views.
            x = run(self, order, x.transpose(1, 2).flatten(0, 1) if self.dims == 2 else x)  # 2D: (N*T, C, H, W)
            x = x.unflatten(0, (clips, -1)).transpose(1, 2) if self.dims == 2 else x
            yield name, x

    def check_clip(self, frames: int, height: int, width: int) -> None:
        """Raises ValueError, with the rule, for a size of clip that this network cannot take."""
        if frames < self.time_pool:
            raise ValueError(f"a clip of {frames} frames is too short: this net pools {self.time_pool} frames to 1")

    def _checked(self, x: Tensor) -> Tensor:
        """`x` as (N, C, T, H, W)."""
        shape = tuple(x.shape)
        if x.ndim == 4 and self.dims == 3:
            raise ValueError(
                f"a 3D net reads clips (N, C, T, H, W), got {shape}; give images a time axis with x.unsqueeze(2)"
            )
        if x.ndim == 4:
            x = x.unsqueeze(2)
        if x.ndim != 5:
            raise ValueError(f"input of shape {shape} has {len(shape)} axes; the layout is (N, C, T, H, W)")
        if x.shape[1] != self.channels_in:
            raise ValueError(
                f"input of shape {shape} has {x.shape[1]} channels, this net reads {self.channels_in}; "
                "the layout is (N, C, T, H, W)"
            )
        self.check_clip(x.shape[2], x.shape[3], x.shape[4])
        return x
