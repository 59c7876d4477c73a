"""The files of a run's log: one row a line, and the same rows as a table whose columns never move."""

import csv
import json

import pytest

from videonet.engine.log import RunLog, read_rows


def table(folder):
    with (folder / "train.csv").open(newline="") as file:
        return list(csv.reader(file))


class Spy:
    """A tracker that writes down what it is told, and fails from row `fails_at` on."""

    def __init__(self, fails_at=99):
        self.told, self.fails_at = [], fails_at

    def start(self, config):
        self.told.append(config)

    def row(self, kind, step, values):
        self.told.append((kind, step, values))
        if len(self.told) > self.fails_at:
            raise ConnectionError("server gone")

    def close(self):
        self.told.append("closed")


def test_rows_that_differ_share_one_table(tmp_path):
    log = RunLog(tmp_path, (), {})
    log.row("train", 0, 0, {"loss": 0.1, "top1": 0.5})
    log.row("val", 0, 0, {"map": 0.25})
    log.row("train", 0, 1, {"top1": 1.0, "loss": 1e-9})
    assert table(tmp_path) == [
        ["kind", "epoch", "step", "loss", "top1", "map"],
        ["train", "0", "0", "0.1", "0.5", ""],
        ["val", "0", "0", "", "", "0.25"],
        ["train", "0", "1", "1e-09", "1.0", ""],
    ]


def test_a_run_that_goes_on_leaves_no_row_twice(tmp_path):
    """Killed in the middle of a line, after steps that no checkpoint holds."""
    log = RunLog(tmp_path, (), {})
    for step in range(4):
        log.row("train", 0, step, {"loss": float(step)})
    log.row("val", 0, 3, {"top1": 0.5})
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write('{"kind": "tr')
    with (tmp_path / "train.csv").open("a") as file:
        file.write("train,0,4,")
    log = RunLog(tmp_path, (), {}, start=2)
    assert [row[2] for row in table(tmp_path)[1:]] == ["0", "1"]
    for step in (2, 3):
        log.row("train", 0, step, {"loss": 10.0 * step})
    assert [row[3] for row in table(tmp_path)[1:]] == ["0.0", "1.0", "20.0", "30.0"]
    rows = {(row["kind"], row["step"]): row for row in read_rows(tmp_path / "train.jsonl")}
    assert rows["train", 3]["loss"] == 30.0


def test_one_rank_alone_writes_and_tells(tmp_path):
    spy = Spy()
    log = RunLog(tmp_path / "run", [spy], {"seed": 1}, enabled=False)
    log.row("train", 0, 0, {"loss": 1.0})
    log.close()
    assert not spy.told
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_fails_is_named_and_left_out(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("videonet.engine.log.logger.propagate", True)
    monkeypatch.setattr("videonet.engine.log.logger.handlers", [])  # those that earlier runs in this process left
    good, bad = Spy(), Spy(fails_at=1)
    log = RunLog(tmp_path, [bad, good], {"seed": 1})
    for step in range(3):
        log.row("train", 0, step, {"loss": 1.0})
    log.close()
    assert bad.told == [{"seed": 1}, ("train", 0, {"epoch": 0, "loss": 1.0})]
    assert good.told[-2:] == [("train", 2, {"epoch": 0, "loss": 1.0}), "closed"]
    assert caplog.text.count("Spy failed and is told no more") == 1
    assert "server gone" in caplog.text
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == 3


def test_values_are_kept_as_they_are(tmp_path):
    log = RunLog(tmp_path, (), {})
    log.row("train", 1, 7, {"loss": 1 / 3})
    assert json.loads((tmp_path / "train.jsonl").read_text())["loss"] == 1 / 3
    assert float(table(tmp_path)[1][3]) == pytest.approx(1 / 3, abs=0)
