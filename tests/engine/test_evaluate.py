"""The multi-view test as it is run: points of the curve, broken files, interruption, ranks."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from videonet import build
from videonet.cli import main
from videonet.config import from_dict
from videonet.data.batch import BatchBuilder
from videonet.data.dataset import VideoDataset
from videonet.data.views import TestViews
from videonet.decode.reader import Opener
from videonet.engine import forward
from videonet.engine.analysis import analyse, average_views
from videonet.engine.checkpoint import load_checkpoint
from videonet.engine.dist import Ranks
from videonet.engine.evaluate import evaluate
from videonet.engine.parts import Parts

HERE = Ranks(0, 1, torch.device("cpu"))
FILES = ("results.json", "views.npz")


class Subject:
    """The trained network on the test videos, without the command around it."""

    def __init__(self, folder, every=2):
        self.path = str(folder / "checkpoints" / "last.pt")
        checkpoint = load_checkpoint(self.path)
        self.config = from_dict(checkpoint.config, self.path)
        self.names = checkpoint.class_names
        self.preprocessing = build.build_preprocessing(self.config)
        self.items = build.build_test_listing(self.config.data, self.names, self.config.optim.loss).items[::every]
        self.model = build.restore_model(checkpoint, self.config.model, self.preprocessing)

    def run(self, clips, crops, curve=(), order="normal", batch_size=4, max_views=32, sampler="dense"):
        preprocessing = replace(self.preprocessing, sampler=sampler)
        test = replace(
            self.config.test, clips=clips, crops=crops, curve=curve, frame_order=order, batch_size=batch_size
        )
        views = build.build_test_views(preprocessing, test, curve=True)
        loader = build.build_test_loader(self.items, preprocessing, test, self.config, HERE, views)
        return evaluate(self.model, loader, preprocessing, HERE, max_views=max_views), views.table


@pytest.fixture(scope="module")
def tested(trained):
    return Subject(trained)


@pytest.mark.parametrize(("sampler", "order"), [("dense", "normal"), ("dense", "shuffled"), ("segment", "normal")])
def test_every_point_of_the_curve_is_the_separate_run(tested, sampler, order):
    result, table = tested.run(5, 3, (1, 2, 4), order, sampler=sampler)
    for average in ("probabilities", "logits"):
        found = analyse(result.view_logits, result.labels, table, (5, 3), tested.names, average, 0, 0)
        rows = {(row["clips"], row["crops"]): row for row in found["curve"]}
        for clips, crops in ((1, 1), (2, 3), (4, 1), (5, 3)):
            alone, _ = tested.run(clips, crops, (), order, sampler=sampler)
            expected = average_views(alone.view_logits, average)
            within = average_views(result.view_logits[:, table.views(clips, crops)], average)
            assert np.abs(within - expected).max() < 1e-6
            assert rows[clips, crops]["top1"] == (expected.argmax(1) == alone.labels).mean()


def test_the_clips_of_several_counts_are_read_in_one_opening(tested, monkeypatch):
    opened, read = [], []
    plain_open, plain_read = Opener.__call__, type(tested.preprocessing).read

    def opening(self, source):
        opened.append(str(source))
        return plain_open(self, source)

    def reading(self, reader, ticks, emit):
        read.append(ticks.tolist())
        return plain_read(self, reader, ticks, emit)

    monkeypatch.setattr(Opener, "__call__", opening)
    monkeypatch.setattr(type(tested.preprocessing), "read", reading)
    tested.run(5, 3, (1, 2, 4))
    assert sorted(opened) == sorted(item.path for item in tested.items)
    assert all(len(set(ticks)) == len(ticks) for ticks in read)


@pytest.mark.parametrize(("pixels", "cut_later"), [("rgb", False), ("rgb", True), ("yuv", False)])
def test_no_more_views_than_allowed_are_in_the_network(tested, pixels, cut_later):
    views = TestViews(replace(tested.preprocessing, pixels=pixels), 3, 3, cut_later=cut_later)
    builder = BatchBuilder(4)
    for row in range(4):
        builder.put(row, VideoDataset(tested.items, views, open_video=Opener(pixels=pixels))[0, row])
    sizes = []

    def network(x):
        sizes.append(len(x))
        return tested.model(x)

    found = {
        most: forward.run_batch(network, builder.batch(), views.preprocessing, HERE.device, "fp32", most)
        for most in (5, 64)
    }
    assert max(sizes[: -(-36 // 5)]) == 5
    assert max(sizes) == 36
    assert found[5].shape == (4, 9, 10)
    assert (found[5] - found[64]).abs().max() < 1e-5


def run_test(trained, out, *words):
    return main(["test", "--quiet", "--checkpoint", str(trained / "checkpoints" / "last.pt"), "--out", str(out),
                 "test.batch_size=3", "test.curve=[1,3]", "test.bootstrap=100", *words])  # fmt: skip


def contents(folder):
    return [(folder / name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def broken(demo_data, tmp_path_factory):
    """The test videos, three of them broken."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(demo_data / "test", folder, dirs_exist_ok=True)
    files = sorted(folder.glob("*/*.mp4"))
    files[0].write_bytes(files[0].read_bytes()[: files[0].stat().st_size // 2])
    files[7].write_bytes(b"")
    files[12].write_text("a text that calls itself a video")
    return folder


@pytest.fixture(scope="module")
def whole(trained, broken, tmp_path_factory):
    """An uninterrupted test."""
    out = tmp_path_factory.mktemp("whole")
    assert run_test(trained, out, f"data.test={broken}") == 0
    assert not (out / "views.parts").exists()
    return out


def interrupted(trained, broken, out, monkeypatch, batches):
    """A test that is stopped in that batch."""
    calls = []

    def few(*arguments):
        calls.append(1)
        if len(calls) > batches:
            raise KeyboardInterrupt
        return forward.run_batch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("videonet.engine.evaluate.run_batch", few)
        assert run_test(trained, out, f"data.test={broken}") == 130


def test_an_interrupted_test_goes_on_to_the_same_files(trained, broken, whole, tmp_path, monkeypatch):
    interrupted(trained, broken, tmp_path, monkeypatch, 3)
    assert not (tmp_path / "results.json").exists()
    done = []
    plain = forward.run_batch

    def counting(network, batch, *arguments):
        done.extend(batch.asked)
        return plain(network, batch, *arguments)

    monkeypatch.setattr("videonet.engine.evaluate.run_batch", counting)
    assert run_test(trained, tmp_path, f"data.test={broken}", "--resume") == 0
    assert done == list(range(9, 20))
    assert contents(tmp_path) == contents(whole)
    assert not (tmp_path / "views.parts").exists()
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["n_listed"], results["n_decoded"], results["n_failed"]) == (20, 17, 3)
    own = [row for row in results["curve"] if (row["clips"], row["crops"]) == (2, 3)]
    assert own[0]["top1"] == results["top1"]
    assert results["top1_failed_as_wrong"] == pytest.approx(results["top1"] * 17 / 20)


def test_not_one_video_can_be_read(trained, broken, tmp_path, capsys):
    folder = tmp_path / "videos" / "approach"
    folder.mkdir(parents=True)
    (folder / "a.mp4").write_text("no video")
    assert run_test(trained, tmp_path / "out", f"data.test={folder.parent}") == 0
    assert "no figure: 0 of 1 videos read" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["top1"], results["n_failed"], results["curve"]) == (None, 1, [])
    assert (tmp_path / "out" / "report.html").exists()


