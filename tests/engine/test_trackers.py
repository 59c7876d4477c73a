"""Trackers, for real and without a network: what was told is read back from what each of them keeps."""

import json
import struct
import sys
import time
from pathlib import Path

import pytest

from videonet.cli import main
from videonet.engine.trackers import TRACKERS, Place, TrackerError

CONFIG = {"seed": 3, "optim": {"lr": 0.1, "milestones": [30, 60]}}
ROWS = [("train", 0, {"epoch": 0, "loss": 0.5}), ("train", 1, {"epoch": 0, "loss": 0.25}), ("val", 1, {"top1": 0.75})]


def tell(name, folder, rows):
    tracker = TRACKERS[name](Place(folder, "tests", "one"))
    tracker.start(CONFIG)
    for row in rows:
        tracker.row(*row)
    tracker.close()


def test_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell("tensorboard", tmp_path, ROWS)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(one.step, one.value) for one in events.Scalars("train/loss")] == [(0, 0.5), (1, 0.25)]
    assert [(one.step, one.value) for one in events.Scalars("val/top1")] == [(1, 0.75)]


def wandb_records(path):
    """Records of an offline run: a header of 7 bytes, then (crc, length, type, protobuf) each, an `exit` at the end.

    wandb's own process writes the file and may still be at it.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    records, deadline = [], time.monotonic() + 60
    while not (records and records[-1].HasField("exit")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        data, at, records = path.read_bytes(), 7, []
        while at + 7 <= len(data):
            _, length, kind = struct.unpack_from("<IHB", data, at)
            if at + 7 + length > len(data):
                break
            assert kind == 1  # a whole record: the file is smaller than one block
            records.append(Record.FromString(data[at + 7 : at + 7 + length]))
            at += 7 + length
    return records


def test_wandb_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    tell("wandb", tmp_path, ROWS)
    (path,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    records = wandb_records(path)
    (run,) = (record.run for record in records if record.HasField("run"))
    assert (run.project, run.display_name) == ("tests", "one")
    assert json.loads((tmp_path / "trackers.json").read_text()) == {"wandb": run.run_id}
    assert {item.key: json.loads(item.value_json) for item in run.config.update}.items() >= CONFIG.items()
    history = [
        {(item.key or ".".join(item.nested_key)): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    told = [{key: value for key, value in row.items() if not key.startswith("_")} for row in history]
    assert told == [{"step": s, **{f"{kind}/{name}": v for name, v in values.items()}} for kind, s, values in ROWS]


def test_mlflow_goes_on_with_its_run(tmp_path, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the one store of mlflow-skinny that needs no server
    tell("mlflow", tmp_path, ROWS[:1])
    tell("mlflow", tmp_path, ROWS[1:])  # started again
    client = MlflowClient()
    experiment = client.get_experiment_by_name("tests")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("one", "FINISHED")
    assert run.data.params == {"seed": "3", "optim.lr": "0.1", "optim.milestones": "[30, 60]"}
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(one.step, one.value) for one in history] == [(0, 0.5), (1, 0.25)]
    assert run.data.metrics["val/top1"] == 0.75


def test_mlflow_without_a_store_is_an_error_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nosuch://store")
    with pytest.raises(TrackerError, match=r"mlflow cannot start: .* set MLFLOW_TRACKING_URI"):
        tell("mlflow", tmp_path, [])


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_met_before_the_first_step(name, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, name, None)
    assert main(["train", "--quiet", *tiny, f"log.trackers=[tensorboard,{name}]", f"output_dir={tmp_path}"]) == 2
    said = capsys.readouterr().err
    assert f"log.trackers: tracker {name} is not installed: pip install 'videonet[trackers]'" in said
    assert not list(Path(tmp_path).rglob("*.pt"))


def test_an_unknown_tracker_is_named(tiny, capsys):
    assert main(["train", *tiny, "log.trackers=[wanbd]"]) == 2
    assert "log.trackers 'wanbd' is not known (--opts); did you mean 'wandb'?" in capsys.readouterr().err


def test_a_run_tells_its_trackers(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    words = ["train.epochs=1", "log.trackers=[mlflow]", "log.project=ours", f"output_dir={tmp_path / 'run7'}"]
    assert main(["train", "--quiet", *tiny, *words]) == 0
    assert not (tmp_path / "run7" / "tensorboard").exists()
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("ours").experiment_id])
    assert run.info.run_name == "run7"
    assert run.data.params["model.width"] == "8"
    assert {"train/loss", "val/top1", "train/epoch"} <= run.data.metrics.keys()
