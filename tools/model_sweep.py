"""Every way to compute a network, timed and checked against float32 without compiler: for `bench_model.py --sweep`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import product
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from videonet.engine.switches import set_switches

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TOLERANCES = {"fp32": 1e-3, "tf32": 2e-2, "bf16": 1e-1, "fp16": 2e-2}
"""Largest |difference| / |float32| (2-norms) of the logits, and in training of the whole gradient, where norms use
running statistics: with those of the batch, rounding grows without bound in a network of random weights. A wrong layer
makes about 1."""
PEAKS = {"B200": 2250e12, "H200": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12, "A100": 312e12,
         "L40S": 362e12, "A30": 165e12, "A10": 125e12, "L4": 121e12}  # fmt: skip
"""Dense bfloat16 operations a second by what the device's name holds, the longer name first."""
MODES = ("inference", "training")


@dataclass(frozen=True)
class Way:
    """How a network is computed; `dtype` is autocast's."""

    dtype: str
    channels_last: bool
    compiled: bool

    def __str__(self) -> str:
        return f"{self.dtype:5}{'channels last' if self.channels_last else 'contiguous':14}" + (
            "compiled" if self.compiled else "eager"
        )


@dataclass(frozen=True)
class Row:
    """One measurement. error: of logits, or of the gradient; None and `fault` where it could not be run.

    utilisation: multiply-adds of the layers, two operations each and three passes in training, of the device's peak.
    """

    mode: str
    way: Way
    batch: int
    clips_per_second: float | None = None
    error: float | None = None
    utilisation: float | None = None
    memory_mib: float | None = None
    fault: str = ""

    @property
    def sound(self) -> bool:
        """Computes what float32 computes."""
        return self.error is not None and self.error <= TOLERANCES[self.way.dtype]


def sweep(
    network: nn.Module, clip: Tensor, batches: list[int], repeats: int, macs: int, compiled: Sequence[bool]
) -> Iterator[Row]:
    """Rows of both modes, every way, every batch size. clip: (1, ...) on the device; macs: of one of them.

    compiled: with the compiler, without, or both. The check is made on the smallest batch, once a way.
    """
    generator = torch.Generator().manual_seed(0)
    device, smallest = clip.device, min(batches)
    x = torch.randn((max(batches), *clip.shape[1:]), generator=generator).to(device)
    fp32 = Way("fp32", False, False)
    truth = {mode: _checked(mode, fp32, network, x[:smallest]) for mode in MODES}
    for mode, way in product(MODES, ways(device, compiled)):
        torch.compiler.reset()
        layout = _layout(x, way.channels_last)
        network.to(memory_format=layout)  # type: ignore[call-overload]  # torch types `device` only
        computed = torch.compile(network, dynamic=False) if way.compiled else network
        error: float | None = None
        for batch in batches:
            some = x[:batch].contiguous(memory_format=layout)
            try:
                if error is None:
                    found = _checked(mode, way, computed, x[:smallest].contiguous(memory_format=layout))
                    error = ((found - truth[mode]).norm() / truth[mode].norm()).item()
                seconds, memory = _timed(mode, way, computed, some, repeats)
            except (RuntimeError, torch.OutOfMemoryError) as fault:  # no memory, or no such kernel: a row of the table
                network.zero_grad()
                yield Row(mode, way, batch, error=error, fault=str(fault).strip().splitlines()[0][:60])
                continue
            peak, speed = peak_of(device), batch / seconds
            passes = 3 if mode == "training" else 1
            utilisation = None if peak is None else 2 * macs * passes * speed / peak
            yield Row(mode, way, batch, speed, error, utilisation, memory)


def ways(device: torch.device, compiled: Sequence[bool]) -> list[Way]:
    """All that the device may do; TF32 and float16 are for GPUs."""
    dtypes = [name for name in DTYPES if device.type == "cuda" or name in ("fp32", "bf16")]
    return [Way(*choice) for choice in product(dtypes, (False, True), compiled)]


