"""What an experiment is: one frozen dataclass a section, every field typed and documented below it.

A YAML holds differences from these defaults. Names (model, source) are checked against their tables
in `videonet.build`; everything that numbers alone can tell is checked here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Triple = tuple[float, float, float]


@dataclass(frozen=True, config=_STRICT)
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


@dataclass(frozen=True, config=_STRICT)
class DataConfig:
    """Where the videos are and how they are read."""

    source: str = "folder"
    """A row of `videonet.data.sources.SOURCES`: how annotations are read."""
    train: str | None = None
    """Training videos: a folder of class folders, or a list file."""
    val: str | None = None
    """Videos on which training is watched and `best.pt` is chosen; None: not watched."""
    test: str | None = None
    """Videos of the final test; None: those of `val`."""
    root: str | None = None
    """Folder that relative paths in a list start from; None: the list's own folder."""
    classes: str | None = None
    """File of class names, one a line, in label order; None: folder names, or the labels themselves."""
    holdout: Share = 0.2
    """Folder source with neither `val` nor `test`: the share of each class set aside as `val`."""
    manifest: str | None = None
    """What `videonet index` found about the files: broken ones are known before the first step; None: not used."""
    backend: str = "pyav"
    """The decoder, a row of `videonet.decode.reader.BACKENDS`; never changed silently."""
    frames_fps: PositiveFloat = 30.0
    """Frames a second of a folder of frames, which itself has no clock."""
    frames_pattern: str = "*"
    """File names of the frames in such a folder, where it holds others too (`img_*`)."""
    max_pixels: Positive = 8192 * 8192
    """Width times height that a header may ask for; a larger video counts as unreadable."""
    max_frames: Positive = 2_000_000
    """Frames that a file may hold; a longer video counts as unreadable."""
    max_decode_seconds: PositiveFloat = 120.0
    """CPU seconds that opening a video, or one read of it, may take."""
    workers: NonNegative = 2
    """Loader workers a rank; 0: read in the training process."""
    worker_kind: Literal["forkserver", "spawn", "fork", "thread"] = "forkserver"
    """Processes started that way, or threads (decoding frees the GIL; a crash of the decoder then ends the run)."""
    prefetch_batches: Positive = 2
    """Batches kept ready; together with one video a worker they bound the loader's memory."""
    worker_timeout_seconds: PositiveFloat = 300.0
    """A worker that is at one video for longer is replaced, and the video counts as unreadable."""
    quarantine: str | None = None
    """File of unreadable videos, shared by workers, ranks and runs; None: `quarantine.jsonl` in `output_dir`."""
    max_failed: Share = 0.1
    """Training stops when more than this share of the training videos proved unreadable."""


@dataclass(frozen=True, config=_STRICT)
class ClipConfig:
    """What the network sees: one clip. Stored in the checkpoint; the same for train, test, extract and predict."""

    sampler: Literal["dense", "segment"] = "dense"
    """dense: `frames` frames `stride` apart. segment: one frame from each of `frames` equal parts (TSN)."""
    frames: Positive = 16
    """Frames a clip (T)."""
    stride: Positive = 2
    """Ticks of the timeline from one frame to the next (dense)."""
    fps: PositiveFloat | None = None
    """Ticks a second of the timeline; None: the video's own frames are the ticks."""
    crop: Positive = 224
    """Height and width of a clip in pixels (S)."""
    short_side: Positive = 256
    """Short side in pixels to which a test frame is resized before it is cropped; at least `crop`."""
    short: Literal["hold", "loop"] = "hold"
    """Where a video is shorter than a clip: hold its last frame, or begin again (dense)."""
    pixels: Literal["rgb", "yuv"] = "rgb"
    """rgb: each frame is converted and resized as it is decoded. yuv: its planes are cropped, and colour and size are
    the device's work: less CPU a clip, and pixels within a few levels of rgb's."""
    fit: Literal["crop", "letterbox"] = "crop"
    """crop: cut a square out of the frame. letterbox: keep the whole frame, padded to a square (long side = `crop`)."""
    input: Literal["rgb", "centred", "difference"] = "rgb"
    """rgb; centred: minus the clip's own temporal mean; difference: minus the frame before (first frame: 0)."""
    mean: Triple = (0.45, 0.45, 0.45)
    """Per-channel mean of RGB in [0, 1] (rgb input only: the others have zero mean by construction)."""
    std: Triple = (0.225, 0.225, 0.225)
    """Per-channel divisor."""

    def __post_init__(self) -> None:
        if self.fit == "crop" and self.short_side < self.crop:
            raise ValueError(f"short_side {self.short_side} is below crop {self.crop}; raise it to at least the crop")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be above 0 in every channel")


