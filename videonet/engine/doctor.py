"""Findings about this machine, one at a time: what is there, what is known to go wrong with it, and the way out."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.distributed as td

from videonet.decode.reader import BACKENDS, BackendMissing, VideoError, open_video

GIB = 2**30
EXTRAS = {
    "zoo": ("timm", "pytorchvideo"),
    "export": ("onnx", "onnxruntime"),
    "features": ("pyarrow", "h5py", "safetensors"),
    "ray": ("ray",),
    "trackers": ("wandb", "mlflow-skinny"),
}
"""Extra of setup.cfg -> its packages; those of `decoders` are tried by decoding."""


@dataclass(frozen=True)
class Finding:
    """ok: as it should be. note: works, could be better. BAD: something will fail or be wrong."""

    what: str
    state: Literal["ok", "note", "BAD"]
    text: str


def examine(self_test: bool = True) -> Iterator[Finding]:
    """Everything, the quick things first."""
    yield from _versions()
    yield _extras()
    yield from _gpus()
    yield _shared_memory()
    yield _cores()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "clip.mp4"
        yield _codecs(video)
        if video.exists():
            yield from _decoders(video)
            if self_test:
                yield _self_test(video)


def conv3d_fault(torch_version: str, cudnn: int | None) -> str | None:
    """What is known to go wrong with Conv3d in this pair of versions; None: nothing."""
    release = torch_version.split("+")[0]
    if release in ("2.9.0", "2.9.1") and cudnn is not None and cudnn < 91500:
        return f"torch {release} with cuDNN {cudnn} runs Conv3d in bf16 slowly and with many times the memory; " \
               "take torch 2.10 or newer, or cuDNN 9.15"  # fmt: skip
    return None


def _versions() -> Iterator[Finding]:
    import av
    import torchvision

    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("python", "ok", text)
    try:
        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        pair = Finding("torch", "ok", f"{torch.__version__}, torchvision {torchvision.__version__}")
    except (RuntimeError, NotImplementedError) as error:
        first = str(error).splitlines()[0]
        both = f"{torch.__version__} and torchvision {torchvision.__version__}"
        text = f"{both} do not fit each other ({first}); install a pair"
        pair = Finding("torch", "BAD", text)
    yield pair
    libraries = ", ".join(
        f"{name} {'.'.join(map(str, av.library_versions[name]))}" for name in ("libavcodec", "libavformat")
    )
    yield Finding("av", "ok", f"{av.__version__} with {libraries}")


def _extras() -> Finding:
    """What may be left out is no fault."""
    found, missing = [], []
    for extra, packages in EXTRAS.items():
        for package in packages:
            try:
                found.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                missing.append(f"{package} (pip install 'videonet[{extra}]')")
    parts = [", ".join(found)] * bool(found) + [f"not installed: {', '.join(missing)}"] * bool(missing)
    return Finding("extras", "ok", "; ".join(parts))


def _gpus() -> Iterator[Finding]:
    cudnn = torch.backends.cudnn.version()
    fault = conv3d_fault(torch.__version__, cudnn)
    if not torch.cuda.is_available():
        yield Finding("gpu", "note", "none that PyTorch sees; training runs on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        bf16 = "" if torch.cuda.is_bf16_supported(including_emulation=False) else ", no bf16: use train.precision=fp16"
        text = (
            f"{index}: {facts.name}, {facts.total_memory / GIB:.0f} GiB, CUDA {torch.version.cuda}, cuDNN {cudnn}{bf16}"
        )
        yield Finding("gpu", "ok" if not bf16 else "note", text)
    if fault:
        yield Finding("cudnn", "BAD", fault)
    if torch.cuda.device_count() > 1 and not (td.is_available() and td.is_nccl_available()):
        yield Finding("nccl", "BAD", "this PyTorch has no NCCL: only one of the GPUs can train; install a CUDA build")


def _shared_memory() -> Finding:
    folder = "/dev/shm"  # noqa: S108  # nothing is written there
    if not os.path.isdir(folder):
        return Finding("shared memory", "note", "no /dev/shm here; loader workers use temporary files")
    free = shutil.disk_usage(folder).free / GIB
    if free < 1:
        return Finding(
            "shared memory", "BAD", f"{free:.2f} GiB free in {folder}: loader workers may die; docker run --shm-size=8g"
        )
    return Finding("shared memory", "ok", f"{free:.1f} GiB free in {folder}")


def _cores() -> Finding:
    usable, there = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    text = f"{usable} usable" + (f" of {there}" if usable < there else "")
    gpus = torch.cuda.device_count()
    if gpus and usable < 4 * gpus:
        return Finding("cpu cores", "note", f"{text}, under 4 a GPU: decoding will hold it up; see videonet prepare")
    return Finding("cpu cores", "ok", text)


def _codecs(video: Path) -> Finding:
    """Encodes the test clip on the way."""
    import av

    missing = [
        name for name in ("h264", "hevc", "vp9", "libdav1d", "mpeg4", "mjpeg") if name not in av.codecs_available
    ]
    if "libx264" not in av.codecs_available:
        return Finding(
            "codecs", "BAD", "this PyAV has no libx264: videonet prepare and make-demo-data need it; pip install av"
        )
    with av.open(str(video), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"g": "8", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(32):
            picture = np.full((64, 96, 3), 7 * number, dtype=np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    if missing:
        return Finding("codecs", "note", f"no decoder for {', '.join(missing)}: such videos will count as unreadable")
    return Finding("codecs", "ok", "H.264, HEVC, VP9, AV1, MPEG-4, MJPEG")


def _decoders(video: Path) -> Iterator[Finding]:
    for name in BACKENDS:
        try:
            with open_video(video, name) as reader:
                level = float(reader.at_index([20]).frames.float().mean())
        except BackendMissing as error:
            yield Finding(name, "note", str(error))
        except VideoError as error:
            yield Finding(name, "BAD", error.reason)
        else:
            right = abs(level - 140) < 4
            yield Finding(
                name, "ok" if right else "BAD", "decodes" if right else f"frame 20 has level {level:.0f}, not 140"
            )


def _self_test(video: Path) -> Finding:
    """Two training steps of a small network on clips that a worker reads."""
    from videonet.data.dataset import VideoDataset
    from videonet.data.lists import VideoItem
    from videonet.data.loader import TrainSampler, make_loader
    from videonet.data.preprocessing import Preprocessing
    from videonet.data.views import TrainViews
    from videonet.engine.dist import Ranks
    from videonet.engine.loss import make_loss
    from videonet.engine.optim import make_optimizer, parameter_groups
    from videonet.engine.step import Step
    from videonet.models import create_model

    start = time.perf_counter()
    clip = {"sampler": "dense", "frames": 4, "stride": 2, "fps": None, "crop": 32, "short_side": 32, "fit": "crop",
            "input": "rgb", "mean": (0.45,) * 3, "std": (0.225,) * 3}  # fmt: skip
    preprocessing = Preprocessing.from_dict(clip)
    views = TrainViews(preprocessing, "resized", (0.5, 1.0), (0.75, 1.33), (32, 40), 0.5)
    dataset = VideoDataset([VideoItem(str(number), str(video), number % 2) for number in range(8)], views)
    model = create_model("iresnet3d50", 2, width=8, blocks=(1, 1, 1, 1))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    step = Step(
        model.to(device), preprocessing, make_optimizer("sgd", parameter_groups(model), 0.01, 0.9, 1e-4),
        make_loss("cross_entropy"), Ranks(0, 1, device), 2,
    )  # fmt: skip
    with make_loader(dataset, TrainSampler(8, 4, 0), workers=1) as loader, step.ready():
        step.train()
        losses = [float(step(batch, 0.01)[0]) for batch in loader]
    seconds = time.perf_counter() - start
    if len(losses) != 2 or not np.isfinite(losses).all():
        return Finding("self-test", "BAD", f"two training steps gave losses {losses}")
    return Finding("self-test", "ok", f"two training steps on {device} with one worker in {seconds:.1f} s")
