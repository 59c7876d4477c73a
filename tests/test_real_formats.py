"""Real clips in the official layouts train and test; lists with faults are met before the first step."""

import json
import shutil

import pytest

from videonet.cli import main

TINY = [
    "model.width=8", "model.blocks=[1,1,1,1]", "clip.frames=4", "clip.stride=4", "clip.crop=32", "clip.short_side=36",
    "data.workers=0", "train.batch_size=24", "train.epochs=1", "optim.lr=0.01", "test.clips=2", "test.crops=3",
    "device=cpu",
]  # fmt: skip


def official(data, name):
    if name == "kinetics":
        folder = data / "k400_format_real"
        lists = [folder / "annotations" / f"{split}.csv" for split in ("train", "val")]
        return [folder, *lists, folder / "annotations" / "classids.json"]
    labels = data / "ssv2_format_real" / "labels"
    lists = [labels / f"something-something-v2-{split}.json" for split in ("train", "validation")]
    return [
        data / "ssv2_format_real" / "20bn-something-something-v2",
        *lists,
        labels / "something-something-v2-labels.json",
    ]


@pytest.mark.parametrize(("name", "videos"), [("kinetics", 25), ("ssv2", 20)])
def test_official_layouts_train_and_test(name, videos, real_data, tmp_path):
    root, train, val, classes = official(real_data, name)
    if not train.is_file():
        pytest.skip(f"no {train}")
    words = [f"data.source={name}", f"data.root={root}", f"data.train={train}", f"data.val={val}",
             f"data.classes={classes}", f"output_dir={tmp_path}"]  # fmt: skip
    assert main(["train", "--quiet", *TINY, *words]) == 0
    assert main(["test", "--quiet", "--checkpoint", str(tmp_path / "checkpoints" / "last.pt")]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["n_listed"], results["n_decoded"], results["n_failed"]) == (videos, videos, 0)
    assert results["top1"] is not None


@pytest.fixture
def listed(demo_data, tmp_path):
    """A list of 20 videos of two classes, and the folder they lie in."""
    folder = tmp_path / "videos"
    shutil.copytree(demo_data / "train", folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.mp4"))
    (tmp_path / "list.txt").write_text("".join(f"{name} {place % 2}\n" for place, name in enumerate(names)))
    words = [*TINY, "data.source=list", f"data.train={tmp_path / 'list.txt'}", f"data.root={folder}",
             "train.batch_size=8", f"output_dir={tmp_path / 'run'}"]  # fmt: skip
    return words, folder, names


def test_missing_files_count_as_unreadable_and_are_limited(listed, tmp_path, capsys):
    words, folder, names = listed
    (folder / names[0]).unlink()
    assert main(["train", *words]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [names[0]]
    assert names[0] in capsys.readouterr().err
    for name in names[1:4]:
        (folder / name).unlink()
    assert main(["train", *words, f"output_dir={tmp_path / 'other'}"]) == 2
    assert "4 of 20" in capsys.readouterr().err


def test_a_manifest_tells_what_is_broken_before_it_is_opened(listed, tmp_path, monkeypatch):
    words, folder, names = listed
    (folder / names[5]).write_text("no video")
    manifest = tmp_path / "manifest.jsonl"
    assert main(["index", "--quiet", str(tmp_path / "list.txt"), "--root", str(folder), "--out", str(manifest)]) == 0
    opened = []
    from videonet.decode import reader

    def note(source, limits, pixels):
        opened.append(str(source))
        return plain(source, limits, pixels)

    plain = reader.BACKENDS["pyav"]
    monkeypatch.setitem(reader.BACKENDS, "pyav", note)
    assert main(["train", "--quiet", *words, f"data.manifest={manifest}"]) == 0
    assert len(set(opened)) > 10
    assert str(folder / names[5]) not in opened
    (row,) = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert row["id"] == names[5]


def test_the_same_video_in_train_and_val_is_a_warning(listed, tmp_path, capsys):
    words, _, names = listed
    (tmp_path / "val.txt").write_text(f"{names[0]} 0\n{names[1]} 1\n")
    assert main(["train", *words, f"data.val={tmp_path / 'val.txt'}"]) == 0
    said = capsys.readouterr().err
    assert names[0] in said
    assert "val" in said


def test_a_backend_that_is_not_there_is_named(listed, capsys):
    words, _, _ = listed
    assert main(["train", "--quiet", *words, "data.backend=pyaw"]) == 2
    assert "did you mean 'pyav'" in capsys.readouterr().err


def test_videos_without_labels_are_for_predict(listed, trained, tmp_path, capsys):
    _, folder, names = listed
    (tmp_path / "ids.json").write_text(json.dumps([{"id": name} for name in names]))
    words = ["test", "--quiet", "--checkpoint", str(trained / "checkpoints" / "last.pt"), "--out", str(tmp_path)]
    assert main([*words, "data.source=ssv2", f"data.test={tmp_path / 'ids.json'}", f"data.root={folder}"]) == 2
    assert "have no label" in capsys.readouterr().err
