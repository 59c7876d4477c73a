"""Every option of training changes what is trained: the same seeds with and without it, and the numbers differ.

What an option means is the matter of the tests of its part; here it is shown to get there from the config.
"""

from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from videonet import build
from videonet.build.training import build_trackers
from videonet.config import Config, ConfigError, load_config
from videonet.data.lists import Listing, VideoItem
from videonet.data.loader import Batch
from videonet.engine.dist import Ranks

SMALL = ("model.name=iresnet3d18", "model.width=4", "model.blocks=[2,1,1,1]", "clip.frames=2", "clip.crop=16",
         "clip.short_side=16", "train.batch_size=6", "optim.lr=0.1", "device=cpu")  # fmt: skip
RANKS = Ranks(0, 1, torch.device("cpu"))
LABELS = (0, 0, 0, 1, 2, 2)
LISTING = Listing([VideoItem(str(k), f"{k}.mp4", label) for k, label in enumerate(LABELS)], ("a", "b", "c"))

LARGER = (
    "clip.crop=32",
    "clip.short_side=32",
)  # oneDNN's bf16 gradient of a strided Conv3d on 1x1 maps reads stray memory

# option, the value to set, what else must be set for it to matter
STEP = [
    ("optim.name", "adamw"), ("optim.name", "lars"), ("optim.name", "lamb"), ("optim.momentum", "0.5"),
    ("optim.nesterov", "true"), ("optim.nesterov", "true", "optim.name=lars"), ("optim.weight_decay", "0.5"),
    *((option, "0.5", f"optim.name={name}") for option in ("optim.momentum", "optim.weight_decay")
      for name in ("adamw", "lars", "lamb")), ("optim.decay_norm_and_bias", "false"),
    ("optim.layer_decay", "0.5"), ("optim.clip_grad_norm", "0.01"), ("optim.loss", "focal"), ("optim.loss", "binary"),
    ("optim.label_smoothing", "0.3"), ("optim.label_smoothing", "0.3", "optim.loss=focal"),
    ("optim.label_smoothing", "0.3", "optim.loss=binary"), ("optim.focal_gamma", "1", "optim.loss=focal"),
    ("optim.class_weights", "inverse"), ("optim.class_weights", "inverse", "optim.loss=focal"),
    ("optim.class_weights", "inverse", "optim.loss=binary"),
    ("train.accumulate", "3"), ("train.precision", "bf16", *LARGER), ("train.precision", "fp16", *LARGER),
    ("train.ema_decay", "0.5"),
    ("train.batch_norm", "frozen"), ("train.batch_norm", "partial"), ("train.frozen_stages", "2"),
    ("augment.mixup_alpha", "0.4"), ("augment.cutmix_alpha", "1"),
    ("augment.mix_share", "0", "augment.mixup_alpha=0.4"), ("model.dropout", "0.5"), ("model.drop_path", "0.9"),
    ("model.zero_init_residual", "true"),
]  # fmt: skip
VIEWS = [
    ("augment.crop", "jitter"), ("augment.crop", "pad"), ("augment.pad", "1", "augment.crop=pad"),
    ("augment.area", "[0.1,0.2]"), ("augment.aspect", "[0.5,0.6]"),
    ("augment.short_side", "[17,18]", "augment.crop=jitter"), ("augment.flip", "0"), ("augment.flip", "1"),
    ("augment.brightness", "0.4"), ("augment.contrast", "0.4"), ("augment.saturation", "0.4"), ("augment.hue", "0.2"),
    ("augment.randaugment", "2"), ("augment.magnitude", "25", "augment.randaugment=2"), ("augment.erase", "1"),
    ("train.clips_per_video", "2"),
]  # fmt: skip
COURSE = [
    ("optim.lr", "0.2"), ("optim.lr_batch", "3"), ("optim.schedule", "cosine"), ("optim.schedule", "linear"),
    ("optim.milestones", "[2]"), ("optim.gamma", "0.5"), ("optim.final_factor", "0.5", "optim.schedule=cosine"),
    ("optim.final_factor", "0.5", "optim.schedule=linear"), ("optim.warmup_epochs", "2"),
    ("optim.warmup_factor", "0.5", "optim.warmup_epochs=2"), ("train.epochs", "40", "optim.schedule=cosine"),
    ("train.batch_size", "12", "optim.lr_batch=6"),
]  # fmt: skip
ELSEWHERE = {
    "train.channels_last": "engine/test_step.py::test_faster_ways_are_taken",
    "train.compile": "engine/test_step.py::test_faster_ways_are_taken",
    "train.early_stop": "engine/test_train.py::test_early_stop",
    "train.eval_every": "engine/test_train.py::test_validation_looks_as_often_as_asked",
    "train.checkpoint_every": "engine/test_train.py::test_a_stopped_run_goes_on_bit_by_bit",
    "train.checkpoint_minutes": "engine/test_train.py::test_checkpoints_by_the_clock",
    "train.keep": "engine/test_train.py::test_options_of_a_recipe_train_together",
    "train.log_every": "engine/test_train.py::test_log_lines_come_as_often_as_asked",
    "optim.fused": "engine/test_optim.py::test_one_kernel_for_all_weights_where_it_is_asked_for",
    "train.compile_mode": "engine/test_step.py::test_modes_of_the_compiler",
    "train.cuda_graph": "engine/test_graphs.py::test_a_captured_step_is_the_same_step",
    "train.tf32": "engine/test_switches.py::test_tf32_and_the_search_for_algorithms",
    "train.cudnn_benchmark": "engine/test_switches.py::test_tf32_and_the_search_for_algorithms",
    "train.sharding": "engine/test_spread.py::test_shards_train_as_whole_networks_do",
    "train.timeout_minutes": "engine/test_watch.py::test_a_rank_that_stops_is_found_by_both",
    "train.precise_bn_batches": "engine/test_train.py::test_precise_statistics_are_taken_before_each_look",
}
"""Option -> the test below tests/ that fails without it."""


