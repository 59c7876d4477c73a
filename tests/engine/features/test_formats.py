"""Every format holds the same numbers, and is the same bytes when made again."""

import json

import numpy as np
import pytest

from tests.engine.features.conftest import contents
from videonet.engine.features import formats
from videonet.engine.features.reading import open_features
from videonet.engine.features.verify import verify
from videonet.engine.files import OutputError

ONE_FILE = {"hdf5": "features.h5", "parquet": "features.parquet"}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("npy", "fp16"), ("safetensors", "fp16"), ("hdf5", "fp32"), ("parquet", "fp32"), ("parquet", "fp16")],
)
def test_formats_hold_the_same_numbers(extract, name, dtype):
    more = ["--feature", "pooled,stage2", "--dtype", dtype]
    plain, _ = extract(*more, out="plain")
    folder, index = extract(*more, "--format", name, out=name)
    again, _ = extract(*more, "--format", name, out="again")
    assert contents(folder) == contents(again)
    assert not list(folder.glob(".*"))
    read, expected = open_features(folder).read, open_features(plain).read
    for position, row in enumerate(index["videos"]):
        for feature in ("pooled", "stage2"):
            assert np.array_equal(read(position, feature), expected(position, feature))
            assert list(read(position, feature).shape) == row["shape"][feature]
    assert verify(open_features(folder)) == []


@pytest.mark.parametrize("name", ["hdf5", "safetensors"])
def test_maps_in_other_formats(extract, name):
    more = ["--feature", "stage3", "--pool", "none"]
    (plain, _), (folder, index) = extract(*more, out="plain"), extract(*more, "--format", name)
    for position in range(len(index["videos"])):
        found, expected = (open_features(one).read(position, "stage3") for one in (folder, plain))
        assert found.ndim == 5
        assert np.array_equal(found, expected)


def test_other_libraries_read_the_files(extract):
    import h5py
    import pyarrow.parquet
    from safetensors.numpy import load_file

    plain, index = extract(out="plain")
    row = next(row for row in index["videos"] if row["id"] == "vp9.webm")
    vectors, times = np.load(plain / "vp9.webm.npy"), np.array(row["clip_seconds"])
    tensors = load_file(extract("--format", "safetensors", out="s")[0] / "vp9.webm.safetensors")
    with h5py.File(extract("--format", "hdf5", out="h")[0] / "features.h5") as file:
        groups = {key: file["vp9.webm"][key][()] for key in ("pooled", "seconds")}
    for found in (tensors, groups):
        assert np.array_equal(found["pooled"], vectors)
        assert np.array_equal(found["seconds"], times)
    table = pyarrow.parquet.read_table(extract("--format", "parquet", out="p")[0] / "features.parquet").to_pylist()
    windows = [line for line in table if line["id"] == "vp9.webm"]
    assert np.array_equal(np.array([line["pooled"] for line in windows], np.float32), vectors)
    assert [[line["start_seconds"], line["stop_seconds"]] for line in windows] == row["clip_seconds"]


def test_row_groups_that_videos_share_or_fill(extract, monkeypatch):
    from videonet.engine.features import single_file

    plain, index = extract(out="plain")
    row_bytes = 4 * index["videos"][0]["shape"][1]
    monkeypatch.setattr(single_file, "_BLOCK_BYTES", 5 * row_bytes)  # less than a video
    folder, _ = extract("--format", "parquet")
    read, expected = open_features(folder).read, open_features(plain).read
    for position in (2, 0, 1):
        assert np.array_equal(read(position, "pooled"), expected(position, "pooled"))


def test_a_missing_library_is_said_at_once(extract, monkeypatch, capsys):
    def missing(module):
        raise ImportError(f"No module named {module!r}")

    monkeypatch.setattr(formats, "import_module", missing)
    folder, _ = extract("--format", "parquet", code=2)
    assert "this format needs pyarrow: pip install 'videonet[features]'" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a b/c.mp4", "a b/c.mp4"),
        ("/data/x.mp4", None),
        ("../x.mp4", None),
        (".partial/x.mp4", None),
        ("x" * 300, None),
    ],
)
def test_ids_that_would_leave_the_folder_are_hashed(name, stem):
    found = formats.file_stem(name)
    assert found == stem or (stem is None and len(found) == 16)


def test_actionformer_reads_the_layout(extract, videos):
    folder, index = extract("--layout", "actionformer")
    about = json.loads((folder / "actionformer.json").read_text())
    assert (about["feat_stride"], about["num_frames"], about["input_dim"]) == (5, 7, index["videos"][0]["shape"][1])
    assert set(about["database"]) == {"groups", "one group", "vp9"}
    for row in index["videos"]:
        key = row["id"].partition(".")[0]
        video = about["database"][key]
        features = np.load(folder / "features" / f"{key}.npy")  # its code: feat_folder / (key + file_ext)
        assert features.ndim == 2
        # its clock: row = (seconds * fps - num_frames / 2) / feat_stride; that of the middle of each window
        middles = np.mean(row["clip_seconds"], axis=1)[:-1]
        rows = (middles * video["fps"] - 0.5 * about["num_frames"]) / about["feat_stride"]
        np.testing.assert_allclose(rows, np.arange(len(rows)), atol=0.01)
        assert video["duration"] == row["duration_seconds"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--feature", "pooled,stage1"], "holds one feature"),
        (["--feature", "stage1", "--pool", "space"], "is for pooled features"),
        (["--format", "hdf5"], "is for pooled features"),
    ],
)
def test_what_actionformer_cannot_read_is_refused(extract, more, message, capsys):
    extract("--layout", "actionformer", *more, code=2)
    assert message in capsys.readouterr().err


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(OutputError, match="no folder of features"):
        open_features(tmp_path)
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(OutputError, match="no index of features"):
        open_features(tmp_path)
