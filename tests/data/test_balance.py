"""The class-balanced sampler: how often each class and video comes up, and that ranks and restarts change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videonet.data.balance import balanced_epoch, turns
from videonet.data.loader import TrainSampler

COUNTS = (60, 24, 10, 4, 2)
LABELS = np.repeat(np.arange(5), COUNTS).tolist()


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=80),
    power=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_classes_get_their_share_and_videos_take_turns(labels, power, seed):
    order = balanced_epoch(labels, power, np.random.default_rng(seed))
    assert len(order) == len(labels)
    counts = np.bincount(labels, minlength=7)
    shares = np.where(counts > 0, counts.astype(float) ** (1 - power), 0)
    expected = len(labels) * shares / shares.sum()
    drawn = np.bincount(np.asarray(labels)[order], minlength=7)
    assert (np.abs(drawn - expected) < 1 + 1e-9).all()
    times = np.bincount(order, minlength=len(labels))
    for label in set(labels):
        mine = times[np.asarray(labels) == label]
        assert mine.max() - mine.min() <= 1


@pytest.mark.parametrize(("power", "shares"), [(1.0, [1 / 5] * 5), (0.0, np.divide(COUNTS, 100))])
def test_the_mean_over_epochs_is_exact(power, shares):
    drawn = [np.bincount(np.asarray(LABELS)[balanced_epoch(LABELS, power, np.random.default_rng(e))]) for e in range(9)]
    np.testing.assert_allclose(np.mean(drawn, axis=0) / 100, shares, atol=1e-12)


def test_rounding_is_right_on_average():
    """Three classes share 10 draws: 3 or 4 each."""
    labels = [0] * 8 + [1, 2]
    drawn = [np.bincount(np.asarray(labels)[balanced_epoch(labels, 1, np.random.default_rng(e))]) for e in range(600)]
    np.testing.assert_allclose(np.mean(drawn, axis=0), 10 / 3, atol=0.08)


def sampler(rank=0, world=1, balance=1.0, seed=3):
    return TrainSampler(100, 12, seed, rank, world, LABELS, balance)


def batches(sampler, epoch, step=0):
    sampler.start_at(epoch, step)
    return list(sampler)


@pytest.mark.parametrize("world", [2, 3, 4])
def test_ranks_share_the_same_global_batches(world):
    whole = batches(sampler(), 5)
    parts = [batches(sampler(rank, world), 5) for rank in range(world)]
    for step, batch in enumerate(whole):
        assert [batch[rank::world] for rank in range(world)] == [part[step] for part in parts]


def test_it_starts_anywhere_and_forgets_nothing():
    assert batches(sampler(), 7, step=4) == batches(sampler(), 7)[4:]
    assert batches(sampler(), 7) != batches(sampler(), 8)
    assert batches(sampler(), 7) != batches(sampler(seed=4), 7)


def test_a_video_that_comes_again_has_another_key():
    keys = [key for batch in batches(sampler(), 2) for key in batch]
    indices = [index for _, index in keys]
    assert len(set(keys)) == len(keys) == 96
    assert len(set(indices)) < 70
    assert {first % 2**32 for first, _ in keys} == {2}
    assert turns(np.array([4, 4, 1, 4, 1])).tolist() == [0, 1, 0, 2, 1]


def test_without_balance_nothing_changes():
    plain = TrainSampler(100, 12, 3)
    assert batches(sampler(balance=0.0), 1) == batches(plain, 1)
