import numpy as np
import pytest
import torch

from videonet.data import photometric
from videonet.data.photometric import OPERATIONS, Photometric, _apply

CLIP = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 1, 32, 32), dtype=np.uint8)).repeat(1, 4, 1, 1)
KINDS = {
    "brightness": Photometric(brightness=0.4),
    "contrast": Photometric(contrast=0.4),
    "saturation": Photometric(saturation=0.4),
    "hue": Photometric(hue=0.3),
    "randaugment": Photometric(randaugment=2),
    "erase": Photometric(erase=1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_frames_of_a_clip_change_alike_and_by_the_draw(kind):
    """The clip is one repeated frame, so its frames must stay equal."""
    results = []
    for seed in (1, 1, 2, 3, 4, 5):
        before = CLIP.clone()
        after = KINDS[kind].draw(np.random.default_rng(seed))(CLIP)
        assert torch.equal(CLIP, before)
        assert (after.dtype, after.shape) == (torch.uint8, CLIP.shape)
        assert all(torch.equal(after[:, 0], after[:, t]) for t in range(4))
        results.append(after)
    assert torch.equal(results[0], results[1])
    assert any(not torch.equal(result, CLIP) for result in results)
    assert any(not torch.equal(results[0], result) for result in results[2:])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_of_randaugment_runs_and_does_something(name):
    moving = torch.from_numpy(np.random.default_rng(1).integers(60, 200, (4, 3, 32, 32), dtype=np.uint8))
    changed = _apply(name, moving, 0.5, 1)
    assert changed.shape == moving.shape
    assert changed.dtype == torch.uint8
    assert torch.equal(changed, moving) == (name == "identity")


def test_levels_go_by_the_clip_not_the_frame():
    """A dark frame between bright ones stays the darker one."""
    frames = torch.full((3, 3, 8, 8), 150, dtype=torch.uint8)
    frames[1] = 90
    for name in ("autocontrast", "equalize", "contrast"):
        changed = _apply(name, frames, 0.5, 1).float()
        assert changed[1].mean() < changed[0].mean()
        assert torch.equal(changed[0], changed[2])


def test_an_erased_box_is_grey_and_of_the_right_size():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(50):
        erased = Photometric(erase=1.0).draw(rng)(CLIP)
        shares.append((erased != CLIP).any(dim=0).float().mean().item())
    assert min(shares) > 0.01
    assert max(shares) < 0.4


def test_erasing_has_its_probability():
    rng = np.random.default_rng(0)
    erased = [not torch.equal(Photometric(erase=0.3).draw(rng)(CLIP), CLIP) for _ in range(200)]
    assert 0.2 < np.mean(erased) < 0.4


def test_randaugment_makes_as_many_operations_as_asked(monkeypatch):
    drawn = []
    monkeypatch.setattr(photometric, "_operation", lambda rng, magnitude: drawn.append(magnitude) or (lambda x: x))
    Photometric(randaugment=3, magnitude=7).draw(np.random.default_rng(0))
    assert drawn == [7, 7, 7]


def test_nothing_asked_is_idle():
    assert Photometric().idle
    assert not any(kind.idle for kind in KINDS.values())
