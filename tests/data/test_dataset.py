import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.data.faults import PREPROCESSING, TEST, TRAIN, faulty_open
from tests.decode.make import Recipe, encode
from videonet.data.batch import BatchBuilder
from videonet.data.dataset import Timing, VideoDataset
from videonet.data.lists import VideoItem, read_folder
from videonet.data.photometric import Photometric
from videonet.decode.reader import Opener


@pytest.fixture(scope="module")
def items(demo_data):
    return read_folder(demo_data / "train").items


def test_clips_of_one_video_have_their_own_crop_in_one_decode(items):
    views = replace(TRAIN, clips_per_video=3)
    dataset = VideoDataset(items, views, seed=2)
    sample = dataset[0, 4]
    with faulty_open(items[4].path) as reader:
        plan = views.plan(reader.info.frames, (reader.info.height, reader.info.width), np.random.default_rng((2, 0, 4)))
        alone = [
            reader.at_index(ticks.tolist(), emit).frames for ticks, emit in zip(plan.ticks, plan.emits, strict=True)
        ]
    assert len({emit.box for emit in plan.emits}) == 3
    assert sample.views.shape == (3, 3, 4, 32, 32)
    assert torch.equal(sample.views, torch.stack(alone).permute(0, 4, 1, 2, 3))


def test_frames_out_of_order_and_repeated_are_in_their_places(items):
    shuffled = replace(TEST, preprocessing=replace(PREPROCESSING, stride=5), order="shuffled")  # longer than the video
    sample = VideoDataset(items, shuffled, seed=1)[0, 0]
    with faulty_open(items[0].path) as reader:
        info = reader.info
        plan = shuffled.plan(info.frames, (info.height, info.width), np.random.default_rng((1, 0, 0)))
        whole = reader.at_index(range(info.frames), plan.emits[0]).frames
    expected = [crop.cut(whole[torch.from_numpy(ticks)]) for ticks in plan.ticks for crop in plan.crops]
    assert len(np.unique(plan.ticks)) < plan.ticks.size
    assert torch.equal(sample.views, torch.stack(expected).permute(0, 4, 1, 2, 3))


YUV = replace(PREPROCESSING, pixels="yuv")
LETTERBOX = replace(YUV, fit="letterbox")


@pytest.mark.parametrize(
    "views",
    [
        replace(TRAIN, preprocessing=YUV, clips_per_video=3, flip=1.0),
        replace(TRAIN, preprocessing=LETTERBOX),
        replace(TEST, preprocessing=YUV),
        replace(TEST, preprocessing=LETTERBOX, crops=1),
    ],
    ids=["train", "train-letterbox", "test", "test-letterbox"],
)
def test_planes_finished_later_are_the_same_views(items, views):
    """But for the rounding of two ways to compute colour, and chroma of half the size."""
    in_rgb = replace(views, preprocessing=replace(views.preprocessing, pixels="rgb"))
    expected = BatchBuilder(2)
    later = BatchBuilder(2)
    for row, key in enumerate([(0, 3), (0, 7)]):
        expected.put(row, VideoDataset(items, in_rgb)[key])
        later.put(row, VideoDataset(items, views, open_video=Opener(pixels="yuv"))[key])
    batch, finished = later.batch(), later.batch().on(torch.device("cpu"))
    assert isinstance(batch.views, tuple)
    reference = expected.batch()
    assert (finished.shape, finished.dtype) == (reference.views.shape, torch.uint8)
    assert (finished.float() - reference.views.float()).abs().mean() < 2
    assert (batch.seconds == reference.seconds).all()


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_frames_cut_later_are_the_same_views_in_fewer_bytes(items, fit):
    now = replace(TEST, preprocessing=replace(PREPROCESSING, fit=fit), crops=3 if fit == "crop" else 1, clips=5)
    expected = VideoDataset(items, now)[0, 3].views
    later = VideoDataset(items, replace(now, cut_later=True))[0, 3]
    assert torch.equal(later.finish(later.views), expected)
    assert later.views.nbytes < expected.nbytes


def test_a_flip_changes_the_label_where_the_list_says_so(items):
    labels = [
        VideoDataset(items, replace(TRAIN, flip=flip), flip_labels={items[0].label: 7})[0, 0].label
        for flip in (0.0, 1.0)
    ]
    assert labels == [items[0].label, 7]
    several = [replace(items[0], labels=(0, 3, 4))]
    dataset = VideoDataset(several, replace(TRAIN, flip=1.0), flip_labels={0: 1, 1: 0, 4: 5, 5: 4})
    assert dataset[0, 0].labels == (1, 3, 5)


def test_each_clip_is_retouched_as_its_plan_says(items):
    views = replace(TRAIN, clips_per_video=3, photometric=Photometric(brightness=0.5, erase=1.0))
    sample = VideoDataset(items, views, seed=2)[0, 4]
    plain = VideoDataset(items, replace(views, photometric=Photometric()), seed=2)[0, 4]
    with faulty_open(items[4].path) as reader:
        plan = views.plan(reader.info.frames, (reader.info.height, reader.info.width), np.random.default_rng((2, 0, 4)))
    expected = [retouch(view) for view, retouch in zip(plain.views, plan.retouches, strict=True)]
    assert torch.equal(sample.views, torch.stack(expected))
    white = torch.full((3, 1, 32, 32), 255, dtype=torch.uint8)
    assert len({retouch(white).sum().item() for retouch in plan.retouches}) == 3  # a draw a clip


def test_known_bad_videos_are_not_opened_and_not_forgotten(items):
    dataset = VideoDataset(items, TRAIN, substitute=True, known_bad={items[0].path: "cut short"})
    sample = dataset[0, 0]
    assert sample.index != 0
    assert [(failure.path, failure.reason) for failure in sample.failures] == [
        (items[0].path, "quarantined before: cut short")
    ]


def test_how_much_may_be_missing_is_a_number(tmp_path):
    path = encode(Recipe(".mp4", container={"movflags": "faststart"}), tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.8)])
    items = [VideoItem("a", str(path), 0)]
    (failure,) = VideoDataset(items, TEST)[0, 0].failures
    assert failure.reason.startswith("cut short")
    assert VideoDataset(items, TEST, max_missing=0.9, max_damaged=1.0)[0, 0].views is not None


def test_samples_say_where_the_time_went(items):
    timing = VideoDataset(items, TEST, open_video=Opener())[0, 0].timing
    assert min(timing.open_seconds, timing.decode_seconds, timing.transform_seconds) > 0
    assert timing.wall_seconds < 30
    assert timing + timing == Timing(*(2 * value for value in vars(timing).values()))


def test_what_a_worker_is_given_does_not_grow_with_the_list(items):
    few = VideoDataset(items, TRAIN, open_video=Opener(), flip_labels={1: 2})
    many = VideoDataset(items * 1000, TRAIN, open_video=Opener(), flip_labels={1: 2})
    assert len(pickle.dumps(many.reader)) == len(pickle.dumps(few.reader)) < 2000
    again = pickle.loads(pickle.dumps(few.reader))  # noqa: S301 - our own bytes
    assert torch.equal(again(items[3], (0, 3)).views, few[0, 3].views)
