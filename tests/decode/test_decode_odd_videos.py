"""Real odd files: frames or a named error, soon, and as many frames as a plain decode counted."""

import csv
import time
from pathlib import Path

import pytest
import torch

from videonet.decode import VideoError, open_video

CORRUPT = {"decord__corrupted.mp4", "made__bitflips.mp4", "made__truncated_faststart.mp4"}


def test_every_odd_file_is_read_or_refused_with_a_reason(odd_videos: Path) -> None:
    wrong: dict[str, object] = {}
    for row in csv.DictReader((odd_videos / "manifest.csv").open()):
        path, started = odd_videos / row["file"], time.perf_counter()
        try:
            with open_video(path) as video:
                clip = video.at_index([0, video.info.frames // 2, video.info.frames - 1])
                counted = video.info.frames
        except VideoError as error:
            counted = 0
            if str(path) not in str(error):
                wrong[row["file"]] = str(error)
        assert time.perf_counter() - started < 10
        if row["file"] in CORRUPT:
            assert counted >= int(row["decoded"])
        elif counted != int(row["decoded"]):
            wrong[row["file"]] = (counted, row["decoded"])
        elif counted:
            assert (clip.damaged, clip.substituted, clip.clamped) == (0, 0, 0)
    assert not wrong


@pytest.mark.parametrize("file", ["mmaction2__test.avi", "hmdb51__vtest.avi", "imageio__newtonscradle.gif"])
def test_random_access_equals_a_plain_pass(file: str, odd_videos: Path) -> None:
    with open_video(odd_videos / file) as video:
        whole = torch.stack([frame for _, frame in video.stream()])
        for indices in ([30, 5, 17], [11], [24, 25]):
            assert torch.equal(video.at_index(indices).frames, whole[indices])
