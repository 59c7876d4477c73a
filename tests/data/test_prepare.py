"""Training copies: the same frames at the same times, what is refused, and how a later run goes on."""

import errno
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from tests.decode.make import FRAMES, Recipe, encode, read_number
from videonet.cli import main
from videonet.data import copying
from videonet.data.copying import CopyError, copy_video, is_copy
from videonet.data.lists import VideoItem, read_list
from videonet.data.prepare import copy_names, form, prepare_one
from videonet.decode import VideoError, open_video

NUMBERS = list(range(FRAMES))
DEFAULT = copying.Recipe()


def uneven_ticks() -> list[int]:
    steps = np.random.default_rng(4).choice([10, 20, 40, 100], FRAMES - 1)
    return [0, *np.cumsum(steps).tolist()]


SOURCES = {
    "plain": Recipe(".mp4", options={"g": "250"}),
    "uneven times": Recipe(".mkv", ticks=uneven_ticks(), options={"bf": "3"}),
    "no clock": Recipe(".avi", "mpeg4", {"bf": "2"}),
    "odd size": Recipe(".webm", "libvpx", {"cpu-used": "8"}, size=(97, 225)),
    "one frame": Recipe(".mp4", numbers=[0]),
}


def copied(source: Path, target: Path, recipe: copying.Recipe = DEFAULT) -> Path:
    with open_video(source) as reader:
        copy_video(reader, target, recipe, open_video)
    return target


@pytest.mark.parametrize("name", SOURCES)
def test_a_copy_has_the_same_frames_at_the_same_times(name: str, tmp_path: Path) -> None:
    source = encode(SOURCES[name], tmp_path / f"source{SOURCES[name].suffix}")
    with open_video(copied(source, tmp_path / "c.mp4")) as copy, open_video(source) as original:
        numbers = NUMBERS[: original.info.frames]
        clip, wanted = copy.at_index(numbers), original.at_index(numbers)
        assert [read_number(frame) for frame in clip.frames.numpy()] == numbers
        assert np.abs(clip.pts_seconds - wanted.pts_seconds).max() < 1e-4
        assert copy.info.duration_seconds == pytest.approx(original.info.duration_seconds, abs=0.5 / original.info.fps)
        assert (copy.info.width, copy.info.height, copy.info.codec) == (224, 96, "h264")
        assert copy.info.keyframes >= len(numbers) / 12


def test_colours_stay(tmp_path: Path) -> None:
    source = encode(Recipe(".mp4", options={"crf": "10"}), tmp_path / "s.mp4")
    with open_video(copied(source, tmp_path / "c.mp4", copying.Recipe(crf=10))) as copy, open_video(source) as original:
        difference = copy.at_index([0, 30]).frames.float() - original.at_index([0, 30]).frames.float()
    assert difference.mean(dim=(0, 1, 2)).abs().max() < 2
    assert difference.abs().mean() < 4


def test_rotation_and_sound_are_gone(tmp_path: Path) -> None:
    source = encode(Recipe(".mp4", rotation=90), tmp_path / "s.mp4")
    with open_video(copied(source, tmp_path / "c.mp4")) as copy, open_video(source) as original:
        assert (copy.info.width, copy.info.height, copy.info.rotation) == (96, 224, 0)
        difference = copy.at_index([7]).frames.float() - original.at_index([7]).frames.float()
        assert difference.abs().mean() < 6
    with av.open(str(tmp_path / "c.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    data = (tmp_path / "c.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((1280, 720), 256, (456, 256)),
        ((720, 1280), 256, (256, 456)),
        ((340, 256), 256, (340, 256)),
        ((321, 241), 256, (320, 240)),
        ((3, 9), 16, (2, 8)),
    ],
)
def test_copies_are_even_and_never_enlarged(size: tuple[int, int], short_side: int, expected: tuple[int, int]) -> None:
    assert copying.Recipe(short_side).size(*size) == expected


def test_shrinking_keeps_the_frames_in_order(tmp_path: Path) -> None:
    source = encode(Recipe(".mp4", size=(192, 448)), tmp_path / "s.mp4")
    target = copied(source, tmp_path / "c.mp4", copying.Recipe(short_side=96, crf=5))
    with open_video(target) as copy, open_video(source) as original:
        assert (copy.info.width, copy.info.height) == (224, 96)
        small = original.at_index([0, 59]).frames.float().unflatten(1, (96, 2)).unflatten(3, (224, 2)).mean(dim=(2, 4))
        assert (copy.at_index([0, 59]).frames.float() - small).abs().mean() < 8


