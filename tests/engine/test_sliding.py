"""Predictions over time: windows through the network, their table, and streams; and what the command refuses."""

import csv
import io
import json
import sys

import numpy as np
import pytest

from tests.engine.fresh import write_checkpoint
from videonet.cli import main
from videonet.data.preprocessing import Preprocessing
from videonet.decode import open_video
from videonet.engine.sliding import Hop, Span, span_at, stride_of

GEOMETRY = {"frames": 4, "stride": 2, "fps": None, "crop": 32, "short_side": 32, "fit": "crop", "input": "rgb"}
SIX = Preprocessing("segment", mean=(0.45,) * 3, std=(0.2,) * 3, **GEOMETRY)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(write_checkpoint(tmp_path_factory.mktemp("sliding") / "fresh.pt", "test.clips=1", "test.crops=3"))


@pytest.fixture(scope="module")
def video(demo_data):
    """10 frames at 12 a second."""
    return str(demo_data / "test" / "open" / "0000.mp4")


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_window_over_the_whole_video_is_its_prediction(checkpoint, video, capsys):
    words = ["predict", "--quiet", video, "--checkpoint", checkpoint, "--json", "--topk", "10"]
    assert main([*words, "--opts", "clip.stride=3"]) == 0  # 4 frames, 3 apart: all 10
    whole = {row["class"]: row["probability"] for row in json.loads(capsys.readouterr().out)[0]["top"]}
    assert main([*words, "--windows", "8f", "--crops", "3", "--opts", "clip.stride=3"]) == 0
    (window,) = lines(capsys)
    assert (window["start"], window["stop"]) == (0, pytest.approx(10 / 12, abs=1e-4))
    assert {row["class"]: row["probability"] for row in window["top"]} == pytest.approx(whole, abs=1e-6)


def test_a_pipe_says_what_the_file_says_as_it_comes(checkpoint, video, capsys, monkeypatch):
    words = ["predict", "--quiet", "--checkpoint", checkpoint, "--json", "--windows", "0.1s"]
    assert main([*words, video]) == 0
    of_file = lines(capsys)
    assert len(of_file) == 4

    class Piped(io.TextIOWrapper):
        def isatty(self):
            return False

    with open(video, "rb") as file:
        monkeypatch.setattr(sys, "stdin", Piped(file))
        assert main([*words, "-"]) == 0
    of_pipe = lines(capsys)
    assert [row["start"] for row in of_pipe] == [row["start"] for row in of_file]
    for ours, theirs in zip(of_pipe, of_file, strict=True):
        assert ours["path"] == "standard input"
        assert ours["top"][0]["class"] == theirs["top"][0]["class"]
        assert ours["top"][0]["probability"] == pytest.approx(theirs["top"][0]["probability"], abs=1e-5)


def test_a_camera_gives_a_line_every_hop(checkpoint, capsys):
    camera = "lavfi:testsrc2=size=64x48:rate=10:duration=2"
    assert main(["predict", "--quiet", "--camera", camera, "--checkpoint", checkpoint, "--windows", "5f"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["0.00", "0.50", "1.00", "1.50"]


def test_table_picture_and_overlay_of_one_video(checkpoint, video, tmp_path, capsys):
    words = ["predict", "--quiet", video, "--checkpoint", checkpoint, "--windows", "2f", "--topk", "3"]
    out = {name: str(tmp_path / name) for name in ("t.csv", "p.png", "o.mp4")}
    assert main([*words, "--table", out["t.csv"], "--plot", out["p.png"], "--overlay", out["o.mp4"]]) == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [float(row["start"]) for row in rows] == pytest.approx([0, 2 / 12, 4 / 12], abs=1e-3)
    assert list(rows[0])[-1] == "probability_3"
    assert float(rows[0]["probability_1"]) >= float(rows[0]["probability_2"])
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    with open_video(video) as before, open_video(out["o.mp4"]) as after:
        np.testing.assert_allclose(after.timeline.starts_seconds, before.timeline.starts_seconds, atol=1e-4)
        assert after.info.duration_seconds == pytest.approx(before.info.duration_seconds, abs=1e-3)
        scale = after.info.width // before.info.width
        frame = after.at_index([4]).frames[0][: scale * before.info.height : scale, ::scale].float()
        assert (frame - before.at_index([4]).frames[0].float()).abs().mean() < 8  # the frame, above the band
    assert main([*words, "--table", out["t.csv"]]) == 2
    assert "exists; choose another name" in capsys.readouterr().err


def test_one_of_several_videos_cannot_be_read(checkpoint, video, tmp_path, capsys):
    (tmp_path / "bad.mp4").write_text("no video")
    words = ["predict", "--quiet", str(tmp_path / "bad.mp4"), video, "--checkpoint", checkpoint, "--windows", "1s"]
    assert main(words) == 2
    said = capsys.readouterr()
    assert "bad.mp4: not readable" in said.err
    assert said.out.startswith(video)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name videos, - for standard input, or --camera"),
        (["x.mp4", "--camera", "0"], "name videos, - for standard input, or --camera"),
        (["x.mp4", "--plot", "p.png"], "add --windows 1s"),
        (["-", "--table", "t.csv"], "--table is of one video file"),
        (["x.mp4", "--windows", "1s", "--table", "t.txt"], "must end with .csv or .json"),
        (["x.mp4", "--windows", "3"], "'3' is not a time such as 0.5s"),
        (["x.mp4", "--windows", "1s", "--window-seconds", "2"], "x.mp4: not readable: no such file"),
    ],
)
def test_what_predict_refuses(words, message, checkpoint, capsys):
    assert main(["predict", "--quiet", *words, "--checkpoint", checkpoint]) == 2
    assert message in "".join(capsys.readouterr())


def test_hops_and_strides():
    assert [Hop.parse(text).ticks(30) for text in ("0.5s", "8f", "0.001s", "2s")] == [15, 8, 1, 60]
    for text in ("0s", "0f", "1.5f", "-1s", "s", "1 m"):
        with pytest.raises(ValueError, match="is not a time such as"):
            Hop.parse(text)
    assert stride_of(SIX, 30, 2.0) == 15  # 2 seconds in 4 parts
    with pytest.raises(ValueError, match="say how long a window is"):
        stride_of(SIX, 30, None)


def test_each_moment_belongs_to_the_nearest_window():
    spans = [Span(start, start + 1, np.zeros(1)) for start in (0.0, 2.0, 4.0)]
    middles = np.array([0.5, 2.5, 4.5])
    found = [spans.index(span_at(spans, middles, at)) for at in (0, 1.4, 1.6, 2.5, 3.4, 3.6, 9)]
    assert found == [0, 0, 1, 1, 1, 2, 2]
