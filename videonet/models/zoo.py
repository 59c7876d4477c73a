"""Other people's networks as peers and ready backbones, under the names `package/network`.

pytorchvideo, torchvision and timm (image nets, run frame by frame) build them, with fresh weights: nothing is ever
downloaded. Each loses its own head from the dropout on and gets ours, dropout and one linear layer; its own layers
keep their names under `net.`. Layout (N, 3, T, H, W). A package is imported when its first network is built.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

Maps = Mapping[str, tuple[str, int]]
"""Name of a feature map -> path of the layer that gives it, and its channels."""


@dataclass(frozen=True)
class Foreign:
    """What we know of a network that another package builds."""

    frames: int
    """Frames of the clip it was made for."""
    crop: int
    """Height and width of that clip in pixels."""
    features: int
    """Channels of its pooled feature (D)."""
    dropped: str = ""
    """Paths of the layers of its head that ours replaces: dropout, linear layer, softmax."""
    pools: str = ""
    """Paths of its last poolings, whose window is that of its own clip; they become global, the same on that clip."""
    maps: Maps = field(default_factory=dict)
    exact: bool = False
    """It takes no other clip than its own (position embeddings)."""
    least: tuple[int, int] = (1, 1)
    """Fewest frames, and smallest height and width, that it takes."""
    alpha: int = 1
    """Above 1: two pathways; the slow one sees one frame in alpha."""
    framewise: bool = False
    """An image net: features of single frames, averaged over the clip."""
    builder: str = ""
    """Its name in the package, where that is another than in ours."""


def _maps(paths: str, *channels: int) -> Maps:
    names = ("stem", "stage1", "stage2", "stage3", "stage4")
    return dict(zip(names, zip(paths.split(), channels, strict=True), strict=True))


_RESNET = partial(
    Foreign,
    features=2048,
    dropped="blocks.5.dropout blocks.5.proj blocks.5.activation",
    pools="blocks.5.pool",
    maps=_maps("blocks.0 blocks.1 blocks.2 blocks.3 blocks.4", 64, 256, 512, 1024, 2048),
)
_POOLED_RESNET = partial(  # halves T behind stage 1
    Foreign,
    features=2048,
    dropped="blocks.6.dropout blocks.6.proj",
    pools="blocks.6.pool",
    maps=_maps("blocks.0 blocks.1 blocks.3 blocks.4 blocks.5", 64, 256, 512, 1024, 2048),
    least=(2, 1),
)
_SLOWFAST = partial(
    Foreign, features=2304, dropped="blocks.6.dropout blocks.6.proj", pools="blocks.5.pool.0 blocks.5.pool.1", alpha=4
)
_X3D = partial(
    Foreign,
    features=2048,
    dropped="blocks.5.dropout blocks.5.proj blocks.5.activation",
    pools="blocks.5.pool.pool",
    maps=_maps("blocks.0 blocks.1 blocks.2 blocks.3 blocks.4", 24, 24, 48, 96, 192),
)
_MVIT = partial(Foreign, features=768, dropped="head.dropout head.proj", exact=True)
_RESNET18 = partial(
    Foreign, features=512, dropped="fc", maps=_maps("stem layer1 layer2 layer3 layer4", 64, 64, 128, 256, 512)
)

ZOO = {
    # frames and crop of the clip
    "pytorchvideo/slow_r50": _RESNET(8, 224),
    "pytorchvideo/c2d_r50": _POOLED_RESNET(8, 224),
    "pytorchvideo/i3d_r50": _POOLED_RESNET(8, 224),
    "pytorchvideo/slowfast_r50": _SLOWFAST(32, 224),
    "pytorchvideo/slowfast_r101": _SLOWFAST(32, 224),
    "pytorchvideo/slowfast_16x8_r101_50_50": _SLOWFAST(64, 224),
    "pytorchvideo/r2plus1d_r50": _RESNET(16, 224),
    "pytorchvideo/csn_r101": _RESNET(32, 224),
    "pytorchvideo/x3d_xs": _X3D(4, 160),
    "pytorchvideo/x3d_s": _X3D(13, 160),
    "pytorchvideo/x3d_m": _X3D(16, 224),
    "pytorchvideo/x3d_l": _X3D(16, 312),
    "pytorchvideo/mvit_base_16x4": _MVIT(16, 224),
    "pytorchvideo/mvit_base_32x3": _MVIT(32, 224),
    "pytorchvideo/mvit_b": _MVIT(16, 224, builder="mvit_base_16x4"),
    "torchvision/r3d_18": _RESNET18(16, 112),
    "torchvision/mc3_18": _RESNET18(16, 112),
    "torchvision/r2plus1d_18": _RESNET18(16, 112),
    "torchvision/s3d": Foreign(16, 224, features=1024, dropped="classifier", pools="avgpool", least=(5, 17)),
    "torchvision/mvit_v1_b": Foreign(16, 224, features=768, dropped="head", exact=True),
    "torchvision/mvit_v2_s": Foreign(16, 224, features=768, dropped="head", exact=True),
    "torchvision/swin3d_t": Foreign(32, 224, features=768, dropped="head"),
    "torchvision/swin3d_s": Foreign(32, 224, features=768, dropped="head"),
    "torchvision/swin3d_b": Foreign(32, 224, features=1024, dropped="head"),
}

_MODULES = {"pytorchvideo": "pytorchvideo.models.hub", "torchvision": "torchvision.models.video", "timm": "timm"}


class ForeignRecognizer(nn.Module):
    """Classifier of clips around another package's network; the interface of `Recognizer`.

    Attributes: `num_classes` (K); `feature_dim` (D, of the pooled feature); `feature_channels`, channels of each
    feature map (N, C', T', H', W') by name, in order, empty where the network has no such maps.
    """

    def __init__(self, name: str, row: Foreign, net: nn.Module, *, num_classes: int, dropout: float = 0.0) -> None:
        """net: gives (N, D); of an image net, for (N, 3, H, W)."""
        super().__init__()
        self.num_classes, self.feature_dim = num_classes, row.features
        self.feature_channels = {name: channels for name, (_, channels) in row.maps.items()}
        self.net = net
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(row.features, num_classes)
        self._name, self._row = name, row

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of clips (N, 3, T, H, W). Raises ValueError for a clip that the network cannot take."""
        return self.embed(x, ("logits",))["logits"]

    def embed(self, x: Tensor, names: Collection[str] | None = None) -> dict[str, Tensor]:
        """What one pass computes: the maps of `feature_channels`, "pooled" (N, D) and "logits" (N, K).

        `names`: those to keep; None keeps all. Raises ValueError for a name that is none of them, and as `forward`.
        """
        known = (*self.feature_channels, "pooled", "logits")
        wanted = known if names is None else names
        for name in wanted:
            if name not in known:
                raise ValueError(f"feature {name!r} is not known; this net has {', '.join(known)}")
        kept: dict[str, Tensor] = {}

        def keep(name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept[name] = output

        # another package's forward is closed: its maps can only be hooked out
        layers = {name: self.net.get_submodule(path) for name, (path, _) in self._row.maps.items() if name in wanted}
        hooks = [layer.register_forward_hook(partial(keep, name)) for name, layer in layers.items()]
        try:
            pooled = self._pooled(x)
        finally:
            for hook in hooks:
                hook.remove()
        kept |= {"pooled": pooled, "logits": self.fc(self.dropout(pooled))}
        return {name: kept[name] for name in known if name in wanted}

    def check_clip(self, frames: int, height: int, width: int) -> None:
        """Raises ValueError, with the rule, for the size of a clip that this network cannot take."""
        row = self._row
        if row.exact:
            fits, rule = (frames, height, width) == (row.frames, row.crop, row.crop), ""
        elif row.framewise and row.least[1] == row.crop:
            fits, rule = height == width == row.crop, f"frames of {row.crop}x{row.crop}, any number of them"
        else:
            fits = frames >= row.least[0] and min(height, width) >= row.least[1] and frames % row.alpha == 0
            rule = f"at least {max(row.least[0], row.alpha)} frames of {row.least[1]}x{row.least[1]}"
            rule += f", in multiples of {row.alpha}" if row.alpha > 1 else ""
        if not fits:
            own = f"{row.frames} frames of {row.crop}x{row.crop}"
            raise ValueError(
                f"{self._name} cannot take a clip of {frames} frames of {height}x{width}; "
                + (f"it takes {rule}, and was made for {own}" if rule else f"it takes {own} and nothing else")
            )

    def _pooled(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, D)."""
        if x.ndim != 5 or x.shape[1] != 3:
            raise ValueError(f"input of shape {tuple(x.shape)} is no batch of clips (N, 3, T, H, W)")
        clips, _, frames, height, width = x.shape
        self.check_clip(frames, height, width)
        if self._row.framewise:
            return self.net(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (clips, frames)).mean(1)
        if self._row.alpha > 1:
            count = frames // self._row.alpha  # evenly from the first frame to the last, as its authors do
            slow = [place * (frames - 1) // max(count - 1, 1) for place in range(count)]
            return self.net([x[:, :, slow], x])
        return self.net(x)


def names(pattern: str | None = None) -> list[str]:
    """Rows of `ZOO` that `pattern` matches, as a shell matches paths; for "timm/..." those of timm, if installed."""
    if pattern is None:
        return list(ZOO)
    if pattern.startswith("timm/"):
        own_names = _package("timm").list_models(pattern.removeprefix("timm/")) if find_spec("timm") else []
        return [f"timm/{name}" for name in own_names]
    return fnmatch.filter(ZOO, pattern) if "/" in pattern else []


def default_input(name: str) -> tuple[int, int, int, int, int]:
    """(N, C, T, H, W) of the clip a network was made for; errors as in `create_foreign`."""
    row = _timm(name)[0] if name.startswith("timm/") else _row(name)
    return (1, 3, row.frames, row.crop, row.crop)


def create_foreign(name: str, num_classes: int = 400, *, dropout: float = 0.0) -> ForeignRecognizer:
    """A network with the fresh weights that its package gives it; a dropout of its head gives way to `dropout`.

    Raises ValueError for an unknown name, numbers that fit no network, and where the package is not installed.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes {num_classes} must be at least 1")
    device = torch.get_default_device()
    with torch.device("cpu"):  # builders compute on tensors, and those of the meta device have no values
        if name.startswith("timm/"):
            row, net = _timm(name)
        else:
            row = _row(name)
            package, _, own_name = name.partition("/")
            net = getattr(_package(package), row.builder or own_name)()
            for path in row.pools.split():
                net.set_submodule(path, nn.AdaptiveAvgPool3d(1))
            modules = dict(net.named_modules())
            for path in row.dropped.split():
                if path in modules:
                    net.set_submodule(path, nn.Identity())
        model = ForeignRecognizer(name, row, net, num_classes=num_classes, dropout=dropout)
    return model if device.type == "cpu" else model.to(device)


def refuse(name: str, **settings: object) -> None:
    """Raises ValueError for the first of `settings`, those of our own networks only, that is not None."""
    for setting, value in settings.items():
        if value is not None:
            raise ValueError(f"{setting} {value!r} is for videonet's own networks; leave it out for {name}")


def _row(name: str) -> Foreign:
    if name not in ZOO:
        close = difflib.get_close_matches(name, ZOO, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"model {name!r} is not known{hint} Known: {', '.join(ZOO)}, timm/<name>")
    return ZOO[name]


def _timm(name: str) -> tuple[Foreign, nn.Module]:
    """An image net without its classifier; its package knows what the table knows of the others."""
    timm, own_name = _package("timm"), name.removeprefix("timm/")
    if not timm.is_model(own_name):
        close = difflib.get_close_matches(own_name, timm.list_models(), n=1)
        hint = f"; did you mean 'timm/{close[0]}'?" if close else ""
        raise ValueError(f"model {name!r} is not known to timm{hint}")
    net = timm.create_model(own_name, pretrained=False, num_classes=0)
    known = net.pretrained_cfg
    crop = known["input_size"][-1]
    least = crop if known.get("fixed_input_size") else known.get("min_input_size", (3, 32, 32))[-1]
    return Foreign(8, crop, net.head_hidden_size, least=(1, least), framewise=True), net


def _package(package: str) -> Any:
    try:
        return import_module(_MODULES[package])
    except ImportError as error:
        raise ValueError(f"{package} is not installed: pip install 'videonet[zoo]' ({error})") from None
