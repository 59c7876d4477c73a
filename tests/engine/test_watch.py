"""A run that hangs says where, in its own words."""

import logging
import time

from videonet.engine.log import logger
from videonet.engine.watch import Watch

MINUTES = 0.1 / 60

HANGS = """
import sys, time
from videonet.cli import main
from videonet.engine.step import Step
one_step = Step.__call__
count = 0
def call(self, batch, rate):
    global count
    count += 1
    if self.ranks.rank == 1 and count == 3:
        sleeps_on_purpose()
    return one_step(self, batch, rate)
def sleeps_on_purpose():
    time.sleep(100)
Step.__call__ = call
sys.exit(main(["train", "--quiet", *sys.argv[1:]]))
"""


def stands_still():
    time.sleep(0.5)


def test_stacks_of_a_step_that_does_not_end(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logger, "propagate", False)
    path = tmp_path / "run" / "stacks.0.txt"
    path.parent.mkdir()
    watch = Watch(MINUTES, path)
    logger.addHandler(caplog.handler)
    try:
        with watch.watching():
            watch.alive()
            stands_still()
    finally:
        logger.removeHandler(caplog.handler)
    assert path.read_text().count("in stands_still") == 1  # once a hang, however long
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "in stands_still" in caplog.text


def test_nothing_is_written_where_no_step_is_due(tmp_path):
    watch = Watch(MINUTES, tmp_path / "stacks.0.txt")
    with watch.watching():
        watch.alive()
        watch.pause()
        stands_still()
    assert not list(tmp_path.iterdir())
    with Watch(None, tmp_path / "stacks.0.txt").watching():
        pass


def test_a_rank_that_stops_is_found_by_both(run_ranks, tiny, tmp_path):
    """Rank 1 hangs: its own stacks name the place, rank 0 gives up waiting, with its place in a file too."""
    words = [*tiny, "train.batch_size=4", "train.timeout_minutes=0.2", f"output_dir={tmp_path}"]
    (code, said), _ = run_ranks(HANGS, *words)
    assert code == 1
    assert "no step for 12 s" in said
    assert "Timed out" in said
    assert "sleeps_on_purpose" in (tmp_path / "stacks.1.txt").read_text()
    waiting = (tmp_path / "stacks.0.txt").read_text()
    assert "sleeps_on_purpose" not in waiting
    assert "__call__" in waiting or "agree" in waiting
