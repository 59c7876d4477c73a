"""Plans: which clips and crops of a video, before anything is decoded; and the numbers that views become."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from videonet.data import clips, transforms
from videonet.data.preprocessing import Preprocessing
from videonet.data.transforms import Box, Spatial
from videonet.data.views import TestViews, TrainViews, ViewPlan

PREPROCESSING = Preprocessing("dense", 4, 2, None, 32, 36, "crop", "rgb", (0.45, 0.4, 0.5), (0.225, 0.25, 0.2))
TRAIN = TrainViews(PREPROCESSING, "resized", (0.4, 1.0), (0.75, 4 / 3), (36, 40), 0.5)
FRAME = (48, 64)


def test_one_clip_draws_time_then_flip_then_geometry() -> None:
    for seed in range(10):
        plan = TRAIN.plan(30, FRAME, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        assert plan.ticks.tolist() == clips.dense_random(30, 4, 2, rng).tolist()
        assert plan.flipped == (rng.random() < 0.5)
        assert plan.emits == (transforms.resized_crop(FRAME, 32, (0.4, 1.0), (0.75, 4 / 3), plan.flipped, rng),)


@pytest.mark.parametrize("crop", ["resized", "jitter"])
def test_several_clips_have_a_crop_each_and_one_flip(crop: Any) -> None:
    views = replace(TRAIN, crop=crop, clips_per_video=4)
    plans = [views.plan(100, FRAME, np.random.default_rng(seed)) for seed in range(40)]
    for plan in plans:
        assert plan.ticks.shape == (4, 4)
        assert len({emit.box for emit in plan.emits}) > 1
        assert {emit.flip for emit in plan.emits} == {plan.flipped}
        assert {emit.out_size for emit in plan.emits} == {(32, 32)}
    assert {plan.flipped for plan in plans} == {True, False}


def test_test_views_share_one_emit_and_never_flip() -> None:
    plan = TestViews(PREPROCESSING, clips=3, crops=3).plan(30, FRAME, np.random.default_rng(0))
    assert plan.ticks[:, 0].tolist() == [0, 11, 23]
    assert len(plan.emits) == 1
    assert plan.emits[0].out_size == (36, 48)
    assert [box.left for box in plan.crops] == [0, 8, 16]
    assert not plan.flipped


def test_short_videos_are_held_or_looped() -> None:
    for short, expected in (("hold", [0, 2, 2, 2]), ("loop", [0, 2, 1, 0])):
        preprocessing = Preprocessing.from_dict({**PREPROCESSING.to_dict(), "short": short})
        for views in (replace(TRAIN, preprocessing=preprocessing), TestViews(preprocessing, 1, 1)):
            assert views.plan(3, FRAME, np.random.default_rng(0)).ticks.tolist() == [expected]


@pytest.mark.parametrize(
    ("emits", "message"),
    [
        ([Spatial(Box(0, 0, 8, 8), (8, 8))] * 2, "2 emits for 3 clips; give one, or one a clip"),
        ([Spatial(Box(0, 0, 8, 8), (8, 8 + k)) for k in range(3)], "all must agree"),
    ],
)
def test_a_plan_that_does_not_fit_itself_is_an_error(emits: Sequence[Spatial], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ViewPlan(np.zeros((3, 4), dtype=np.int64), tuple(emits), (Box(0, 0, 8, 8),))


def test_normalised_values_are_those_of_the_formula() -> None:
    views = torch.arange(256, dtype=torch.uint8).view(1, 1, 4, 8, 8).expand(2, 3, 4, 8, 8)
    before = views.clone()
    found = PREPROCESSING.normalise(views)
    mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1, 1) for v in (PREPROCESSING.mean, PREPROCESSING.std))
    assert found.dtype == torch.float32
    assert (found - (views.double() / 255 - mean) / std).abs().max() < 1e-6
    assert torch.equal(views, before)


@pytest.mark.parametrize("kind", ["centred", "difference"])
def test_inputs_without_the_still_scene(kind: Any) -> None:
    views = torch.randint(0, 256, (2, 3, 5, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x = views.double() / 255
    expected = x - x.mean(dim=2, keepdim=True) if kind == "centred" else torch.diff(x, dim=2, prepend=x[:, :, :1])
    expected = expected / torch.tensor(PREPROCESSING.std, dtype=torch.float64).view(3, 1, 1, 1)
    assert (replace(PREPROCESSING, input=kind).normalise(views) - expected).abs().max() < 1e-6
