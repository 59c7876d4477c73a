"""Time of our networks against a peer that computes the same: one JSON line a comparison.

    python tools/bench_model.py                                   # resnet50 and iresnet3d50, batch 8, the paper's input
    python tools/bench_model.py --model iresnet3d50 --batch 1 --frames 4 --size 112 --threads 2
    python tools/bench_model.py --sweep --model iresnet3d50 --batches 8 16 32 --profile

`--sweep` compares ways to compute one network instead: dtype x memory format x compiler (x batch), training and
inference, a table of clips a second with the fastest that computes what float32 does, and, on a device whose peak is
known, the share of it.

Peer of a 2D ResNet or ResNeXt: torchvision's network of that name. Peer of a 3D bottleneck network: its layers in
pytorchvideo's blocks (ResNetBasicStem, ResBlock, BottleneckBlock, ResStage, Net), which rectify and add out of place.
The peer has our weights: `max_abs_diff` is between the logits. Runs alternate; times are medians by wall clock, `ratio`
is ours to peer, `ratio_cpu_time` that of CPU times. What noise there was show `ratio_of_best`, of the shortest times,
and `ratio_quartiles`, of the ratios of neighbouring runs.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from operator import add
from statistics import median, quantiles

import torch
from torch import Tensor, nn

from videonet.models import create_model, default_input
from videonet.models.block import ResidualBlock
from videonet.models.complexity import count_model
from videonet.models.recognizer import Recognizer

Step = Callable[[nn.Module, Tensor, torch.dtype], object]
Times = list[tuple[float, float]]
"""Seconds by wall clock and of CPU, of each run."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def main() -> None:
    """Compare each `--model` with its peer: forward pass, forward and backward pass."""
    a = _arguments()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.backends.cudnn.benchmark = True
    for name in a.model:
        torch.manual_seed(0)
        ours = create_model(name).to(a.device)
        if not isinstance(ours, Recognizer):
            raise SystemExit(f"{name} is not a network of ours")
        _, channels, frames, height, width = default_input(name)
        shape = [a.batch, channels, a.frames or frames, a.size or height, a.size or width]
        if ours.dims == 2:
            shape.pop(2)
        if a.sweep:
            _sweep(name, ours, shape, a)
            continue
        peer, made_of = _peer(name, ours)
        x = torch.randn(shape, device=a.device)
        difference = (_forward(ours, x, torch.float32) - _forward(peer, x, torch.float32)).abs().max().item()
        for mode, step in (("forward", _forward), ("forward+backward", _forward_backward)):
            times = _interleaved(step, ours, peer, x, _DTYPES[a.dtype], a.repeats)
            figures = {
                "bench": "model", "model": name, "peer": made_of, "mode": mode, "input": shape, "device": a.device,
                "dtype": a.dtype, "threads": torch.get_num_threads(), "repeats": a.repeats,
                **_summary(*times), "max_abs_diff": difference, "torch": torch.__version__,
            }  # fmt: skip
            print(json.dumps(figures), flush=True)


def _sweep(name: str, network: nn.Module, shape: list[int], a: argparse.Namespace) -> None:
    from model_sweep import MODES, as_json, fastest, peak_of, profile, sweep, table

    clip = torch.zeros([1, *shape[1:]], device=a.device)
    full = shape[1:] if len(shape) == 5 else [shape[1], 1, *shape[2:]]
    macs = count_model(name, input_shape=[1, *full]).macs
    compiled = (False,) if a.eager else (False, True)
    rows = list(sweep(network, clip, sorted(a.batches or [a.batch]), a.repeats, macs, compiled))
    print(f"{name}, clips of {tuple(shape[1:])}, {macs / 1e9:.2f} GMACs\n{table(rows)}")
    best = {mode: fastest(rows, mode) for mode in MODES}
    for mode, row in best.items():
        print(f"fastest in {mode}: {row.way if row else 'none passes the check'}")
        if a.profile and row:
            print(profile(network, clip, row))
    print(json.dumps({
        "bench": "model sweep", "model": name, "clip": shape[1:], "macs": macs, "device": a.device,
        "peak": peak_of(clip.device), "threads": torch.get_num_threads(), "rows": [as_json(row) for row in rows],
        "fastest": {mode: as_json(row) for mode, row in best.items()}, "torch": torch.__version__,
    }), flush=True)  # fmt: skip


def _interleaved(
    step: Step, ours: nn.Module, peer: nn.Module, x: Tensor, dtype: torch.dtype, repeats: int
) -> tuple[Times, Times]:
    """Times of each run of either; the one that goes first changes from pair to pair."""
    times: dict[nn.Module, Times] = {ours: [], peer: []}
    for repeat in range(-1, repeats):  # -1: warming up
        for model in (ours, peer) if repeat % 2 else (peer, ours):
            model.zero_grad()
            _wait(x)
            wall, cpu = time.perf_counter(), time.process_time()
            step(model, x, dtype)
            _wait(x)
            if repeat >= 0:
                times[model].append((time.perf_counter() - wall, time.process_time() - cpu))
    return times[ours], times[peer]


