"""Video out: the times that went in, and frames near those."""

import io

import numpy as np
import pytest

from videonet.decode import open_video
from videonet.engine.encode import VideoWriter


def test_times_and_pictures_come_back(tmp_path):
    times = [0.0, 0.04, 0.12, 0.2, 1.5]
    frames = np.repeat(np.arange(5, dtype=np.uint8)[:, None, None, None] * 40 + 30, 32, axis=1).repeat(48, axis=2)
    with (tmp_path / "x.mp4").open("wb") as file, VideoWriter(file, 32, 48, 25) as writer:
        for seconds, frame in zip(times, frames.repeat(3, axis=3), strict=True):
            writer.write(seconds, frame)
    with open_video(tmp_path / "x.mp4") as reader:
        np.testing.assert_allclose(reader.timeline.starts_seconds, times, atol=1e-4)
        assert reader.info.duration_seconds == pytest.approx(1.54, abs=1e-3)
        found = reader.at_index(range(5)).frames.float().mean(dim=(1, 2, 3))
        np.testing.assert_allclose(found, frames.mean(axis=(1, 2, 3)), atol=3)


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match=r"33x48; H\.264 of this kind needs both even"):
        VideoWriter(io.BytesIO(), 33, 48, 25)