def test_parts_are_of_one_test_alone(trained, broken, tmp_path, monkeypatch, capsys):
    interrupted(trained, broken, tmp_path, monkeypatch, 2)
    assert run_test(trained, tmp_path, f"data.test={broken}") == 2
    assert "holds an interrupted test; --resume goes on with it" in capsys.readouterr().err
    assert run_test(trained, tmp_path, f"data.test={broken}", "--resume", "test.crops=1") == 2
    assert "belongs to another test: test.crops was 3 and is 1 now" in capsys.readouterr().err
    (file,) = sorted(broken.glob("*/*.mp4"))[3:4]
    before = file.read_bytes()
    file.write_bytes(before + b"\0")
    assert run_test(trained, tmp_path, f"data.test={broken}", "--resume") == 2
    assert "fingerprint was" in capsys.readouterr().err
    file.write_bytes(before)
    (part,) = (tmp_path / "views.parts").glob("*.npz")
    part.write_bytes(part.read_bytes()[:100])
    assert run_test(trained, tmp_path, f"data.test={broken}", "--resume") == 2
    assert "is damaged" in capsys.readouterr().err


def test_parts_are_written_as_time_passes(tmp_path):
    parts = Parts(tmp_path / "views.parts", {"x": 1}, seconds=0)
    parts.begin(HERE, resume=False)
    for index in range(3):
        parts.add([index], [(index, 5, np.full((2, 3), index, np.float32))], [])
    assert len(list((tmp_path / "views.parts").glob("*.npz"))) == 3
    again = Parts(tmp_path / "views.parts", {"x": 1})
    again.begin(HERE, resume=True)
    assert again.found.asked == [0, 1, 2]
    assert [(index, label, logits.tolist()) for index, label, logits in again.found.rows] == [
        (index, 5, [[index] * 3] * 2) for index in range(3)
    ]


class ThreadRanks(Ranks):
    """Ranks of one process, one a thread."""

    def __init__(self, rank, lists, barrier):
        super().__init__(rank, len(lists), torch.device("cpu"))
        object.__setattr__(self, "_lists", lists)
        object.__setattr__(self, "_barrier", barrier)

    def gather(self, value):
        self._lists[self.rank] = list(value)
        self._barrier.wait()
        joined = [one for part in self._lists for one in part]
        self._barrier.wait()
        return joined


def test_two_ranks_go_on_with_what_one_began(tested, tmp_path, monkeypatch):
    """To the very same logits: a batch is the same videos on any rank."""
    whole, _ = tested.run(2, 3, batch_size=3)
    items, folder = tested.items, tmp_path / "views.parts"

    def run(ranks, resume):
        parts = Parts(folder, {"x": 1})
        parts.begin(ranks, resume)
        test = replace(tested.config.test, clips=2, crops=3, batch_size=3)
        loader = build.build_test_loader(
            items, tested.preprocessing, test, tested.config, ranks, done=frozenset(parts.found.asked)
        )
        return evaluate(tested.model, loader, tested.preprocessing, ranks, parts=parts)

    calls = []

    def one(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return forward.run_batch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("videonet.engine.evaluate.run_batch", one)
        with pytest.raises(KeyboardInterrupt):
            run(HERE, False)
    lists, barrier = [[], []], threading.Barrier(2, timeout=60)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda rank: run(ThreadRanks(rank, lists, barrier), True), (0, 1)))
    assert len(list(folder.glob("*.npz"))) == 3
    for result in found:
        assert (result.indices == whole.indices).all()
        assert (result.view_logits == whole.view_logits).all()
