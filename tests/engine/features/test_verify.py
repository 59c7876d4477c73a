"""A byte changed anywhere, or a file gone, is found."""

import json

import numpy as np
import pytest

from videonet.cli import main


def verify(folder, capsys):
    capsys.readouterr()
    code = main(["verify-features", "--quiet", str(folder), "--json"])
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert (code == 2) == bool(problems)
    return [(problem["id"], problem["reason"]) for problem in problems]


def edit(folder, change):
    index = json.loads((folder / "index.json").read_text())
    change(index["videos"][1])
    (folder / "index.json").write_text(json.dumps(index))


def test_bytes_rows_dtypes_and_files(extract, capsys):
    folder, index = extract()
    assert verify(folder, capsys) == []
    names = [row["file"] for row in index["videos"]]
    first, second, third = (folder / name for name in names)
    array = np.load(first)
    np.save(first, array.astype(np.float64))
    second.unlink()
    data = bytearray(third.read_bytes())
    data[-1] ^= 1
    third.write_bytes(data)
    said = dict(verify(folder, capsys))
    assert [name.removesuffix(".npy") for name in names] == list(said)
    assert "No such file" in said["one group.mp4"]
    assert said["vp9.webm"] == "other numbers than were written (checksum)"
    array[2] = np.nan
    np.save(first, array)
    assert ("groups.mp4", "not all numbers are finite") in verify(folder, capsys)
    np.save(first, array[:-1])
    assert any("shape [11, " in reason for _, reason in verify(folder, capsys))
    first.write_bytes(first.read_bytes()[:200])
    assert any("cannot be read" in reason for id, reason in verify(folder, capsys) if id == "groups.mp4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.update(frames=90, duration_seconds=3.0), "make 18"),
        (lambda row: row.update(duration_seconds=1.0), "times outside"),
        (lambda row: row["clip_seconds"].reverse(), "times that do not rise"),
        (lambda row: row["clip_seconds"].pop(), "12 rows in the index, with 11 times"),
    ],
)
def test_the_clock_of_a_video(extract, change, message, capsys):
    folder, _ = extract()
    edit(folder, change)
    assert any(message in reason for _, reason in verify(folder, capsys))


@pytest.mark.parametrize("name", ["hdf5", "parquet", "safetensors"])
def test_other_formats(extract, name, capsys):
    folder, index = extract("--format", name)
    path = folder / index["videos"][0]["file"]
    data = bytearray(path.read_bytes())
    start = data.find(np.float32(0).tobytes() * 2, len(data) // 3)  # inside of the features: after a ReLU many are 0
    data[start : start + 8] = b"\x01" * 8
    path.write_bytes(data)
    assert 1 <= len(verify(folder, capsys)) <= 3
    path.write_bytes(data[: len(data) // 2])
    bad = {id for id, _ in verify(folder, capsys)}
    assert bad == ({"groups.mp4"} if name == "safetensors" else {"groups.mp4", "one group.mp4", "vp9.webm"})


def test_an_unfinished_folder_is_said_to_be_one(tmp_path, capsys):
    (tmp_path / ".partial").mkdir()
    assert main(["verify-features", str(tmp_path)]) == 2
    assert "is not finished; go on with videonet extract --resume" in capsys.readouterr().err
