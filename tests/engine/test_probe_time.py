import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine.test_evaluate import HERE, Subject
from videonet import build
from videonet.cli import main
from videonet.data import clips
from videonet.data.dataset import VideoDataset
from videonet.data.preprocessing import Preprocessing
from videonet.data.views import TestViews
from videonet.decode.reader import Opener
from videonet.engine.probe_time import ORDERS, probe, summarise_probe


@pytest.fixture(scope="module")
def tested(trained):
    return Subject(trained, every=5)


def probed(subject, preprocessing):
    test = replace(subject.config.test, clips=2, crops=3)
    views = build.build_test_views(preprocessing, test)
    loader = build.build_test_loader(subject.items, preprocessing, test, subject.config, HERE, views)
    return probe(subject.model, loader, views.table.places, subject.config.seed, preprocessing, HERE)


def test_each_order_is_the_test_of_that_order_in_one_decode(tested, monkeypatch):
    opened = []
    plain = Opener.__call__

    def opening(self, source):
        opened.append(str(source))
        return plain(self, source)

    with monkeypatch.context() as patch:
        patch.setattr(Opener, "__call__", opening)
        found = probed(tested, tested.preprocessing)
    assert sorted(opened) == sorted(item.path for item in tested.items)
    assert tuple(found) == ORDERS
    for order in ("normal", "shuffled", "frozen"):
        alone, _ = tested.run(2, 3, order=order)
        np.testing.assert_allclose(found[order].view_logits, alone.view_logits, atol=1e-5)
    assert np.abs(found["reversed"].view_logits - found["normal"].view_logits).max() > 1e-3


def test_one_frame_has_no_order(tested):
    """Exactly: the same bits."""
    one = replace(tested.preprocessing, frames=1)
    found = probed(tested, one)
    for order in ORDERS:
        assert (found[order].view_logits == found["normal"].view_logits).all()
    summary = summarise_probe(found, tested.names, 20, 0)
    assert {one["agreement"] for one in summary["orders"].values()} == {1.0}
    assert {one["lost"] for one in summary["orders"].values()} == {0.0}


def test_a_frozen_clip_is_its_middle_frame(tested):
    views = TestViews(Preprocessing.from_dict(tested.preprocessing.to_dict()), 2, 1, "frozen")
    frozen = VideoDataset(tested.items, views, open_video=Opener())[0, 0].views
    normal = VideoDataset(tested.items, replace(views, order="normal"), open_video=Opener())[0, 0].views
    assert torch.equal(frozen, normal[:, :, [2, 2, 2, 2]])


def test_orders_are_drawn_for_each_clip_of_each_video():
    places = clips.dense_places(3)
    rows = clips.frame_order("shuffled", places, 16, np.random.default_rng((0, 0, 5)))
    assert (np.sort(rows, axis=1) == np.arange(16)).all()
    assert len({tuple(row) for row in rows.tolist()}) == 3
    assert (rows == clips.frame_order("shuffled", places, 16, np.random.default_rng((0, 0, 5)))).all()
    assert (rows != clips.frame_order("shuffled", places, 16, np.random.default_rng((0, 0, 6)))).any()


def test_the_command_leaves_table_json_and_picture(trained, tmp_path, capsys):
    checkpoint = str(trained / "checkpoints" / "last.pt")
    assert main(["probe-time", "--quiet", "--checkpoint", checkpoint, "--out", str(tmp_path), "test.bootstrap=50"]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "probe_time.json").read_text())
    assert list(found["orders"]) == list(ORDERS)
    assert f"{100 * found['orders']['shuffled']['top1']:.1f}" in said
    assert "same prediction" in said
    assert (tmp_path / "figures" / "probe_time.png").read_bytes().startswith(b"\x89PNG")
    assert (found["n_listed"], found["chance"]) == (20, 0.1)
    tested = json.loads((trained / "results.json").read_text())
    assert found["orders"]["normal"]["top1"] == tested["top1"]
    assert found["checkpoint_sha256"] == tested["checkpoint_sha256"]
