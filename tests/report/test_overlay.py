"""What is drawn on frames and over time: sizes, places, and names of any content."""

import numpy as np
import pytest

from videonet.report.figures import to_png
from videonet.report.heat import heated
from videonet.report.overlay import Overlay
from videonet.report.timeline import leaders, timeline

HOSTILE = "a $very\n" + "long_" * 30 + "name \\frac{$"


@pytest.mark.parametrize(("height", "width"), [(48, 65), (144, 180), (360, 641)])
def test_an_overlay_keeps_the_frame_and_grows_a_band_whose_bars_are_the_shares(height, width):
    overlay = Overlay(height, width, 2)
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    drawn = overlay(frame, [("one", 0.5), (HOSTILE, 0.25)], "0.0 to 1.0 s")
    assert drawn.shape == (overlay.height, overlay.width, 3)
    assert overlay.height % 2 == overlay.width % 2 == 0
    assert overlay.width >= 480
    scale = -(-480 // width)
    np.testing.assert_array_equal(drawn[: height * scale : scale, : overlay.width : scale], frame[:, : overlay.width])
    band = drawn[height * scale :].astype(int)
    lengths = [int((band == colour).all(axis=2).sum(axis=1).max()) for colour in ((230, 120, 40), (70, 120, 170))]
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=3)


def test_heat_colours_where_it_is_and_leaves_grey_where_it_is_not():
    frames = np.full((1, 4, 4, 3), (10, 200, 60), np.uint8)
    heat = np.zeros((1, 4, 4))
    heat[0, 1, 2] = 1
    found = heated(frames, heat).astype(int)
    assert np.ptp(found[0, 1, 2]) > 60
    assert np.ptp(found[0, 0], axis=-1).max() == 0
    with pytest.raises(ValueError, match="not of the size of the frames"):
        heated(frames, heat[:, :2])


def test_leaders_are_those_that_win_then_those_that_come_near():
    probabilities = np.array([[0.6, 0.4, 0.0, 0.0], [0.5, 0.1, 0.4, 0.0], [0.2, 0.1, 0.6, 0.1], [0.7, 0.3, 0.0, 0.0]])
    assert leaders(probabilities, 3) == [0, 2, 1]


@pytest.mark.parametrize("windows", [1, 200])
def test_the_timeline_draws_percent_at_the_middle_of_each_window(windows):
    edges = np.stack([np.arange(windows), np.arange(windows) + 2.0], axis=1)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(12), windows)
    figure = timeline(edges, probabilities, [HOSTILE, "$", "\x00", *map(str, range(9))], HOSTILE)
    lines, strip = figure.axes
    assert len(lines.lines) == 6
    first = leaders(probabilities, 6)[0]
    np.testing.assert_allclose(lines.lines[0].get_xydata(), np.stack([edges.mean(1), 100 * probabilities[:, first]], 1))
    assert strip.get_xlim() == (0, windows + 1)
    assert to_png(figure)[:4] == b"\x89PNG"
