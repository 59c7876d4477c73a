"""What stands in a folder of features is what the network makes of each window by itself."""

import numpy as np
import pytest
import torch

from tests.engine.features.conftest import contents
from videonet import build
from videonet.cli import main
from videonet.commands.checkpointed import config_of
from videonet.data import clips, transforms
from videonet.decode import open_video
from videonet.engine.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def network(trained):
    """(embed a window of a video by itself, preprocessing)."""
    path = str(trained / "checkpoints" / "last.pt")
    checkpoint = load_checkpoint(path)
    config = config_of(checkpoint, path, None, []).config
    p = build.build_preprocessing(config)
    model = build.restore_model(checkpoint, config.model, p).eval()

    @torch.inference_mode()
    def embed(path, indices, *names):
        with open_video(path) as reader:
            emit = transforms.short_side_resize((reader.info.height, reader.info.width), p.short_side)
            (box,) = transforms.uniform_crops(emit.size, p.crop, 1)
            frames = box.cut(reader.at_index(indices.tolist(), emit).frames)  # (T, S, S, 3)
        x = p.normalise(frames.permute(3, 0, 1, 2)[None].contiguous())
        return {name: value[0] for name, value in model.embed(x, names).items()}

    return embed, p


def test_windows_are_those_of_a_loop_that_opens_the_video_for_each(extract, videos, network):
    embed, p = network
    folder, index = extract("--feature", "pooled,stage2,logits", "--pool", "space")
    assert (index["n_listed"], index["n_extracted"], index["n_failed"]) == (4, 3, 1)
    assert index["failures"][0]["id"] == "broken.mp4"
    for row in index["videos"]:
        expected = clips.sliding(60, p.frames, p.stride, 5)
        assert np.shape(row["clip_seconds"]) == (len(expected), 2)
        found = {
            name: np.load(folder / row["file"][name], allow_pickle=False) for name in index["settings"]["features"]
        }
        for number, window in enumerate(expected):
            alone = embed(videos / row["id"], window, "pooled", "stage2", "logits")
            np.testing.assert_allclose(found["pooled"][number], alone["pooled"], atol=1e-5)
            np.testing.assert_allclose(found["logits"][number], alone["logits"], atol=1e-5)
            np.testing.assert_allclose(found["stage2"][number], alone["stage2"].mean(dim=(2, 3)).T, atol=1e-5)


def test_maps_and_their_means_agree(extract):
    kinds = {pool: extract("--feature", "stage3", "--pool", pool, out=pool) for pool in ("none", "space", "all")}
    for rows in zip(*(index["videos"] for _, index in kinds.values()), strict=True):
        maps, over_space, vectors = (
            np.load(folder / row["file"]) for (folder, _), row in zip(kinds.values(), rows, strict=True)
        )
        assert maps.ndim == 5  # (rows, C, T', H', W')
        np.testing.assert_allclose(over_space, maps.mean(axis=(3, 4)).transpose(0, 2, 1), atol=1e-5)
        np.testing.assert_allclose(vectors, maps.mean(axis=(2, 3, 4)), atol=1e-5)


def test_half_precision_is_the_same_rounded(extract):
    (whole, index), (half, _) = extract(out="whole"), extract("--dtype", "fp16", out="half")
    for row in index["videos"]:
        expected = np.load(whole / row["file"]).astype(np.float16)
        assert np.array_equal(np.load(half / row["file"]), expected)


def test_times_of_windows(extract):
    _, index = extract("--opts", "clip.fps=10", "clip.stride=1")
    for row in index["videos"]:
        times = np.array(row["clip_seconds"])
        np.testing.assert_allclose(np.diff(times[:, 0]), 0.5, atol=1e-6)
        np.testing.assert_allclose((times[:, 1] - times[:, 0])[:-1], 0.4, atol=1e-6)
        assert row["duration_seconds"] - 0.5 <= times[-1, 0] < times[-1, 1] <= row["duration_seconds"] + 1e-6


def test_a_hop_in_seconds(words, tmp_path):
    words = [word for word in words if word not in ("--hop-frames", "5")]
    assert main([*words, "--out", str(tmp_path / "a"), "--hop-seconds", "0.2"]) == 0
    assert main([*words, "--out", str(tmp_path / "b"), "--hop-frames", "6"]) == 0  # of 30 a second
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert len(a) == 4
    assert all(a[name] == b[name] for name in a.keys() - {"index.json"})


def test_workers_change_no_bit_and_planes_little(extract):
    plain, index = extract(out="plain")
    assert contents(extract("--opts", "data.workers=2", "data.worker_kind=thread", out="2")[0]) == contents(plain)
    planes, _ = extract("--opts", "clip.pixels=yuv", out="planes")
    for row in index["videos"]:
        a, b = np.load(plain / row["file"]), np.load(planes / row["file"])
        assert 0 < np.abs(a - b).max() < 0.3 * np.abs(a).max()


def test_a_row_does_not_depend_on_its_neighbours(extract, words, videos, tmp_path):
    """Alone or beside other videos: the same bits."""
    together, index = extract(out="together")
    for row in index["videos"]:
        one = [str(videos / row["id"]) if word == str(videos) else word for word in words]
        alone = tmp_path / "alone" / row["id"]
        assert main([*one, "--out", str(alone)]) == 0
        assert (alone / row["file"]).read_bytes() == (together / row["file"]).read_bytes()


def test_a_video_shorter_than_a_window_has_no_rows_without_its_tail(extract):
    _, index = extract("--tail", "drop", "--opts", "clip.stride=30")
    assert index["n_extracted"] == 0
    assert any("60 frames, and a window takes 91" in failure["reason"] for failure in index["failures"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--feature", "pooled,stage9"], "feature 'stage9' is not known; this network has stem, stage1"),
        (["--feature", "pooled,pooled"], "must differ"),
        (["--format", "parquet", "--feature", "stage1", "--pool", "none"], "parquet holds vectors"),
        (["--opts", "test.frame_order=reversed"], "is for clips, not for sliding windows"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_read(extract, more, message, capsys):
    folder, _ = extract(*more, code=2)
    assert message in capsys.readouterr().err
    assert not folder.exists()
