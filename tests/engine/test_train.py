import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from videonet import build
from videonet.cli import main
from videonet.config import from_dict
from videonet.engine.checkpoint import load_checkpoint
from videonet.engine.evaluate import evaluate
from videonet.engine.log import read_rows
from videonet.engine.step import Step
from videonet.engine.train import Trainer
from videonet.models.recognizer import Recognizer


def last(folder):
    return load_checkpoint(folder / "checkpoints" / "last.pt")


def train(*words):
    return main(["train", "--quiet", *words])


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_stopped_run_goes_on_bit_by_bit(tiny, trained, tmp_path, monkeypatch):
    words = [*tiny, "train.checkpoint_every=1", f"output_dir={tmp_path / 'run'}"]
    save = Trainer._save

    def save_and_stop(self, name):
        save(self, name)
        if (self.position.epoch, self.position.step) == (1, 1):
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_save", save_and_stop)
    assert train(*words) == 130
    assert (last(tmp_path / "run").epoch, last(tmp_path / "run").step) == (1, 1)
    monkeypatch.setattr(Trainer, "_save", save)
    assert train(*words, "--resume") == 0
    whole, resumed = last(trained), last(tmp_path / "run")
    assert same(whole.model, resumed.model)
    assert whole.best_top1 == resumed.best_top1
    losses = [
        [row["loss"] for row in read_rows(folder / "train.jsonl") if row["kind"] == "train"]
        for folder in (trained, tmp_path / "run")
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


def test_log_lines_split_the_step_and_the_reading(trained):
    row = next(row for row in read_rows(trained / "train.jsonl") if row["kind"] == "train")
    steps = [row[f"seconds_{part}"] for part in ("data", "copy", "forward", "backward", "update")]
    reading = [row[f"worker_seconds_{part}"] for part in ("open", "decode", "augment")]
    assert all(seconds > 0 for seconds in steps + reading)
    assert sum(reading) <= row["seconds_data"]  # no workers: the loop waits for the reading


def test_workers_change_nothing(tiny, trained, tmp_path):
    assert train(*tiny, "data.workers=2", f"output_dir={tmp_path}") == 0
    assert same(last(trained).model, last(tmp_path).model)


def test_killed_in_the_middle_and_resumed(tiny, tmp_path):
    words = [*tiny, "train.epochs=30", "train.checkpoint_every=1", "train.eval_every=30", f"output_dir={tmp_path}"]
    checkpoints = tmp_path / "checkpoints"
    process = subprocess.Popen([sys.executable, "-m", "videonet.cli", "train", "--quiet", *words])
    deadline = time.monotonic() + 90
    while not (checkpoints / "last.pt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    stopped = last(tmp_path)
    position = stopped.epoch * 2 + stopped.step
    assert 0 < position < 60
    for path in checkpoints.iterdir():  # a temporary file of the killed process is not taken for a checkpoint
        assert path.name in ("last.pt", "last.1.pt", "best.pt") or path.name.endswith(".tmp")
    words = [word for word in words if not word.startswith("train.epochs")]
    assert train(*words, f"train.epochs={stopped.epoch + 1}", "--resume") == 2  # another length is another schedule
    assert train(*words, "train.epochs=30", "--resume") == 0
    assert (last(tmp_path).epoch, last(tmp_path).step) == (30, 0)


def test_a_run_is_not_overwritten(tiny, trained, capsys):
    assert train(*tiny, f"output_dir={trained}") == 2
    assert "holds a run already; --resume continues it" in capsys.readouterr().err


def test_resume_refuses_other_settings(tiny, trained, capsys):
    assert train(*tiny, f"output_dir={trained}", "optim.lr=0.5", "--resume") == 2
    assert "optim.lr was 0.01 in the run and is 0.5 now" in capsys.readouterr().err


def test_unreadable_videos_are_named_counted_and_limited(tiny, demo_data, tmp_path, capsys):
    names = sorted((demo_data / "train").glob("*/*.mp4"))
    broken = tmp_path / "zero.mp4"
    broken.touch()
    lines = [f"{path} {index % 2}" for index, path in enumerate([broken, *names[:9]])]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    words = [*tiny, f"data.train={tmp_path / 'list.txt'}", "data.source=list", "data.val=null", "data.test=null"]
    assert train(*words, "data.max_failed=0.1", f"output_dir={tmp_path / 'run'}") == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == [str(broken)]
    assert rows[0]["reason"]
    assert last(tmp_path / "run").failed == [str(broken)]
    assert train(*words, "data.max_failed=0.05", f"output_dir={tmp_path / 'strict'}") == 2
    assert "1 of 10 training videos could not be read" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_and_clipping_train(tiny, tmp_path, precision):
    words = [f"train.precision={precision}", "optim.clip_grad_norm=1.0", "optim.name=adamw", "train.epochs=1"]
    assert train(*tiny, *words, f"output_dir={tmp_path}") == 0
    assert all(torch.isfinite(value).all() for value in last(tmp_path).model.values())


def test_two_processes_share_one_run(tiny, tmp_path):
    """torchrun, gloo, shards: the checkpoint is whole, and both ranks end with the same figures as one process would
    report, no video counted twice.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    module = ["-m", "videonet.cli"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = tmp_path / "run"
    words = [*tiny, "train.epochs=1", "train.sharding=fsdp", f"output_dir={run}"]
    subprocess.run([*command, *module, "train", "--quiet", *words], check=True, env=environment, timeout=120)
    checkpoint = str(run / "checkpoints" / "last.pt")
    subprocess.run([*command, *module, "test", "--quiet", "--checkpoint", checkpoint], check=True, env=environment,
                   timeout=120)  # fmt: skip
    assert main(["test", "--quiet", "--checkpoint", checkpoint, "--out", str(tmp_path / "one")]) == 0
    two, one = (json.loads((folder / "results.json").read_text()) for folder in (run, tmp_path / "one"))
    assert two == one
    assert one["n_decoded"] == 20
    assert (run / "views.npz").read_bytes() == (tmp_path / "one" / "views.npz").read_bytes()


def test_a_signal_stops_a_run_that_then_goes_on(tiny, trained, tmp_path):
    """SIGTERM, as a spot machine sends it: exit 0, a checkpoint, and the same weights in the end."""
    words = [*tiny, "train.epochs=60", "train.eval_every=60", f"output_dir={tmp_path}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "videonet.cli", "train", *words], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 90
    while not (tmp_path / "checkpoints" / "last.pt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "go on with: videonet train ... --resume" in said
    stopped = last(tmp_path)
    assert 0 < 2 * stopped.epoch + stopped.step < 120


def test_a_loss_that_is_no_number_names_its_videos(tiny, tmp_path, capsys):
    words = [*tiny, "optim.lr=1e20", "train.epochs=9", "train.checkpoint_every=1", "train.log_every=50"]
    assert train(*words, f"output_dir={tmp_path}") == 2
    assert "the loss became" in capsys.readouterr().err
    found = json.loads((tmp_path / "nan.json").read_text())
    names = found["batches"][0]["videos"]
    assert len(names) == 8
    assert all(name.endswith(".mp4") for name in names)
    path = tmp_path / "checkpoints" / "last.pt"
    assert not path.exists() or all(torch.isfinite(value).all() for value in load_checkpoint(path).model.values())


def test_options_of_a_recipe_train_together(tiny, tmp_path):
    words = ["train.ema_decay=0.5", "train.accumulate=2", "train.precise_bn_batches=1", "augment.mixup_alpha=0.2",
             "augment.cutmix_alpha=1", "augment.brightness=0.2", "augment.randaugment=1", "augment.erase=0.5",
             "optim.decay_norm_and_bias=false", "optim.loss=focal", "train.keep=3",
             "optim.class_weights=inverse", "optim.schedule=linear", "optim.lr_batch=4", "train.clips_per_video=2",
             "train.channels_last=true", "train.frozen_stages=1", "train.checkpoint_every=1"]  # fmt: skip
    assert train(*tiny, *words, f"output_dir={tmp_path}") == 0
    found = last(tmp_path)
    assert found.ema
    assert not same(found.model, found.weights)
    config = from_dict(found.config, "checkpoint")
    restored = build.restore_model(found, config.model, build.build_preprocessing(config))
    assert same(restored.state_dict(), found.weights)
    assert found.fingerprint
    assert (tmp_path / "checkpoints" / "last.2.pt").exists()
    assert main(["test", "--quiet", "--checkpoint", str(tmp_path / "checkpoints" / "last.pt")]) == 0


@pytest.fixture(scope="module")
def sparse(tiny, tmp_path_factory):
    """Three epochs of two steps, looked at as seldom as asked."""
    folder = tmp_path_factory.mktemp("sparse")
    assert train(*tiny, "train.epochs=3", "train.eval_every=2", "train.log_every=9", f"output_dir={folder}") == 0
    return read_rows(folder / "train.jsonl")


def test_log_lines_come_as_often_as_asked(sparse):
    """And at the end of each epoch; every step where asked for, see above."""
    assert [row["step"] for row in sparse if row["kind"] == "train"] == [1, 3, 5]


def test_validation_looks_as_often_as_asked(sparse):
    assert [row["epoch"] for row in sparse if row["kind"] == "val"] == [1, 2]  # the last one in any case


def test_checkpoints_by_the_clock(tiny, tmp_path, monkeypatch):
    saved, save = [], Trainer._save
    monkeypatch.setattr(
        Trainer, "_save", lambda self, name: (saved.append((name, self.position.step)), save(self, name))
    )
    words = [*tiny, "train.epochs=1", "data.val=null"]
    assert train(*words, "train.checkpoint_minutes=1e-9", f"output_dir={tmp_path / 'often'}") == 0
    assert saved == [("last.pt", 1), ("last.pt", 0)]
    saved.clear()
    assert train(*words, "train.checkpoint_minutes=60", f"output_dir={tmp_path / 'seldom'}") == 0
    assert saved == [("last.pt", 0)]


def test_precise_statistics_are_taken_before_each_look(tiny, tmp_path, monkeypatch):
    """And each look is at the averaged network."""
    events, renew = [], Step.renew_statistics

    def renewed(self, batches):
        batches = list(batches)
        events.append(("renewed", [len(batch) for batch in batches]))
        renew(self, batches)

    def looked(model, *parts, **options):
        events.append(("looked", type(model), model is trainers[0].step.average.module))
        return evaluate(model, *parts, **options)

    trainers, fit = [], Trainer.fit
    monkeypatch.setattr(Trainer, "fit", lambda self: (trainers.append(self), fit(self)))
    monkeypatch.setattr(Step, "renew_statistics", renewed)
    monkeypatch.setattr("videonet.engine.train.evaluate", looked)
    assert train(*tiny, "train.precise_bn_batches=1", "train.ema_decay=0.5", f"output_dir={tmp_path}") == 0
    assert events == [("renewed", [8]), ("looked", Recognizer, True)] * 2


def test_early_stop(tiny, tmp_path):
    words = ["train.epochs=50", "train.early_stop=2", "optim.lr=1e-9"]
    assert train(*tiny, *words, f"output_dir={tmp_path}") == 0
    assert last(tmp_path).epoch < 10


def test_steps_are_not_timed_with_the_validation_before_them(tiny, tmp_path, monkeypatch):
    """On a clock of its own: an hour for each validation, no time for anything else."""
    now = [0.0]
    monkeypatch.setattr("videonet.engine.clock.time.perf_counter", lambda: now[0])
    validate = Trainer._validate

    def slowly(self, log):
        now[0] += 3600
        return validate(self, log)

    monkeypatch.setattr(Trainer, "_validate", slowly)
    assert train(*tiny, "data.workers=0", f"output_dir={tmp_path / 'run'}") == 0
    rows = [row for row in read_rows(tmp_path / "run" / "train.jsonl") if row["kind"] == "train"]
    assert {row["epoch"] for row in rows} == {0, 1}
    assert {row["seconds_data"] for row in rows} == {0.0}
