"""The embedded default data: real H.264 videos whose class is the MOTION of a textured object.

Ten classes in five pairs; one class of a pair is the other played backwards, so neither a frame of unknown time nor the
unordered set of all frames tells them apart. Every frame is described by five numbers, its pose (`POSE`):

    x, y     centre of the object, shares of the frame's width and height, 0 is the middle of the frame
    size     log2 of the object's half side as a share of the frame's height
    angle    radians, positive is clockwise on the screen
    gap      distance between the two halves of the object, a share of the frame's height

A class moves one of them. The others rest at a value drawn as a random frame of a moving one would have it, so a random
frame's pose is distributed alike in all classes. Photographs come from the scikit-image wheel (nothing is downloaded)
and no photograph is used by two splits. Frames are uint8 (T, H, W, 3).
"""

from __future__ import annotations

import functools
import json
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

POSE = ("x", "y", "size", "angle", "gap")

# class -> the pose component it moves, and whether the video is played backwards
_MOTIONS = {
    "move_right": ("x", False),
    "move_left": ("x", True),
    "move_down": ("y", False),
    "move_up": ("y", True),
    "approach": ("size", False),
    "recede": ("size", True),
    "turn_clockwise": ("angle", False),
    "turn_counter_clockwise": ("angle", True),
    "open": ("gap", False),
    "close": ("gap", True),
}
CLASSES: tuple[str, ...] = tuple(sorted(_MOTIONS))

# pose component -> lowest and highest middle of the movement, least and greatest travel
_RANGES = {
    "x": (-0.08, 0.08, 0.32, 0.52),
    "y": (-0.08, 0.08, 0.32, 0.52),
    "size": (math.log2(0.23), math.log2(0.28), 0.90, 1.30),
    "angle": (-math.pi, math.pi, math.radians(70), math.radians(150)),
    "gap": (0.16, 0.18, 0.26, 0.32),
}

_PHOTOGRAPHS = {
    "train": (
        "astronaut.png", "brick.png", "camera.png", "coffee.png", "coins.png", "grass.png",
        "hubble_deep_field.jpg", "motorcycle_left.png", "page.png",
    ),
    "val": ("gravel.png", "moon.png", "rocket.jpg"),
    "test": ("cell.png", "chelsea.png", "ihc.png", "retina.jpg", "text.png"),
}  # fmt: skip
SPLITS: tuple[str, ...] = tuple(_PHOTOGRAPHS)

_README = """Synthetic motion videos, written by videonet (videonet/data/synthetic.py).

{train} train, {val} val and {test} test videos for each of {classes} classes: <split>/<class>/<number>.mp4, H.264,
{width}x{height}, {frames} frames at {fps:g} frames a second. A textured object moves over a textured background, and
the class is its motion; each class is another one played backwards, so only the order of the frames tells them apart.
The textures are sample photographs of scikit-image, other ones in each split. The same spec.json gives the same frames.
"""


class DemoDependencyError(ImportError):
    """A package that only the demo data needs is not installed."""


@dataclass(frozen=True)
class DemoSpec:
    """What `write_demo_videos` writes: videos per class of each split, and the shape of a video."""

    train: int = 60
    val: int = 8
    test: int = 20
    frames: int = 24
    size: tuple[int, int] = (96, 80)
    """Width and height in pixels, both even (yuv420p)."""
    fps: float = 12.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in SPLITS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1 video per class")
        if self.frames < 2:
            raise ValueError(f"frames is {self.frames}; a motion needs at least 2")
        if len(self.size) != 2 or any(side < 32 or side % 2 for side in self.size):
            raise ValueError(f"size is {self.size}; give an even width and height of at least 32 pixels")
        if not 0 < self.fps <= 240:
            raise ValueError(f"fps is {self.fps}; give a rate above 0 and at most 240")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")

    @property
    def videos(self) -> int:
        """Videos in all splits and classes together."""
        return (self.train + self.val + self.test) * len(CLASSES)


def write_demo_videos(folder: str | Path, spec: DemoSpec | None = None) -> Iterator[Path]:
    """Write folder/{train,val,test}/<class>/<number>.mp4, classes.txt, README.txt and spec.json.

    Yields the path of each video once it is there, by split, class, number. Files appear complete or not at all, and
    those already there are kept, so a broken-off call can be repeated.

    Raises:
        ValueError: the folder holds something else, or videos of another spec.
        DemoDependencyError: scikit-image is not installed.
    """
    folder, spec = Path(folder), spec or DemoSpec()
    _claim(folder, spec)
    wanted = [(split, name, i) for split in SPLITS for name in CLASSES for i in range(getattr(spec, split))]
    for split, class_name, i in wanted:
        path = folder / split / class_name / f"{i:04d}.mp4"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_video(path, render(split, class_name, i, spec), spec.fps)
        yield path


