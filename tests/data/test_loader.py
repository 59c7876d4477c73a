import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from videonet.data.dataset import VideoDataset
from videonet.data.lists import VideoItem, read_folder
from videonet.data.loader import TestSampler, TrainSampler, make_loader
from videonet.data.preprocessing import Preprocessing
from videonet.data.views import TestViews, TrainViews
from videonet.decode import open_video

PREPROCESSING = Preprocessing("dense", 4, 2, None, 32, 36, "crop", "rgb", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
TRAIN = TrainViews(PREPROCESSING, "resized", (0.4, 1.0), (0.75, 4 / 3), (36, 40), 0.5)


@pytest.fixture(scope="module")
def items(demo_data):
    return read_folder(demo_data / "train").items


def digests(batches):
    return [
        (batch.indices.tolist(), [hashlib.sha256(views.numpy().tobytes()).hexdigest() for views in batch.views])
        for batch in batches
    ]


def train_batches(items, workers, epoch=0, step=0, rank=0, world=1):
    sampler = TrainSampler(len(items), batch_size=6, seed=5, rank=rank, world=world)
    sampler.start_at(epoch, step)
    return digests(make_loader(VideoDataset(items, TRAIN, seed=5, substitute=True), sampler, workers))


def test_workers_change_nothing(items):
    assert train_batches(items, workers=0) == train_batches(items, workers=2)


def test_a_run_can_start_in_the_middle(items):
    assert train_batches(items, 0, epoch=3, step=2) == train_batches(items, 0, epoch=3)[2:]


def test_epochs_differ(items):
    assert train_batches(items, 0, epoch=0) != train_batches(items, 0, epoch=1)


@pytest.mark.parametrize("workers", [0, 4])
def test_two_ranks_share_the_same_global_batches(items, workers):
    whole = train_batches(items, 1)
    halves = [train_batches(items, workers, rank=rank, world=2) for rank in (0, 1)]
    for (indices, views), first, second in zip(whole, *halves, strict=True):
        assert indices[0::2] == first[0]
        assert indices[1::2] == second[0]
        assert set(views) == {*first[1], *second[1]}


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_every_test_video_comes_once(world):
    keys = [key for rank in range(world) for batch in TestSampler(20, 3, rank, world) for key in batch]
    assert sorted(keys) == [(0, index) for index in range(20)]


def test_a_batch_must_divide_by_the_ranks():
    with pytest.raises(ValueError, match="batch_size 6 does not divide by 4 ranks"):
        TrainSampler(100, 6, 0, 0, 4)


def test_a_batch_knows_all_labels_of_its_videos(items):
    several = [replace(item, labels=labels) for item, labels in zip(items, ((0, 2), (1,), (2, 1)), strict=False)]
    dataset = VideoDataset(several, TestViews(PREPROCESSING, clips=1, crops=1))
    batches = list(make_loader(dataset, TestSampler(3, 2), workers=0))
    assert [batch.targets(3).tolist() for batch in batches] == [[[1, 0, 1], [0, 1, 0]], [[0, 1, 1]]]
    (plain,) = make_loader(VideoDataset(items[8:12], TRAIN), TestSampler(4, 4), workers=0)
    assert torch.equal(plain.targets(10).argmax(dim=1), plain.labels)
    assert plain.targets(10).sum(dim=1).tolist() == [1, 1, 1, 1]


def test_views_in_one_pass_are_those_read_one_by_one(items):
    views = TestViews(PREPROCESSING, clips=3, crops=3)
    sample = VideoDataset(items, views)[0, 0]
    plan = views.plan(10, (40, 48), np.random.default_rng(0))
    assert plan.ticks[:, 0].tolist() == [0, 1, 3]  # 10 frames, a clip spans 7
    alone = []
    for ticks in plan.ticks:
        with open_video(items[0].path) as reader:
            clip = reader.at_index(ticks.tolist(), plan.emits[0]).frames
        alone += [box.cut(clip).permute(3, 0, 1, 2) for box in plan.crops]
    assert torch.equal(sample.views, torch.stack(alone))
    assert sample.seconds.shape == (3, 2)


def broken(tmp_path, items):
    path = tmp_path / "broken.mp4"
    path.write_text("this is text")
    return [VideoItem("broken.mp4", str(path), 3), *items[:5]]


def test_training_replaces_a_broken_video_by_the_key_alone_and_says_so(tmp_path, items):
    dataset = VideoDataset(broken(tmp_path, items), TRAIN, seed=1, substitute=True)
    sample, again, other = dataset[0, 0], dataset[0, 0], dataset[7, 0]
    assert sample.index != 0
    assert sample.index == again.index
    assert torch.equal(sample.views, again.views)
    for one in (sample, other):
        assert [failure.id for failure in one.failures] == ["broken.mp4"]


def test_a_test_never_replaces(tmp_path, items):
    views = TestViews(PREPROCESSING, clips=1, crops=1)
    dataset = VideoDataset(broken(tmp_path, items), views)
    batches = list(make_loader(dataset, TestSampler(6, 4), workers=0))
    assert [batch.indices.tolist() for batch in batches] == [[1, 2, 3], [4, 5]]
    assert [failure.id for batch in batches for failure in batch.failures] == ["broken.mp4"]
    assert batches[0].failures[0].reason


def test_target_fps_reads_by_seconds(items):
    faster = Preprocessing("dense", 4, 1, 6.0, 32, 36, "crop", "rgb", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    sample = VideoDataset(items, TestViews(faster, clips=1, crops=1))[0, 0]
    assert sample.seconds[0, 1] - sample.seconds[0, 0] == pytest.approx(3 / 6.0)


@pytest.mark.parametrize("kind", ["centred", "difference", "rgb"])
def test_inputs(kind):
    preprocessing = Preprocessing.from_dict({**PREPROCESSING.to_dict(), "input": kind})
    clip = torch.tensor([0, 60, 120, 240], dtype=torch.uint8).view(1, 1, 4, 1, 1).expand(1, 3, 4, 2, 2)
    x = preprocessing.normalise(clip)[0, 0, :, 0, 0] * 0.25 * 255
    expected = {"centred": [-105, -45, 15, 135], "difference": [0, 60, 60, 120], "rgb": [-127.5, -67.5, -7.5, 112.5]}
    torch.testing.assert_close(x, torch.tensor(expected[kind], dtype=torch.float32))
