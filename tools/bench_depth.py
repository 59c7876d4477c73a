"""What depth costs: one JSON line a measurement, each taken in a process of its own.

    python tools/bench_depth.py

build   seconds to build iresnet164_cifar ... iresnet3002_cifar with real weights (median of `--repeats`), and a layer
memory  peak resident memory of one forward and backward pass of `--model`, for each `--checkpoint-every` (0: without)
        (glibc keeps freed blocks: MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=0 shows what was really needed)
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import torch

from videonet.models import create_model, default_input


def main() -> None:
    """Print every measurement."""
    a = _arguments()
    for depth in a.depths:
        _print("build", _alone(build, f"iresnet{depth}_cifar", a.repeats))
    for every in a.checkpoint_every:
        _print("memory", _alone(memory, a.model, a.batch, every, a.threads))


def build(name: str, repeats: int) -> dict[str, object]:
    """Time of `create_model(name)`."""
    create_model("iresnet164_cifar")  # warms up
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        create_model(name)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    seconds, cpu = median(wall for wall, _ in times), median(cpu for _, cpu in times)
    layers = int("".join(filter(str.isdigit, name)))
    return {"model": name, "seconds": seconds, "cpu_seconds": cpu, "cpu_microseconds_a_layer": 1e6 * cpu / layers}


def memory(name: str, batch: int, checkpoint_every: int, threads: int) -> dict[str, object]:
    """Peak resident memory of a step without optimizer."""
    torch.set_num_threads(threads)
    small = create_model("iresnet164_cifar", width=1, blocks=(2, 2, 2), checkpoint_every=1)
    small(torch.randn(1, 3, 1, 32, 32)).sum().backward()  # what PyTorch loads at first use is not the network's
    start = _peak_mib()
    model = create_model(name, checkpoint_every=checkpoint_every)
    built = _peak_mib()
    wall, cpu = time.perf_counter(), time.process_time()
    model(torch.randn(batch, *default_input(name)[1:])).square().mean().backward()
    return {
        "model": name, "batch": batch, "checkpoint_every": checkpoint_every, "peak_mib": _peak_mib(),
        "peak_mib_built": built, "peak_mib_before": start, "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu, "threads": threads,
    }  # fmt: skip


def _alone(measure: Callable[..., dict[str, object]], *arguments: object) -> dict[str, object]:
    """Result of `measure` in a fresh process: peak memory is that of the whole life of a process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print(bench: str, figures: Mapping[str, object]) -> None:
    print(json.dumps({"bench": bench, **figures, "torch": torch.__version__}), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--depths", type=int, nargs="*", default=[164, 1001, 2000, 3002])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", default="iresnet3002_cifar")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="more than idle cores are slow")
    parser.add_argument("--checkpoint-every", type=int, nargs="*", default=[0, 1, 10, 18, 30])
    return parser.parse_args()


if __name__ == "__main__":
    main()