def fastest(rows: list[Row], mode: str) -> Row | None:
    """Of those that pass the check."""
    sound = [row for row in rows if row.mode == mode and row.sound and row.clips_per_second is not None]
    return max(sound, key=lambda row: row.clips_per_second or 0.0, default=None)


def profile(network: nn.Module, clip: Tensor, row: Row, lines: int = 12) -> str:
    """What takes longest in three runs of a row: torch's table."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if clip.is_cuda:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    layout = _layout(clip, row.way.channels_last)
    network.to(memory_format=layout)  # type: ignore[call-overload]  # torch types `device` only
    x = torch.randn((row.batch, *clip.shape[1:]), device=clip.device).contiguous(memory_format=layout)
    computed = torch.compile(network, dynamic=False) if row.way.compiled else network
    network.train(row.mode == "training")
    _run(row.mode, row.way, computed, x)
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(3):
            _run(row.mode, row.way, computed, x)
        _wait(x)
    by = "self_device_time_total" if clip.is_cuda else "self_cpu_time_total"
    return profiler.key_averages().table(sort_by=by, row_limit=lines, max_name_column_width=60)


def table(rows: list[Row]) -> str:
    """For people."""
    lines = [f"{'':10} {'way':33} batch  clips/s  peak %  MiB    error (at most)"]
    for row in rows:
        figures = f"{_or_dash(row.clips_per_second, '9.2f'):>9} {_or_dash(row.utilisation, '7.1%'):>7} " + (
            f"{_or_dash(row.memory_mib, '6.0f'):>6}  {_or_dash(row.error, '.1e'):>8} ({TOLERANCES[row.way.dtype]:g})"
        )
        verdict = row.fault or ("" if row.sound else " WRONG")
        lines.append(f"{row.mode:10} {row.way!s:33} {row.batch:5} {figures} {verdict}")
    return "\n".join(lines)


def as_json(row: Row | None) -> dict[str, Any] | None:
    """Plain values."""
    return None if row is None else {**asdict(row), "way": str(row.way), "sound": row.sound}


def peak_of(device: torch.device) -> float | None:
    """Dense bfloat16 operations a second; None where that is not known."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def _checked(mode: str, way: Way, network: Any, x: Tensor) -> Tensor:
    """float32: logits, or in training the gradient as one vector, with the running statistics of a new network."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
    network.train(mode == "training")
    for norm in norms:
        norm.eval()
    logits = _run(mode, way, network, x)
    if mode == "inference":
        return logits.float()
    return torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]).clone()


def _run(mode: str, way: Way, network: Any, x: Tensor) -> Tensor:
    """Logits; in training, gradients too."""
    set_switches(tf32=way.dtype == "tf32")
    dtype = DTYPES[way.dtype]
    cast = torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32)
    without: AbstractContextManager[Any] = torch.inference_mode(mode == "inference")
    with without, cast:
        logits: Tensor = network(x)
    if mode == "training":
        network.zero_grad()
        logits.float().square().mean().backward()
    return logits


def _timed(mode: str, way: Way, network: Any, x: Tensor, repeats: int) -> tuple[float, float | None]:
    """Median seconds of a run, and the most memory it held."""
    if x.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    network.train(mode == "training")
    _run(mode, way, network, x)  # compiler and cuDNN choose here
    times = []
    for _ in range(repeats):
        _wait(x)
        start = time.perf_counter()
        _run(mode, way, network, x)
        _wait(x)
        times.append(time.perf_counter() - start)
    return median(times), torch.cuda.max_memory_allocated() / 2**20 if x.is_cuda else None


def _layout(x: Tensor, channels_last: bool) -> torch.memory_format:
    if not channels_last:
        return torch.contiguous_format
    return torch.channels_last_3d if x.ndim == 5 else torch.channels_last


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