@dataclass(frozen=True, config=_STRICT)
class AugmentConfig:
    """Random geometry of a training clip; one draw a clip."""

    crop: Literal["resized", "jitter", "pad"] = "resized"
    """resized: a box of random area and aspect ratio. jitter: a random short side, then a random square. pad: the whole
    frame, moved by up to `pad` pixels (small images)."""
    pad: NonNegative = 4
    """Pixels that crop: pad moves the frame by at most, the rest staying black."""
    area: tuple[PositiveFloat, PositiveFloat] = (0.35, 1.0)
    """Share of the frame's area that a resized crop covers: [least, most]."""
    aspect: tuple[PositiveFloat, PositiveFloat] = (0.75, 1.3333333333333333)
    """Width over height of a resized crop: [least, most]."""
    short_side: tuple[Positive, Positive] = (256, 320)
    """Short side in pixels of the jittered frame: [least, most]."""
    flip: Share | None = None
    """Probability of a horizontal flip; None: 0.5, or 0 where a class name says left or right and none is its mirror.
    Where each sided class has its mirror, a flipped clip takes the other's label."""
    brightness: Share = 0.0
    """Colour jitter, drawn once a clip: factor from [1 - b, 1 + b]."""
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Turn of the colour circle drawn from [-h, h]; slow."""
    randaugment: NonNegative = 0
    """Operations of RandAugment, the same for all frames of a clip (Cubuk et al. 2020); 0: none."""
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    """Their strength."""
    erase: Share = 0.0
    """Probability of random erasing, one box for all frames (Zhong et al. 2020)."""
    mixup_alpha: NonNegativeFloat = 0.0
    """Mixup of the clips of a batch (Zhang et al. 2018); 0: none."""
    cutmix_alpha: NonNegativeFloat = 0.0
    """CutMix of the clips of a batch, one box for all frames (Yun et al. 2019); 0: none."""
    mix_share: Share = 1.0
    """Share of the batches that are mixed."""

    def __post_init__(self) -> None:
        for name in ("area", "aspect", "short_side"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"{name} [{least}, {most}] must be [least, most]")


@dataclass(frozen=True, config=_STRICT)
class OptimConfig:
    """The optimizer and its schedule; the defaults are the paper's (section IV)."""

    name: Literal["sgd", "adamw", "lars", "lamb"] = "sgd"
    lr: PositiveFloat = 0.1
    """Peak learning rate, for batches of `lr_batch` clips."""
    lr_batch: Positive | None = None
    """Clips a step that `lr` is meant for: with another `train.batch_size` the rate is scaled in proportion, and the
    arithmetic logged. None: `lr` is meant for the batch size of this file, and never rescaled."""
    momentum: Share = 0.9
    """SGD momentum (AdamW: beta1)."""
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 1e-4
    decay_norm_and_bias: bool = True
    """False: no weight decay on the scales and shifts of norms, and on biases."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each block learns at this share of the rate of the one above it (fine-tuning)."""
    schedule: Literal["multistep", "cosine", "linear"] = "multistep"
    milestones: tuple[PositiveFloat, ...] = (30, 60, 80)
    """Epochs at which the rate is multiplied by `gamma` (multistep)."""
    gamma: PositiveFloat = 0.1
    final_factor: Share = 0.0
    """Share of the peak rate that is left at the last step (cosine, linear)."""
    warmup_epochs: NonNegativeFloat = 0
    """The rate climbs in a line to its peak over these epochs."""
    warmup_factor: Share = 0.1
    """Share of the peak rate at the first step of the warm-up."""
    clip_grad_norm: PositiveFloat | None = None
    """Largest norm of the whole gradient; None: not clipped."""
    loss: Literal["cross_entropy", "focal", "binary"] = "cross_entropy"
    """binary: a yes or no for each class."""
    label_smoothing: Share = 0.0
    focal_gamma: NonNegativeFloat = 2.0
    """How much less the focal loss makes of clips that are right already."""
    class_weights: Literal["none", "inverse"] = "none"
    """inverse: every class weighs the same in the loss, however many videos it has."""


@dataclass(frozen=True, config=_STRICT)
class TrainConfig:
    """The training loop."""

    epochs: Positive = 90
    batch_size: Positive = 64
    """Clips a step over all ranks together; must divide by the number of ranks times `clips_per_video`."""
    clips_per_video: Positive = 1
    """Clips taken from a video each time it is opened (repeated augmentation): less decoding, less varied batches."""
    accumulate: Positive = 1
    """Pieces that the clips of a step go through the network in, one after the other, for less memory."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    """Keep tensors with the channels last, which GPUs compute faster in low precision."""
    compile: bool = False
    """torch.compile: minutes at the start, for less time a step."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Also keep an exponential moving average of the weights, and test and use that one; None: no."""
    batch_norm: Literal["train", "frozen", "partial", "sync"] = "train"
    """frozen: none moves. partial: only the first does (TSN). sync: statistics over all ranks (GPU)."""
    precise_bn_batches: NonNegative = 0
    """Batches over which the running statistics are taken anew before each look at `data.val`; 0: as they ran."""
    frozen_stages: NonNegative = 0
    """0: all learn. k: the stem and the first k - 1 stages do not (fine-tuning)."""
    early_stop: NonNegative = 0
    """Stop after this many looks at `data.val` without a gain; 0: never."""
    eval_every: Positive = 1
    """Epochs between two looks at `data.val`."""
    checkpoint_every: NonNegative = 0
    """Steps between two mid-epoch checkpoints; 0: only at the end of each epoch."""
    checkpoint_minutes: PositiveFloat | None = None
    """Minutes between two mid-epoch checkpoints; None: only as `checkpoint_every` says."""
    keep: Positive = 2
    """How many of the last checkpoints stay: the one before is taken where the last is broken."""
    log_every: Positive = 10
    """Steps between two log lines."""


@dataclass(frozen=True, config=_STRICT)
class TestConfig:
    """Multi-view test: clips x crops views of every video."""

    __test__ = False  # not a pytest class

    clips: Positive = 10
    """Views in time, spread evenly over the video."""
    crops: Literal[1, 3] = 3
    """Views in space: the centre, or both ends of the long side as well."""
    batch_size: Positive = 4
    """Videos a batch, on each rank."""
    max_views_per_forward: Positive = 32
    """Bound on the views that are in the network at once."""
    frame_order: Literal["normal", "shuffled", "reversed"] = "normal"
    """Order of the frames inside each clip: does the model use time?"""


@dataclass(frozen=True, config=_STRICT)
class Config:
    """One experiment."""

    output_dir: str = "runs/videonet"
    seed: NonNegative = 0
    """Every random draw is keyed on (seed, epoch, sample index)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    clip: ClipConfig = ClipConfig()
    augment: AugmentConfig = AugmentConfig()
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig()
    test: TestConfig = TestConfig()
