"""Decoding every frame: sound, damaged and unreadable files, and `videonet check-videos`."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.decode.make import FRAMES, Recipe, encode
from videonet.cli import main
from videonet.data.check import FORM, Check, check_one
from videonet.data.lists import VideoItem
from videonet.data.quarantine import Quarantine
from videonet.decode import open_video

RECIPE = Recipe(".mp4", options={"g": "12", "bf": "3"}, container={"movflags": "faststart"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one video: whole.mp4, flipped.mp4 (bytes of its second half changed), cut.mp4, and text.mp4."""
    folder = tmp_path_factory.mktemp("videos")
    data = bytearray(encode(RECIPE, folder / "whole.mp4").read_bytes())
    (folder / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    random = np.random.default_rng(3)
    for place in random.integers(len(data) // 2, len(data), 60):
        data[place] ^= 1 + int(random.integers(255))
    (folder / "flipped.mp4").write_bytes(data)
    (folder / "text.mp4").write_text("no video\n")
    return folder


def checked(folder: Path, name: str) -> Check:
    return check_one(VideoItem(name, str(folder / name), 0), open_video)


def test_a_sound_video(folder: Path) -> None:
    row = checked(folder, "whole.mp4")
    assert (row.ok, row.reason, row.promised, row.decoded) == (True, "", FRAMES, FRAMES)
    assert row.bad_share == 0
    assert row.usable()


def test_damage_is_counted_and_its_place_told(folder: Path) -> None:
    row = checked(folder, "flipped.mp4")
    assert not row.ok
    assert row.damaged + row.substituted > 0
    assert row.decoded == FRAMES - row.substituted
    seconds = float(row.reason.removeprefix("from about ").split()[0])
    assert 0.7 < seconds < 1.4  # the second half of two seconds, give or take a group of pictures


def test_frames_cut_away_are_promised_ones(folder: Path) -> None:
    row = checked(folder, "cut.mp4")
    assert row.promised == FRAMES
    assert row.decoded < FRAMES
    assert "frames are missing" in row.reason
    assert not row.usable()


@pytest.mark.parametrize(
    ("promised", "decoded", "damaged", "substituted", "usable"),
    [
        (100, 90, 0, 0, True),
        (100, 89, 0, 0, False),
        (100, 90, 15, 10, True),
        (100, 90, 16, 10, False),
        (0, 0, 0, 0, False),
    ],
)
def test_training_refuses_above_its_limits(
    promised: int, decoded: int, damaged: int, substituted: int, usable: bool
) -> None:
    counts = {"promised": promised, "decoded": decoded, "damaged": damaged, "substituted": substituted}
    assert Check("a", "/a", 1, 1, False, "", **counts).usable() == usable


def test_the_command_reports_quarantines_and_can_be_strict(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, quarantine = tmp_path / "check.jsonl", tmp_path / "quarantine.jsonl"
    words = ["check-videos", str(folder), "--out", str(out), "--quiet", "--workers", "1"]
    assert main([*words, "--quarantine", str(quarantine)]) == 0
    assert "4 videos" in (said := capsys.readouterr().out)
    assert "1 sound, 2 damaged, 1 cannot be read" in said
    assert [row.ok for row in FORM.load(out)] == [False, False, False, True]
    refused = {str(folder / row.id) for row in FORM.load(out) if not row.usable()}
    assert set(Quarantine(quarantine).reasons()) == refused
    assert {str(folder / "cut.mp4"), str(folder / "text.mp4")} <= refused
    assert {json.loads(line)["id"] for line in quarantine.read_text().splitlines()} == {Path(p).name for p in refused}
    assert main([*words, "--strict"]) == 1
    assert main(["check-videos", str(folder / "whole.mp4"), "--out", str(out), "--quiet", "--strict"]) == 0