def config_of(words):
    return load_config(None, [*SMALL, *words], build.KNOWN_NAMES).config


@cache
def step_of(words):
    """Losses of two steps, and all that is then in the network and in its average; `accumulate` shows in the calls."""
    config = config_of(words)
    torch.manual_seed(0)
    step = build.build_step(config, build.build_preprocessing(config), LISTING, RANKS, resumes=False)
    rng, calls = np.random.default_rng(0), []
    step.model.register_forward_pre_hook(lambda module, inputs: calls.append(inputs[0].shape[0]))
    found = []
    with step.ready():
        for number in range(2):
            pixels = torch.from_numpy(rng.integers(0, 256, (6, 1, 3, 2, *[config.clip.crop] * 2), dtype=np.uint8))
            batch = Batch(pixels, torch.tensor(LABELS), torch.arange(6), np.zeros((6, 1, 2)), ())
            step.train()
            torch.manual_seed(number)
            found.append(step(batch, 0.1)[0].item())
    for module in (step.model, step.tested):
        found += [value.double().sum().item() for value in module.state_dict().values()]
    assert np.isfinite(found).all()  # nan is unlike everything
    return found, calls


@cache
def views_of(words):
    """Twenty plans, and what they make of one clip."""
    views = build.build_train_views(config := config_of(words), build.build_preprocessing(config), ("a", "b"))
    clip = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (3, 2, 16, 16), dtype=np.uint8))
    plans = [views.plan(50, (24, 32), np.random.default_rng(seed)) for seed in range(20)]
    return [
        (plan.ticks.tolist(), plan.emits, plan.flipped, [int(retouch(clip).sum()) for retouch in plan.retouches])
        for plan in plans
    ]


