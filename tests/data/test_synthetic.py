"""The embedded default data: deterministic, decodable, and labelled by motion alone."""

import builtins
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from videonet.data import synthetic
from videonet.data.synthetic import CLASSES, DemoDependencyError, DemoSpec, render, trajectory, write_demo_videos

TINY = DemoSpec(train=1, val=1, test=1, frames=5, size=(48, 32), fps=12.5)
PARTNERS = {
    "move_left": "move_right", "move_up": "move_down", "approach": "recede",
    "turn_clockwise": "turn_counter_clockwise", "open": "close",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("demo") / "data"
    return folder, list(write_demo_videos(folder, TINY))


def test_folder_layout(demo: tuple[Path, list[Path]]) -> None:
    folder, paths = demo
    assert (folder / "classes.txt").read_text().split() == list(CLASSES)
    assert "scikit-image" in (folder / "README.txt").read_text()
    assert sorted(paths) == sorted(folder.glob("*/*/*.mp4"))
    assert {p.relative_to(folder).as_posix() for p in paths} == {
        f"{split}/{name}/0000.mp4" for split in ("train", "val", "test") for name in CLASSES
    }


def test_files_are_h264_of_the_spec(demo: tuple[Path, list[Path]]) -> None:
    with av.open(str(demo[1][0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (48, 32, Fraction(25, 2))
        assert sum(1 for _ in container.decode(stream)) == TINY.frames


def test_a_second_call_keeps_and_repairs(demo: tuple[Path, list[Path]]) -> None:
    folder, paths = demo
    before = paths[0].read_bytes()
    paths[0].unlink()
    kept = paths[1].stat().st_mtime_ns
    assert list(write_demo_videos(folder, TINY)) == paths
    assert paths[0].read_bytes() == before
    assert paths[1].stat().st_mtime_ns == kept
    assert len(paths) == TINY.videos == 30
    assert not list(folder.rglob("*.partial"))


def test_refuses_another_spec_and_a_foreign_folder(demo: tuple[Path, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another spec"):
        list(write_demo_videos(demo[0], DemoSpec(train=2)))
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(ValueError, match="not empty"):
        list(write_demo_videos(tmp_path, TINY))


def test_a_video_depends_on_its_key_alone() -> None:
    first = render("train", "open", 3, TINY)
    render("test", "close", 0, TINY)
    assert first.shape == (5, 32, 48, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render("train", "open", 3, TINY))
    for other in (render("val", "open", 3, TINY), render("train", "close", 3, TINY), render("train", "open", 4, TINY)):
        assert not np.array_equal(first, other)


def test_the_number_of_threads_changes_nothing() -> None:
    before = torch.get_num_threads()
    frames = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        frames.append(render("train", "turn_clockwise", 0, DemoSpec()))
    torch.set_num_threads(before)
    assert np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize(("forward", "backward"), PARTNERS.items())
def test_each_class_has_a_partner_of_the_same_poses(forward: str, backward: str) -> None:
    """The pose drawn is the same; only the order in which the frames are shown differs."""
    poses, partner_poses = (trajectory(np.random.default_rng(7), name, 24) for name in (forward, backward))
    assert np.array_equal(poses, partner_poses)
    assert (np.ptp(poses, axis=0) > 0).sum() == 1


def test_a_random_frame_does_not_tell_the_class() -> None:
    """Quantiles of every pose component, pooled over frames, agree between all classes."""
    quantiles = np.linspace(0.05, 0.95, 7)
    spread = []
    for i, name in enumerate(CLASSES):
        poses = np.concatenate([trajectory(np.random.default_rng((i, k)), name, 12) for k in range(1500)])
        spread.append(np.quantile(poses, quantiles, axis=0))
    scale = np.ptp(np.stack(spread).mean(axis=0), axis=0)
    assert (np.ptp(np.stack(spread), axis=0) / scale).max() < 0.12


@pytest.mark.parametrize(("name", "least"), [("x", 0.25), ("y", 0.25), ("size", np.log2(1.6)), ("angle", np.pi / 3)])
def test_the_motion_is_large(name: str, least: float) -> None:
    column = synthetic.POSE.index(name)
    moving = {"x": "move_left", "y": "move_up", "size": "recede", "angle": "turn_clockwise"}[name]
    travels = [np.ptp(trajectory(np.random.default_rng(k), moving, 24)[:, column]) for k in range(200)]
    assert min(travels) >= least


@pytest.mark.parametrize(("name", "direction"), [("move_left", (-1, 0)), ("move_right", (1, 0)), ("move_up", (0, -1))])
def test_pixels_move_the_way_the_name_says(name: str, direction: tuple[int, int]) -> None:
    """The centre of what differs from the middle frame's background moves along the named direction."""
    shifts = []
    for i in range(12):
        frames = render("train", name, i, DemoSpec()).astype(float).mean(axis=3)
        ground = np.median(frames, axis=0)
        ends = []
        for frame in (frames[0], frames[-1]):
            weight = np.abs(frame - ground) > 25
            ends.append(np.array(np.nonzero(weight))[::-1].mean(axis=1))
        shifts.append(np.sign((ends[1] - ends[0]) @ np.array(direction)))
    assert np.mean(shifts) > 0.8


def test_splits_share_no_photograph() -> None:
    names = [name for split in synthetic.SPLITS for name in synthetic._PHOTOGRAPHS[split]]
    assert len(names) == len(set(names))


def test_missing_scikit_image_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_skimage(name: str, *args: object) -> object:
        if name.startswith("skimage"):
            raise ImportError(name)
        return real(name, *args)  # type: ignore[arg-type]  # the arguments of __import__, handed on

    monkeypatch.setattr(builtins, "__import__", without_skimage)
    synthetic.load_photographs.cache_clear()
    with pytest.raises(DemoDependencyError, match=r"pip install 'videonet\[demo\]'"):
        synthetic.load_photographs("val")


@pytest.mark.parametrize(
    ("field", "value"),
    [("train", 0), ("frames", 1), ("size", (95, 80)), ("size", (16, 16)), ("fps", 0.0), ("seed", -1)],
)
def test_spec_is_checked(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        DemoSpec(**{field: value})  # type: ignore[arg-type]  # one field of many types


def test_every_process_writes_the_same_bytes(demo_data: Path, tmp_path: Path) -> None:
    """With x264's assembly about half of the files differed from one process to the next."""
    code = (
        "import sys; from videonet.data.synthetic import DemoSpec, write_demo_videos\n"
        "list(write_demo_videos(sys.argv[1], DemoSpec(train=2, val=1, test=2, frames=10, size=(48, 40))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "again")], check=True, env=environment)
    written = sorted(demo_data.glob("*/*/*.mp4"))
    assert len(written) == 50
    changed = [path.name for path in written
               if path.read_bytes() != (tmp_path / "again" / path.relative_to(demo_data)).read_bytes()]  # fmt: skip
    assert not changed