def test_a_copy_that_does_not_verify_is_not_kept(tmp_path: Path) -> None:
    source = encode(SOURCES["plain"], tmp_path / "s.mp4")
    other = encode(Recipe(".mp4", numbers=range(59)), tmp_path / "other.mp4")
    with open_video(source) as reader, pytest.raises(VideoError, match="does not verify: 59 frames, 0 bad, for 60"):
        copy_video(reader, tmp_path / "out" / "c.mp4", DEFAULT, lambda path: open_video(other))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_source_too_damaged_to_train_on_gets_no_copy(tmp_path: Path) -> None:
    recipe = Recipe(".mp4", options={"g": "12"}, container={"movflags": "faststart"})
    data = bytearray(encode(recipe, tmp_path / "s.mp4").read_bytes())
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    data[len(data) // 3 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - len(data) // 3)
    (tmp_path / "hole.mp4").write_bytes(data)
    for name, reason in (("cut.mp4", "cut short"), ("hole.mp4", "frames are damaged")):
        item = VideoItem(name, str(tmp_path / name), 0)
        row = prepare_one((item, name), tmp_path / "out", DEFAULT, open_video)
        assert reason in row.reason
        assert not (tmp_path / "out" / name).exists()


def test_a_full_disk_ends_the_run_with_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copying, "_encode", full)
    source = encode(SOURCES["one frame"], tmp_path / "s.mp4")
    row = prepare_one((VideoItem("s", str(source), 0), "c.mp4"), tmp_path / "out", DEFAULT, open_video)
    assert isinstance(row, CopyError)
    assert "No space left on device; the copies made so far are kept" in str(row)


def test_copies_have_the_paths_of_their_ids() -> None:
    ids = ["a/b.avi", "../c d.webm", "/abs/e.mp4", "s3://bucket/f.mkv", "1.5", "twice.avi", "twice.mp4"]
    names = copy_names([VideoItem(name, name, 0) for name in ids])
    assert list(names.values()) == [
        "a/b.mp4", "c d.mp4", "abs/e.mp4", "s3/bucket/f.mp4", "1.5.mp4", "twice.avi.mp4", "twice.mp4.mp4",
    ]  # fmt: skip
    with pytest.raises(CopyError, match=r"'x.mp4' and '../x.mp4' would both be"):
        copy_names([VideoItem(name, name, 0) for name in ("x.mp4", "../x.mp4")])


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """train.txt of sub/a.avi, b.mp4 and a file that is no video."""
    (tmp_path / "sub").mkdir()
    encode(Recipe(".avi", "mpeg4"), tmp_path / "sub" / "a.avi")
    encode(Recipe(".mp4"), tmp_path / "b.mp4")
    (tmp_path / "bad.mp4").write_text("no video")
    (tmp_path / "train.txt").write_text("sub/a.avi 4\nbad.mp4 1\nb.mp4 0\n")
    return tmp_path / "train.txt"


def run(listed: Path, *flags: str) -> int:
    return main(["prepare", str(listed), "--out", str(listed.parent / "out"), "--quiet", "--workers", "1", *flags])


def test_the_command_writes_copies_a_list_and_the_gain(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(listed) == 0
    said = capsys.readouterr().out
    assert "2 of 3 videos have a copy" in said
    assert f"no copy: {listed.parent / 'bad.mp4'}: not a readable video" in said
    assert "times as fast" in said
    out = listed.parent / "out"
    listing = read_list(out / "train.txt")
    assert [(item.id, item.label) for item in listing.items] == [("sub/a.mp4", 4), ("b.mp4", 0)]
    assert all(is_copy(Path(item.path)) for item in listing.items)
    assert "# no copy: bad.mp4 1: not a readable video" in (out / "train.txt").read_text()
    rows = form(DEFAULT).load(out / "prepared.jsonl")
    assert {row.id: row.copy for row in rows if row.ok} == {"b.mp4": "b.mp4", "sub/a.avi": "sub/a.mp4"}


def test_a_second_run_makes_only_what_is_missing_or_changed(listed: Path) -> None:
    assert run(listed) == 0
    out = listed.parent / "out"
    kept, changed = out / "sub" / "a.mp4", out / "b.mp4"
    before = kept.stat().st_mtime_ns, changed.stat().st_mtime_ns
    changed.write_bytes(changed.read_bytes()[:-100])
    other = listed.with_name("val.txt")
    other.write_text("b.mp4 0\n")
    assert run(other) == 0  # and this does not forget the videos of the first list
    assert run(listed) == 0
    assert kept.stat().st_mtime_ns == before[0]
    assert changed.stat().st_mtime_ns != before[1]
    with open_video(changed) as reader:
        assert reader.info.frames == FRAMES


def test_files_of_other_people_are_not_touched(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = listed.parent / "out"
    out.mkdir()
    shutil.copy(listed.parent / "b.mp4", out / "b.mp4")
    assert run(listed) == 2
    assert "holds 1 other files where copies go (b.mp4)" in capsys.readouterr().err
    (out / "b.mp4").unlink()
    (out / "train.txt").write_text("mine")
    assert run(listed) == 2
    assert (out / "train.txt").read_text() == "mine"
    (out / "train.txt").unlink()
    assert run(listed, "--crf", "60") == 2
    assert run(listed) == 0
    assert run(listed, "--crf", "30") == 2
    assert "has crf=23, not 30" in capsys.readouterr().err
