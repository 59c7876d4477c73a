"""Workers that crash, hang, raise, or are left alone."""

import gc
import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.data.faults import PREPROCESSING, TEST, TRAIN, dead_on_arrival, faulty_open
from videonet.data.dataset import VideoDataset
from videonet.data.lists import VideoItem, read_folder
from videonet.data.loader import TestSampler, TrainSampler, make_loader
from videonet.data.quarantine import Quarantine
from videonet.data.workers import LoaderError
from videonet.decode.reader import Opener


@pytest.fixture
def faulty(demo_data, tmp_path):
    """faulty("kill", ...) -> items: the named faults at places 2, 3 ..., sound videos around them."""

    def items(*faults):
        sound = read_folder(demo_data / "train").items[:9]
        bad = []
        for number, fault in enumerate(faults):
            path = tmp_path / f"{fault}_{number}.mp4"
            shutil.copy(sound[0].path, path)
            bad.append(VideoItem(path.name, str(path), 0))
        return [*sound[:2], *bad, *sound[2:]]

    return items


def same(a, b):
    return len(a) == len(b) and all(
        x.indices.tolist() == y.indices.tolist()
        and x.labels.tolist() == y.labels.tolist()
        and torch.equal(x.views, y.views)
        and (x.seconds == y.seconds).all()
        for x, y in zip(a, b, strict=True)
    )


def children():
    """Process ids of the loader workers that run."""
    return [child.pid for child in multiprocessing.active_children()]


def gone(pids, seconds=20.0):
    """Whether these processes end, and leave no zombie."""
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


SLOW = pytest.mark.skipif("VIDEONET_TEST_SPAWN" not in os.environ, reason="VIDEONET_TEST_SPAWN is not set: 8 s of CPU")


@pytest.mark.parametrize(
    ("kind", "workers"),
    [
        *itertools.product(["fork", "thread", "forkserver"], [2, 4]),
        ("spawn", 2),
        pytest.param("spawn", 4, marks=SLOW),
    ],
)
def test_every_kind_gives_the_same_batches(demo_data, kind, workers):
    items = read_folder(demo_data / "train").items
    sampler = TrainSampler(len(items), 6, seed=5)
    train = VideoDataset(items, TRAIN, seed=5, substitute=True)
    test = VideoDataset(items, TEST)
    whole = list(make_loader(train, sampler, 0))
    sampler.start_at(1, 1)
    middle = list(make_loader(train, sampler, 0))
    with make_loader(train, sampler, workers, kind=kind, prefetch_batches=1) as loader:
        sampler.start_at(0, 0)
        assert same(list(loader), whole)
        sampler.start_at(1, 1)
        next(iter(loader))  # left alone
        assert same(list(loader), middle)
        assert len(loader.rss_bytes()) == (0 if kind == "thread" else workers)
    if kind == "fork":
        tests = TestSampler(len(items), 4)
        with make_loader(test, tests, workers, kind=kind) as loader:  # samples larger than the first outbox
            assert same(list(loader), list(make_loader(test, tests, 0)))


def test_planes_travel_as_views_do(demo_data):
    items = read_folder(demo_data / "train").items[:10]
    views = replace(TRAIN, preprocessing=replace(PREPROCESSING, pixels="yuv"))
    dataset = VideoDataset(items, views, open_video=Opener(pixels="yuv"))
    sampler = TestSampler(len(items), 4)
    cpu = torch.device("cpu")
    with make_loader(dataset, sampler, 2, kind="fork") as loader:
        finished = [batch.on(cpu) for batch in loader]
    expected = [batch.on(cpu) for batch in make_loader(dataset, sampler, 0)]
    assert [views.shape for views in finished] == [(4, 1, 3, 4, 32, 32), (4, 1, 3, 4, 32, 32), (2, 1, 3, 4, 32, 32)]
    assert all(torch.equal(a, b) for a, b in zip(finished, expected, strict=True))