def render(split: str, class_name: str, index: int, spec: DemoSpec) -> np.ndarray:
    """The frames of one video before encoding, uint8 (T, H, W, 3): a function of its arguments alone."""
    key = (spec.seed, SPLITS.index(split), zlib.crc32(class_name.encode()), index)
    rng = np.random.default_rng(key)
    width, height = spec.size
    photographs = load_photographs(split)
    pose = torch.from_numpy(trajectory(rng, class_name, spec.frames)).float()
    camera = torch.from_numpy(_camera_path(rng, spec.frames)).float()

    # The object is brighter than the background or darker, never alike: it must be seen, whatever the photographs.
    bright, dark = rng.uniform(0.62, 0.78), rng.uniform(0.24, 0.38)
    object_mean, ground_mean = (bright, dark) if rng.random() < 0.5 else (dark, bright)
    ground_side = int(1.25 * max(width, height))
    ground = _texture(rng, photographs, ground_side, ground_mean, contrast=rng.uniform(0.07, 0.13))
    colour = _texture(rng, photographs, _OBJECT_SIDE, object_mean, contrast=rng.uniform(0.16, 0.22))
    mask = _shape(rng)

    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height - 0.5, (torch.arange(width) + 0.5) / width - 0.5, indexing="ij"
    )
    x = x - camera[:, 0, None, None]  # (T, H, W), shares of the width
    y = y - camera[:, 1, None, None]  # (T, H, W), shares of the height
    ground_grid = torch.stack((x * 2 * width / ground_side, y * 2 * height / ground_side), dim=-1)
    frames = _sample(ground, ground_grid, "reflection")  # (3, T, H, W)

    at_x, at_y, size, angle, gap = (column[:, None, None] for column in pose.unbind(1))
    u, v = (x - at_x) * (width / height) / 2**size, (y - at_y) / 2**size  # half sides
    u, v = u * angle.cos() + v * angle.sin(), v * angle.cos() - u * angle.sin()
    inside = u.abs() - gap / 2 / 2**size  # distance from the cut, negative between the halves
    layer = _sample(torch.cat((colour * mask, mask)), torch.stack((u.sign() * inside, v), dim=-1), "zeros")
    layer = layer * (inside * 2**size * height + 0.5).clamp(0, 1)  # (4, T, H, W), the cut's edge one pixel soft
    frames = layer[:3] + frames * (1 - layer[3])
    frames = frames * torch.from_numpy(1 + rng.normal(0, 0.01, spec.frames)).float()[:, None, None]  # lamp flicker
    rgb = frames.mul(255).round().clamp(0, 255).byte().permute(1, 2, 3, 0).numpy()
    return np.ascontiguousarray(rgb[::-1] if _MOTIONS[class_name][1] else rgb)


def trajectory(rng: np.random.Generator, class_name: str, frames: int) -> np.ndarray:
    """Poses of one video as filmed, float64 (frames, 5); a backward class then shows the frames in reverse."""
    moving, _ = _MOTIONS[class_name]
    ease = rng.random()
    time = np.linspace(0, 1, frames)
    time = (1 - ease) * time + ease * time**2 * (3 - 2 * time)
    pose = np.empty((frames, len(POSE)))
    for column, (name, (low, high, least, greatest)) in enumerate(_RANGES.items()):
        progress = time if name == moving else time[rng.integers(frames)]
        pose[:, column] = rng.uniform(low, high) + rng.uniform(least, greatest) * (progress - 0.5)
    return pose


@functools.cache
def load_photographs(split: str) -> tuple[torch.Tensor, ...]:
    """The split's photographs, float32 (3, H, W) in [0, 1], grey ones repeated.

    Raises:
        DemoDependencyError: scikit-image is not installed.
    """
    try:
        import skimage
        from skimage.io import imread
    except ImportError as error:
        raise DemoDependencyError(
            "the demo data is made of scikit-image's photographs, and it is not installed: pip install 'videonet[demo]'"
        ) from error
    folder = Path(skimage.__file__).parent / "data"
    photographs = []
    for name in _PHOTOGRAPHS[split]:
        pixels = imread(folder / name)
        pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        photographs.append(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)
    return tuple(photographs)


