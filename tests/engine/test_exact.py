"""Two processes, killed at any step and resumed, end with the very weights of an uninterrupted run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from videonet.engine.checkpoint import last_checkpoint
from videonet.engine.log import read_rows

KILLS = int(os.environ.get("VIDEONET_TEST_KILLS", "1"))
"""Of the whole run, after that of one rank."""


def launch(ranks, *words, restarts=0):
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    torchrun += [f"--max-restarts={restarts}"]
    command = [sys.executable, *(torchrun if ranks > 1 else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [*command, "-m", "videonet.cli", "train", "--quiet", *words], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said[-3000:]


def step_of(folder):
    found = last_checkpoint(folder / "checkpoints")
    return 0 if found is None else 5 * found[0].epoch + found[0].step


def wait_for_step(step, process, folder):
    """Until it is logged: its checkpoint is then being written."""
    log, deadline = folder / "train.jsonl", time.monotonic() + 120
    while not log.exists() or f'"step": {step},' not in log.read_text():
        assert process.poll() is None, process.stderr.read()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ranks_of(torchrun):
    """Process ids. Each rank leads a session of its own: a signal to torchrun's group does not reach it."""
    threads = Path(f"/proc/{torchrun.pid}/task").glob("*/children")
    children = [pid for thread in threads for pid in thread.read_text().split()]
    ranks = [int(pid) for pid in children if b"videonet.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(ranks) == 2
    return ranks


def kill_all(torchrun):
    ranks = ranks_of(torchrun)
    torchrun.kill()
    for pid in ranks:
        os.kill(pid, signal.SIGKILL)
    torchrun.wait()
    while any(runs(pid) for pid in ranks):
        time.sleep(0.01)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty of one that is dead and not yet buried
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def words(tiny):
    return [*tiny, "train.batch_size=4", "train.epochs=4", "train.eval_every=4", "train.checkpoint_every=1",
            "data.workers=2", "train.ema_decay=0.9", "augment.mixup_alpha=0.4"]  # fmt: skip


def test_killed_again_and_again(words, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(launch(2, *words, f"output_dir={whole}"))
    rng = np.random.default_rng(0)
    targets = np.sort(rng.choice(np.arange(4, 16), KILLS, replace=False))
    for number, target in enumerate(targets):
        process = launch(2, *words, "--resume", f"output_dir={broken}", restarts=1)
        if number == 0:
            wait_for_step(1, process, broken)
            os.kill(ranks_of(process)[1], signal.SIGKILL)  # torchrun ends the other one, and starts both anew
        wait_for_step(target, process, broken)
        kill_all(process)
        assert target <= step_of(broken) < 20, target
    finish(launch(2, *words, "--resume", f"output_dir={broken}"))
    expected, found = (last_checkpoint(folder / "checkpoints")[0] for folder in (whole, broken))
    assert expected.epoch == found.epoch == 4
    for key, value in expected.model.items():
        assert torch.equal(value, found.model[key]), key
    for key, value in expected.ema.items():
        assert torch.equal(value, found.ema[key]), key
    momenta = [[state["momentum_buffer"] for state in c.optimizer["state"].values()] for c in (expected, found)]
    assert all(torch.equal(a, b) for a, b in zip(*momenta, strict=True))
    assert expected.best_top1 == found.best_top1
    rows = [
        [(row["step"], row["loss"], row["top1"]) for row in read_rows(folder / "train.jsonl") if row["kind"] == "train"]
        for folder in (whole, broken)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 20


def test_one_rank_and_two_see_the_same_losses(words, tmp_path):
    """The same global batches; batch norm frozen, since its statistics are each rank's own. A low rate keeps what
    sums in another order differ by (1e-7) from growing; so does noise for data, which is the same on every machine and
    has no flat places where a maximum is found here or there by rounding.
    """
    rng = np.random.default_rng(0)
    for number in range(16):
        image = tmp_path / "noise" / "ab"[number % 2] / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(image)
    words = [*words, "train.batch_norm=frozen", "augment.mixup_alpha=0", "train.checkpoint_every=0", "optim.lr=0.0003",
             "train.batch_size=8", "train.epochs=10", "train.eval_every=10", "data.source=folder",
             *(f"data.{split}={tmp_path / 'noise'}" for split in ("train", "val", "test"))]  # fmt: skip
    finish(launch(2, *words, f"output_dir={tmp_path / 'two'}"))
    finish(launch(1, *words, "data.workers=0", f"output_dir={tmp_path / 'one'}"))
    losses = [
        [row["loss"] for row in read_rows(tmp_path / name / "train.jsonl") if row["kind"] == "train"]
        for name in ("one", "two")
    ]
    assert len(losses[0]) == 20
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert len(set(losses[0])) > 10