REASONS = {
    "kill": "its decoding killed a loader worker (signal 9: out of memory?)",
    "exit": "its decoding ended a loader worker (exit code 3)",
    "hang": "its decoding kept a loader worker for more than 1 s",
}


def test_a_deadly_video_is_an_unreadable_one(faulty, tmp_path):
    items = faulty(*REASONS)
    dataset = VideoDataset(items, TEST, open_video=faulty_open)
    sampler = TestSampler(len(items), 4)
    quarantine = Quarantine(tmp_path / "quarantine.jsonl")
    with make_loader(dataset, sampler, 2, kind="fork", timeout_seconds=1, quarantine=quarantine) as loader:
        batches = list(loader)
        start = time.monotonic()
        again = list(loader)  # they are known by now, and cost nothing
        assert time.monotonic() - start < 1
    failures = [failure for batch in batches for failure in batch.failures]
    assert {failure.id.partition("_")[0]: failure.reason for failure in failures} == REASONS
    assert quarantine.reasons() == {failure.path: failure.reason for failure in failures}
    assert [batch.indices.tolist() for batch in batches] == [[0, 1], [5, 6, 7], [8, 9, 10, 11]]
    assert same(batches, again)
    sound = VideoDataset(items, TEST)
    for batch in batches:
        for index, views in zip(batch.indices.tolist(), batch.views, strict=True):
            assert torch.equal(views, sound[0, index].views)


def test_in_training_a_deadly_video_is_replaced_by_the_usual_rule(faulty):
    items = faulty("kill", "exit")
    sampler = TrainSampler(len(items), len(items), seed=3)
    deadly = VideoDataset(items, TRAIN, seed=3, substitute=True, open_video=faulty_open)
    listed = {item.path: "was listed" for item in items[2:4]}
    known = VideoDataset(items, TRAIN, seed=3, substitute=True, known_bad=listed)
    with make_loader(deadly, sampler, 2, kind="fork") as loader:
        batches = list(loader)
    assert same(batches, list(make_loader(known, sampler, 0)))
    assert {failure.path for failure in batches[0].failures} == set(listed)


def test_a_hanging_thread_is_left_behind(faulty):
    items = faulty("hang")
    dataset = VideoDataset(items, TEST, open_video=faulty_open)
    with make_loader(dataset, TestSampler(len(items), 4), 2, kind="thread", timeout_seconds=1) as loader:
        batches = list(loader)
    assert [failure.reason for batch in batches for failure in batch.failures] == [
        "its decoding kept a loader thread for more than 1 s"
    ]
    assert sum(len(batch) for batch in batches) == len(items) - 1


@pytest.mark.parametrize(("kind", "workers"), [("thread", 0), ("thread", 1), ("fork", 1)])
@pytest.mark.parametrize(("fault", "error", "text"), [("bug", ZeroDivisionError, "a bug"), ("picky", Exception, "a")])
def test_a_bug_is_raised_with_its_video(faulty, kind, workers, fault, error, text):
    items = faulty(fault)
    dataset = VideoDataset(items, TRAIN, substitute=True, open_video=faulty_open)
    with (
        make_loader(dataset, TestSampler(len(items), 2), workers, kind=kind) as loader,
        pytest.raises(error, match=text) as raised,
    ):
        list(loader)
    notes = "\n".join(raised.value.__notes__)
    assert items[2].path in notes
    assert kind != "fork" or "in faulty_open" in notes  # the worker's own traceback


def test_workers_that_always_die_are_an_error(faulty):
    items = faulty()
    dataset = VideoDataset(items, TEST, open_video=dead_on_arrival)
    with (
        make_loader(dataset, TestSampler(len(items), 9), 1, kind="fork") as loader,
        pytest.raises(LoaderError, match=r"lost 4 times in a row.*exit code 1.*/dev/shm has"),
    ):
        list(loader)
    assert children() == []


def test_short_shared_memory_is_an_error_with_a_way_out(faulty, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 10, total=64 << 20))
    items = faulty()
    with (
        make_loader(VideoDataset(items, TEST), TestSampler(len(items), 9), 1, kind="fork") as loader,
        pytest.raises(LoaderError, match=r"73,728 bytes .*/dev/shm has 0 of 64 MiB free.*--shm-size"),
    ):
        list(loader)