_OBJECT_SIDE = 64


def _camera_path(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Slow drift with hand jitter, shares of the frame, (frames, 2): much smaller than any object's travel."""
    drift = rng.uniform(-0.03, 0.03, 2) * np.linspace(-1, 1, frames)[:, None]
    return drift + rng.normal(0, 0.002, (frames, 2))


def _texture(
    rng: np.random.Generator, photographs: tuple[torch.Tensor, ...], side: int, mean: float, contrast: float
) -> torch.Tensor:
    """A square cut of a photograph, (3, side, side), with its brightness and contrast set: the liveliest of three."""
    cuts = []
    for _ in range(3):
        photograph = photographs[rng.integers(len(photographs))]
        extent = int(min(photograph.shape[1:]) * rng.uniform(0.35, 0.9))
        top, left = (int(rng.integers(n - extent + 1)) for n in photograph.shape[1:])
        cut = photograph[:, top : top + extent, left : left + extent]
        cuts.append(F.interpolate(cut[None], (side, side), mode="bilinear", antialias=True)[0].double().numpy())
    pixels = max(cuts, key=np.std)  # numpy's sums: torch's depend on the number of threads
    tint = rng.uniform(-0.06, 0.06, (3, 1, 1))
    pixels = (pixels - pixels.mean()) / (pixels.std() + 1e-3) * contrast + mean + tint
    return torch.from_numpy(pixels.clip(0, 1)).float()


def _shape(rng: np.random.Generator) -> torch.Tensor:
    """A soft-edged mask, (1, side, side) in [0, 1]: a rounded box (from ellipse to rectangle) or a polygon."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, _OBJECT_SIDE)] * 2, indexing="ij")
    if rng.random() < 0.6:
        flatness, power = rng.uniform(0.55, 0.9), rng.uniform(2, 8)
        radius = ((x / 0.92).abs() ** power + (y / (0.92 * flatness)).abs() ** power) ** (1 / power)
    else:
        corners, turn = int(rng.integers(3, 7)), rng.uniform(0, 2 * math.pi)
        sector = 2 * math.pi / corners
        off_middle = torch.remainder(torch.atan2(y, x) + turn, sector) - sector / 2
        radius = torch.hypot(x, y) * off_middle.cos() / (0.92 * math.cos(sector / 2))
    return ((1 - radius) * 12 + 0.5).clamp(0, 1)[None]


def _sample(image: torch.Tensor, grid: torch.Tensor, outside: str) -> torch.Tensor:
    """Read image (C, h, w) at grid (T, H, W, 2) in [-1, 1]: (C, T, H, W)."""
    frames, height, width, _ = grid.shape
    rows = F.grid_sample(
        image[None], grid.reshape(1, frames * height, width, 2), padding_mode=outside, align_corners=False
    )
    return rows.reshape(-1, frames, height, width)


def _claim(folder: Path, spec: DemoSpec) -> None:
    """Make the folder and say in spec.json what it holds; refuse one that holds something else."""
    text = json.dumps(asdict(spec) | {"version": 1, "classes": CLASSES}, indent=1)
    spec_file = folder / "spec.json"
    if spec_file.exists():
        if spec_file.read_text() != text:
            raise ValueError(
                f"{folder} holds demo data of another spec ({spec_file}); delete it or name another folder"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty and holds no demo data; name a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    width, height = spec.size
    about = _README.format(**asdict(spec), classes=len(CLASSES), width=width, height=height)
    files = {"spec.json": text, "classes.txt": "".join(f"{name}\n" for name in CLASSES), "README.txt": about}
    for name, content in files.items():
        temporary = folder / f".{name}.partial"
        temporary.write_text(content)
        os.replace(temporary, folder / name)


def _write_video(path: Path, frames: np.ndarray, fps: float) -> None:
    """Encode uint8 (T, H, W, 3) as H.264 yuv420p; the file gets its name when it is complete."""
    import av

    temporary = path.with_name(f".{path.name}.partial")
    with av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # The same bits everywhere: one thread, and none of x264's assembly, whose choices vary with where memory lies.
        stream.options = {"preset": "veryfast", "crf": "18", "threads": "1", "x264-params": "asm=0"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    os.replace(temporary, path)
