import pytest
import torch
import torch.nn.functional as F

from videonet.engine.loss import inverse_frequency, make_loss
from videonet.engine.mix import Mix

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]])
LABELS = torch.tensor([0, 1])
TARGETS = F.one_hot(LABELS, 3).float()


def test_cross_entropy_of_shares_is_that_of_labels():
    assert torch.equal(TARGETS, torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    for smoothing in (0.0, 0.1):
        ours = make_loss("cross_entropy", smoothing)(LOGITS, TARGETS)
        torch.testing.assert_close(ours, F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing))


def test_focal_is_cross_entropy_at_gamma_0_and_forgives_what_is_right():
    torch.testing.assert_close(
        make_loss("focal", 0.1, 0.0)(LOGITS, TARGETS), make_loss("cross_entropy", 0.1)(LOGITS, TARGETS)
    )
    p = LOGITS.softmax(dim=1)[[0, 1], LABELS]
    torch.testing.assert_close(make_loss("focal", 0.0, 2.0)(LOGITS, TARGETS), (-((1 - p) ** 2) * p.log()).mean())


def test_binary_asks_each_class():
    several = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    p = LOGITS.sigmoid()
    expected = -(several * p.log() + (1 - several) * (1 - p).log()).mean()
    torch.testing.assert_close(make_loss("binary")(LOGITS, several), expected)


def test_class_weights_scale_the_terms():
    weights = inverse_frequency([0, 0, 0, 1], 3)
    torch.testing.assert_close(weights, torch.tensor([4 / 6, 4 / 2, 0.0]))
    each = F.cross_entropy(LOGITS, LABELS, reduction="none")
    expected = (each * weights[LABELS]).mean()
    torch.testing.assert_close(make_loss("cross_entropy", class_weights=weights)(LOGITS, TARGETS), expected)
    torch.testing.assert_close(make_loss("focal", 0.0, 0.0, weights)(LOGITS, TARGETS), expected)


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="'hinge' is not known; known: cross_entropy"):
        make_loss("hinge")


@pytest.mark.parametrize("mix", [Mix(0.8, 0.0), Mix(0.0, 1.0), Mix(0.8, 1.0)])
def test_mixed_targets_are_the_shares_of_the_pixels(mix):
    """Clip i is all i + 1, so that the mean of a mixed clip tells how much of which clip is in it."""
    clips = torch.arange(1.0, 5.0).view(4, 1, 1, 1, 1).expand(4, 3, 2, 16, 20)
    torch.manual_seed(3)
    moved = 0
    for _ in range(20):
        mixed, targets = mix(clips, torch.eye(4))
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
        torch.testing.assert_close(mixed.mean(dim=(1, 2, 3, 4)), targets @ torch.arange(1.0, 5.0))
        assert torch.equal(mixed[:, :, 0], mixed[:, :, 1])  # every frame alike
        moved += int(not torch.equal(mixed, clips))
    assert moved > 10
    assert torch.equal(clips[:, 0, 0, 0, 0], torch.arange(1.0, 5.0))


@pytest.mark.parametrize("mix", [Mix(0.8, 0.0), Mix(0.0, 1.0)])
def test_several_labels_mix_as_one_label_does(mix):
    clips, several = torch.rand(4, 3, 2, 16, 20), torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    mixed = []
    for targets in (torch.eye(4), several):
        torch.manual_seed(5)
        mixed.append(mix(clips, targets))
    assert type(mixed[0][0]) is torch.Tensor
    assert torch.equal(mixed[0][0], mixed[1][0])
    torch.testing.assert_close(mixed[1][1], mixed[0][1] @ several)


def test_both_kinds_have_their_turn_and_some_batches_none():
    """A mixup changes every pixel, a CutMix a box."""
    clips, kinds = torch.arange(1.0, 5.0).view(4, 1, 1, 1, 1).expand(4, 3, 2, 16, 20), []
    torch.manual_seed(0)
    for _ in range(200):
        changed = (Mix(0.8, 1.0, share=0.5)(clips, torch.eye(4))[0] != clips).float().mean().item()
        kinds.append("none" if changed == 0 else "mixup" if changed == 1 else "cutmix")
    assert kinds.count("none") > 60
    assert kinds.count("mixup") > 25
    assert kinds.count("cutmix") > 25


def test_mixing_can_be_left_out():
    clips, targets = torch.rand(2, 3, 1, 4, 4), torch.eye(2)
    for mix in (Mix(0.0, 0.0), Mix(0.8, 1.0, share=0.0)):
        assert mix(clips, targets) == (clips, targets)