def test_worker_threads_leave_torch_its_threads(faulty):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        items = faulty()
        with make_loader(VideoDataset(items, TEST), TestSampler(len(items), 3), 2, kind="thread") as loader:
            list(loader)
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "wrong", [{"workers": -1}, {"kind": "gevent"}, {"prefetch_batches": 0}, {"timeout_seconds": 0}]
)
def test_senseless_settings_are_named(faulty, wrong):
    items = faulty()
    with pytest.raises(ValueError, match=next(iter(wrong)).removesuffix("s")):
        make_loader(VideoDataset(items, TEST), TestSampler(len(items), 3), **{"workers": 1, **wrong})


def test_a_worker_killed_at_rest_costs_no_video(faulty):
    items = faulty()
    dataset = VideoDataset(items, TEST)
    with make_loader(dataset, TestSampler(len(items), 3), 1, kind="fork") as loader:
        first = list(loader)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        while children():
            time.sleep(0.01)
        assert same(list(loader), first)
        assert children() != [pid]


def test_nothing_is_left_of_a_loader(faulty):
    items = faulty()
    dataset = VideoDataset(items, TRAIN, substitute=True)
    loader = make_loader(dataset, TestSampler(len(items), 2), 2, kind="fork")

    def fail(batches):
        for _ in batches:
            raise KeyError("the consumer's")

    with pytest.raises(KeyError):
        fail(loader)
    former = iter(loader)
    next(former)
    next(iter(loader))
    with pytest.raises(ValueError, match="a later iteration begun"):
        list(former)
    pids = children()
    assert len(pids) == 2
    del loader, former
    gc.collect()
    assert gone(pids)
    assert not [thread for thread in threading.enumerate() if thread.name == "videonet-loader-driver"]


def test_batches_are_not_read_far_ahead(faulty):
    items = [*faulty()[:2] * 20]
    dataset = VideoDataset(items, TRAIN)
    keys = iter(TestSampler(len(items), 4))
    begun = []

    class Counting:
        def __len__(self):
            return 10

        def __iter__(self):
            for batch in keys:
                begun.append(batch)
                yield batch

    with make_loader(dataset, Counting(), 1, kind="thread", prefetch_batches=2) as loader:
        batches = iter(loader)
        next(batches)
        time.sleep(0.2)
        assert len(begun) == 3  # the one in use, and two ahead


SCRIPT = """
import signal, sys, time
from tests.data.faults import TEST, faulty_open
from videonet.data.dataset import VideoDataset
from videonet.data.lists import VideoItem
from videonet.data.loader import TestSampler, make_loader
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    path, workers_kind = sys.argv[1:]
    dataset = VideoDataset([VideoItem("a", path, 0)] * 400, TEST, open_video=faulty_open)
    loader = make_loader(dataset, TestSampler(400, 1), 2, kind=workers_kind)
    for batch in loader:
        print(" ".join(str(w._process.pid) for w in loader._crew.workers), flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize(("kind", "end"), [("fork", signal.SIGKILL), ("forkserver", signal.SIGINT)])
def test_workers_end_with_their_program(demo_data, tmp_path, kind, end):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = str(next(iter((demo_data / "train").glob("*/*.mp4"))))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    program = subprocess.Popen(
        [sys.executable, str(script), path, kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, start_new_session=True,
    )  # fmt: skip
    pids = [int(word) for word in program.stdout.readline().split()]
    assert len(pids) == 2
    os.killpg(program.pid, end) if end == signal.SIGINT else program.kill()
    _, messages = program.communicate(timeout=20)
    assert gone(pids)
    if end == signal.SIGINT:
        assert messages.rstrip().endswith("KeyboardInterrupt")
        assert messages.count("Traceback") == 1  # no worker complains, nothing leaked
        assert "leaked" not in messages