@cache
def course_of(words):
    """The learning rate at every tenth of an epoch."""
    config = config_of(words)
    rate, schedule = build.build_rate(config), build.build_schedule(config.optim, config.train.epochs)
    return [rate * schedule(tenth / 10) for tenth in range(900)]


@pytest.mark.parametrize("case", STEP, ids="=".join)
def test_a_step_is_another_one(case):
    option, value, *needed = case
    assert step_of((*needed, f"{option}={value}")) != step_of(tuple(needed))


@pytest.mark.parametrize("case", VIEWS, ids="=".join)
def test_training_clips_are_other_ones(case):
    option, value, *needed = case
    assert views_of((*needed, f"{option}={value}")) != views_of(tuple(needed))


@pytest.mark.parametrize("case", COURSE, ids="=".join)
def test_the_learning_rate_takes_another_course(case):
    option, value, *needed = case
    assert course_of((*needed, f"{option}={value}")) != course_of(tuple(needed))


def test_classes_are_drawn_as_balance_says():
    for balance, shares in (("0", [3, 1, 2]), ("1", [2, 2, 2])):
        sampler = build.build_train_sampler(config_of([f"data.balance={balance}"]), LISTING.items, RANKS)
        drawn = [LABELS[index] for batch in sampler for _, index in batch]
        assert np.bincount(drawn).tolist() == shares
    several = [VideoItem("a", "a", 0, (0, 1))] * 6
    with pytest.raises(ConfigError, match="needs one label a video"):
        build.build_train_sampler(config_of(["data.balance=1"]), several, RANKS)


def test_class_weights_count_all_labels_of_a_video():
    """One label is of all six videos, each other one of three: 12 labels over 3 classes."""
    listing = Listing([VideoItem(str(k), str(k), 0, (0, 1 + k % 2)) for k in range(6)], ("a", "b", "c"))
    optim = config_of(["optim.loss=binary", "optim.class_weights=inverse"]).optim
    loss = build.build_loss(optim, listing, torch.device("cpu"))
    each = [loss(torch.tensor([[-50.0] * 3]), torch.eye(3)[[k]]).item() for k in range(3)]  # one class is missed
    assert each == pytest.approx([50 / 3 * 12 / (3 * count) for count in (6, 3, 3)])


def test_a_run_has_its_name_at_a_tracker():
    for words, name in ((["output_dir=runs/a"], "a"), (["output_dir=runs/a", "log.name=b"], "b")):
        (tracker,) = build_trackers(config_of(words))
        assert tracker.place.name == name


def test_batches_have_the_size_asked_for_and_clips_of_one_video_count():
    for words, videos in (([], 6), (["train.batch_size=2"], 2), (["train.clips_per_video=3"], 2)):
        sampler = build.build_train_sampler(config_of(words), LISTING.items, RANKS)
        assert {len(batch) for batch in sampler} == {videos}


def test_synchronised_statistics_need_gpus():
    with pytest.raises(ConfigError, match="batch_norm=sync needs GPUs"):
        step_of(("train.batch_norm=sync",))


def test_faster_ways_get_to_the_step():
    for words in (("train.channels_last=true",), ("train.compile=true",)):
        config = config_of(words)
        recipe = build.build_step(config, build.build_preprocessing(config), LISTING, RANKS, resumes=True).recipe
        assert [recipe.channels_last, recipe.compile] == [config.train.channels_last, config.train.compile]


def test_no_option_is_forgotten():
    """Each field of these sections is in a table above, and the tests named there exist."""
    known = {case[0] for case in (*STEP, *VIEWS, *COURSE)} | set(ELSEWHERE)
    named = {f"{section}.{field.name}" for section in ("augment", "optim", "train")
             for field in fields(getattr(Config(), section))}  # fmt: skip
    assert not named - known
    for place in ELSEWHERE.values():
        file, _, test = place.partition("::")
        assert f"def {test}(" in (Path(__file__).parent / file).read_text()
