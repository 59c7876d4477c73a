"""The manifest: facts of good and broken files, fingerprints, and `videonet index`."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from tests.data.jobs import open_or_die
from tests.decode.make import FRAMES, Recipe, encode
from videonet.cli import main
from videonet.data.ledger import LedgerError
from videonet.data.lists import VideoItem, named_videos
from videonet.data.manifest import Manifest, Row, fingerprint_of, scan, scan_one, summary
from videonet.decode import open_video


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.mp4 (turned by 90 degrees, GOP 24), short.mp4 (cut), text.mp4 (no video)."""
    folder = tmp_path_factory.mktemp("made")
    options = {"g": "24", "keyint_min": "24", "sc_threshold": "0"}
    encode(Recipe(".mp4", rotation=90, options=options), folder / "good.mp4")
    whole = encode(Recipe(".mp4", options=options, container={"movflags": "faststart"}), folder / "whole.mp4")
    (folder / "short.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    whole.unlink()
    (folder / "text.mp4").write_text("no video\n")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "videos"))


def index(folder: Path, *flags: str) -> tuple[Manifest, str]:
    """The manifest that `videonet index` makes, and its text."""
    out = folder.parent / "m.jsonl"
    assert main(["index", str(folder), "--out", str(out), "--quiet", "--workers", "1", *flags]) == 0
    return Manifest.load(out), out.read_text()


def test_the_facts_of_a_video(made: Path) -> None:
    row = scan_one(VideoItem("a/good.mp4", str(made / "good.mp4"), 3), open_video)
    size = (made / "good.mp4").stat()
    assert row == Row(
        "a/good.mp4", str(made / "good.mp4"), size.st_size, size.st_mtime_ns, True, "", frames=FRAMES,
        first_pts_seconds=0.0, last_pts_seconds=1.966667, duration_seconds=2.0, fps=30.0, width=96, height=224,
        codec="h264", keyframes=3, rotation=90, missing=0,
    )  # fmt: skip


def test_index_writes_sorted_rows_and_says_what_is_broken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, _ = index(folder)
    assert [(row.id, row.ok) for row in manifest.rows] == [("good.mp4", True), ("short.mp4", True), ("text.mp4", False)]
    assert manifest.broken() == {str(folder / "text.mp4"): manifest.rows[2].reason}
    moved = VideoItem("text.mp4", "/elsewhere/text.mp4", 0)
    assert list(manifest.broken([moved])) == ["/elsewhere/text.mp4"]
    said = capsys.readouterr().out
    assert "3 videos: 2 ok, 1 broken\n  1 x not a readable video" in said
    assert f"cut short: 1 of the files; {manifest.rows[1].missing} frames are missing" in said
    assert manifest.fingerprint() in said


def test_only_new_and_changed_files_are_looked_at_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = index(folder)
    seen: list[str] = []

    def note(items, opener, workers, timeout_seconds):
        for item in items:
            seen.append(item.id)
            yield scan_one(item, opener)

    monkeypatch.setattr("videonet.data.manifest.scan", note)
    assert index(folder)[1] == first
    assert seen == []
    os.utime(folder / "good.mp4")
    shutil.copy(folder / "good.mp4", folder / "new.mp4")
    assert len(index(folder)[0].rows) == 4
    assert seen == ["good.mp4", "new.mp4"]
    index(folder, "--retry-failed")
    assert seen[2:] == ["text.mp4"]
    (folder / "new.mp4").unlink()
    assert len(index(folder)[0].rows) == 3


def test_a_file_that_kills_or_hangs_its_process_is_a_broken_file(folder: Path) -> None:
    for name in ("killer.mp4", "sleeper.mp4"):
        shutil.copy(folder / "good.mp4", folder / name)
    rows = {row.id: row for row in scan(named_videos([str(folder)]), open_or_die, workers=2, timeout_seconds=2.5)}
    assert {name for name, row in rows.items() if row.ok} == {"good.mp4", "short.mp4"}
    assert rows["killer.mp4"].reason == "the process reading it was killed by SIGKILL"
    assert rows["sleeper.mp4"].reason == "took longer than 2.5 s"
    assert rows["killer.mp4"].size_bytes == (folder / "killer.mp4").stat().st_size


def test_the_fingerprint_is_of_ids_sizes_and_frames() -> None:
    rows = tuple(Row(name, f"/a/{name}", 10, 1, True, "", frames=5) for name in "xyz")
    manifest = Manifest(rows)
    moved = [dataclasses.replace(row, path="/b", mtime_ns=2) for row in reversed(rows)]
    assert Manifest(tuple(moved)).fingerprint() == manifest.fingerprint()
    for change in ({"id": "w"}, {"size_bytes": 11}, {"frames": 6}):
        changed = Manifest((dataclasses.replace(rows[0], **change), *rows[1:]))
        assert changed.fingerprint() != manifest.fingerprint()
    items = [VideoItem(name, "", 0) for name in "zy"]
    assert manifest.fingerprint(items) == Manifest(rows[1:]).fingerprint()
    with pytest.raises(LedgerError, match="lacks 1 videos"):
        manifest.fingerprint([VideoItem("q", "", 0)])


def test_the_fingerprint_without_a_manifest_is_of_ids_and_sizes(folder: Path) -> None:
    items = named_videos([str(folder)])
    before = fingerprint_of(items)
    moved = folder.rename(folder.parent / "moved")
    assert fingerprint_of(named_videos([str(moved)])) == before
    (moved / "text.mp4").write_text("another\n")
    assert fingerprint_of(named_videos([str(moved)])) != before


def test_long_groups_of_pictures_call_for_prepare() -> None:
    row = Row(
        "a", "/a", 1, 1, True, "", frames=300, fps=30.0, duration_seconds=10.0, width=340, height=256, keyframes=2
    )
    assert "keyframes are 150 frames apart" in summary([row])
    assert "prepare" not in summary([dataclasses.replace(row, keyframes=20)])


def test_lists_are_read_below_root_and_ids_must_differ(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = [folder.parent / name for name in ("train.txt", "val.txt")]
    lists[0].write_text("good.mp4 0\n")
    lists[1].write_text("short.mp4\n")  # without a label
    out = folder.parent / "m.jsonl"
    flags = ["--root", str(folder), "--out", str(out), "--quiet"]
    assert main(["index", *map(str, lists), *flags]) == 0
    assert [row.id for row in Manifest.load(out).rows] == ["good.mp4", "short.mp4"]
    assert main(["index", str(lists[0]), "--out", str(lists[1]), "--quiet"]) == 2
    assert "val.txt is no videonet manifest" in capsys.readouterr().err
    assert lists[1].read_text() == "short.mp4\n"
