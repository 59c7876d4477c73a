"""The network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .types import STRICT, NonNegative, Positive, Share


@dataclass(frozen=True, config=STRICT)
class ModelConfig:
    """The network."""

    name: str = "iresnet3d50"
    """A row of `videonet.list_models()`."""
    wiring: Literal["paper", "released"] = "paper"
    """ReLUs of the staged families: as the paper's Figure 1(c), or as the authors' released code runs them."""
    width: Positive | None = None
    """Channels of the stem and of stage 1's bottleneck; None: the family's own (64, CIFAR 16)."""
    blocks: tuple[Positive, ...] | None = None
    """Blocks a stage; None: those of the depth in the name."""
    dropout: Share = 0.0
    """Probability of dropping a pooled feature before the classifier."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stochastic depth: probability with which a clip skips the branch of the last block in training (in a 2D net a
    frame does); it grows in a line from the first block."""
    zero_init_residual: bool = False
    """Start every residual branch at zero."""
    checkpoint_every: NonNegative = 0
    """Recompute the activations of every k blocks in the backward pass, for less memory; 0: keep them all."""
    inflation: str | None = None
    """How a video net reaches into time, a row of `videonet.models.families.INFLATIONS`; None: as in the paper."""
    weights: str | None = None
    """Weights to start from: a file, or a name that `videonet download` fetched. A resumed run does not read them."""
    weights_source: str | None = None
    """Whose they are, a row of `videonet.models.keymaps.SOURCES`; None: as the file shows."""
    weights_wiring: Literal["paper", "released"] | None = None
    """Wiring they were trained with, where neither the file nor its source says it."""
    weights_inflate: Literal["mean", "centre"] | None = None
    """How weights of a 2D net come into a video net."""
    weights_head: Literal["strict", "reset", "match"] = "strict"
    """The classifier. strict: the file's. reset: drawn anew. match: drawn anew, rows of common classes copied."""
    weights_classes: str | None = None
    """File of the weights' class names, for `match`; None: known from a checkpoint of ours or a downloaded name."""