def _summary(ours: Times, peer: Times) -> dict[str, object]:
    (wall, cpu), (peer_wall, peer_cpu) = zip(*ours, strict=True), zip(*peer, strict=True)
    pairs = [a / b for a, b in zip(wall, peer_wall, strict=True)]
    return {
        "seconds": median(wall),
        "peer_seconds": median(peer_wall),
        "ratio": median(wall) / median(peer_wall),
        "ratio_cpu_time": median(cpu) / median(peer_cpu),
        "ratio_of_best": min(wall) / min(peer_wall),
        "ratio_quartiles": quantiles(pairs, n=4, method="inclusive"),
    }


def _forward(model: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
    with torch.no_grad(), torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32):
        return model.eval()(x)


def _forward_backward(model: nn.Module, x: Tensor, dtype: torch.dtype) -> None:
    with torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32):
        loss = model.train()(x).float().square().mean()
    loss.backward()


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


def _peer(name: str, ours: Recognizer) -> tuple[nn.Module, str]:
    """A peer with the weights of `ours`, on its device, and what the peer is made of."""
    if ours.dims == 3:
        return _in_pytorchvideo_blocks(ours), "its layers in pytorchvideo's blocks"
    from torchvision import models

    if name not in models.list_models(models):
        raise SystemExit(f"{name} has no peer; torchvision's resnet* and resnext* have one, and 3D bottleneck networks")
    peer = models.get_model(name).to(next(ours.parameters()).device)
    peer.load_state_dict(ours.state_dict())
    return peer, f"torchvision {name}"


def _in_pytorchvideo_blocks(ours: Recognizer) -> nn.Module:
    from pytorchvideo.models.net import Net
    from pytorchvideo.models.resnet import ResStage
    from pytorchvideo.models.stem import ResNetBasicStem

    twin = copy.deepcopy(ours)
    layers = dict(twin.named_children())
    stem = ResNetBasicStem(conv=layers["conv1"], norm=layers["bn1"], activation=nn.ReLU(), pool=layers.get("maxpool"))
    stages = [
        ResStage(nn.ModuleList(_in_pytorchvideo_block(block) for block in layers[f"layer{number}"].children()))
        for number in (1, 2, 3, 4)
    ]
    head = nn.Sequential(layers["avgpool"], layers["flatten"], layers["fc"])
    peer = Net(blocks=nn.ModuleList([stem, *stages, head]))
    twin.load_state_dict(ours.state_dict())  # `Net` has drawn new weights into the layers it was given
    return peer


def _in_pytorchvideo_block(block: nn.Module) -> nn.Module:
    from pytorchvideo.models.resnet import BottleneckBlock, ResBlock

    layers = dict(block.named_children())
    if not isinstance(block, ResidualBlock) or "conv3" not in layers or block.shortcut_reads_pre:
        raise SystemExit("only bottleneck networks with one shortcut from the block's input have a 3D peer")

    def sequence(names: str) -> list[nn.Module]:
        return [nn.ReLU() if name == "relu" else layers[name] for name in names.split()]

    body = BottleneckBlock(
        conv_a=layers["conv1"], norm_a=layers["bn1"], act_a=nn.ReLU(),
        conv_b=layers["conv2"], norm_b=layers["bn2"], act_b=nn.ReLU(),
        conv_c=layers["conv3"], norm_c=layers["bn3"] if "bn3" in block.branch.split() else None,
    )  # fmt: skip
    shortcut, pre, post = layers["downsample"], sequence(block.pre), sequence(block.post)
    return ResBlock(
        branch1_conv=None if isinstance(shortcut, nn.Identity) else shortcut,
        branch2=nn.Sequential(*pre, body) if pre else body,
        activation=nn.Sequential(*post) if post else None,
        branch_fusion=add,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", nargs="+", default=["resnet50", "iresnet3d50"], metavar="NAME")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, help="of a 3D network (default: the paper's 16)")
    parser.add_argument("--size", type=int, help="height and width (default: the paper's 224)")
    parser.add_argument("--sweep", action="store_true", help="compare ways to compute each network")
    parser.add_argument("--batches", type=int, nargs="+", help="batch sizes of the sweep (default: --batch)")
    parser.add_argument("--eager", action="store_true", help="leave the compiler out of the sweep, which takes minutes")
    parser.add_argument("--profile", action="store_true", help="of the fastest: what takes longest")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, help="of the CPU (default: PyTorch's choice)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=tuple(_DTYPES), default="fp32", help="of autocast")
    return parser.parse_args()


if __name__ == "__main__":
    main()
