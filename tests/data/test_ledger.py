"""Files of rows: what they refuse, what a kill leaves, and when a row still holds."""

import json
import os
from pathlib import Path

import pytest

from videonet.data.ledger import Ledger, LedgerError, stamp
from videonet.data.lists import VideoItem
from videonet.data.manifest import FORM, Row
from videonet.engine.files import write_text


def row(name: str, **values: object) -> Row:
    return Row(**{"id": name, "path": f"/v/{name}", "size_bytes": 9, "mtime_ns": 1, "ok": True, "reason": ""} | values)


def lines_of(*rows: Row) -> list[str]:
    return FORM.text(rows).splitlines()


def test_rows_come_back_and_their_order_does_not_matter(tmp_path: Path) -> None:
    rows = [row("b", frames=3, fps=29.97), row("a\udcff \u2028", ok=False, reason="line\nbreak")]
    assert FORM.text(rows) == FORM.text(rows[::-1])
    write_text(tmp_path / "m", FORM.text(rows))
    assert FORM.load(tmp_path / "m") == sorted(rows, key=lambda row: row.id)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: Expecting property name"),
        ("[]", "line 2: not an object"),
        (lines_of(row("x"))[1].replace('"frames"', '"frame"'), "line 2: missing or unknown fields: 'frame', 'frames'"),
        (lines_of(row("x"))[1].replace('"frames": 0', '"frames": 1.5'), "line 2: frames is 1.5, not int"),
        (lines_of(row("x"))[1].replace('"frames": 0', '"frames": true'), "line 2: frames is True, not int"),
        (lines_of(row("a"))[1], "line 3: 'a' has a row already"),
    ],
)
def test_bad_lines_are_named(line: str, message: str, tmp_path: Path) -> None:
    header, good = lines_of(row("a"))
    (tmp_path / "m").write_text("\n".join([header, line, good]) + "\n")
    with pytest.raises(LedgerError, match="has 1 bad line:") as caught:
        FORM.load(tmp_path / "m")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 0\n", "is no videonet manifest"),
        (json.dumps({"format": "videonet check", "version": 1}), "is no videonet manifest"),
        (json.dumps({"format": "videonet manifest", "version": 2}), "version=2, not 1"),
        (None, "cannot be read"),
    ],
)
def test_other_files_are_refused(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "m").write_text(text)
    with pytest.raises(LedgerError, match=message):
        FORM.load(tmp_path / "m")


@pytest.mark.parametrize("cut", [0, 10, -5])
def test_what_a_kill_leaves_is_used_up_to_its_last_whole_line(cut: int, tmp_path: Path) -> None:
    ledger = Ledger(FORM, tmp_path / "m")
    for name in "ab":
        ledger.add(row(name))
    part = tmp_path / "m.part"  # a killed process closes nothing
    part.write_bytes(part.read_bytes()[: cut or None])
    with Ledger(FORM, tmp_path / "m") as again:
        assert list(again.rows) == {0: ["a", "b"], 10: [], -5: ["a"]}[cut]
        again.add(row("c"))
        again.add(row("b"))
        again.save([VideoItem(name, "", -1) for name in "bc"], write_text)
    assert [row.id for row in FORM.load(tmp_path / "m")] == ["b", "c"]
    assert os.listdir(tmp_path) == ["m"]


def test_a_row_holds_until_its_file_changes(tmp_path: Path) -> None:
    items = [VideoItem(name, str(tmp_path / name), -1) for name in ("a", "b", "gone")]
    for item in items[:2]:
        Path(item.path).write_text("1")
    with Ledger(FORM, tmp_path / "m") as ledger:
        for item in items:
            size_bytes, mtime_ns = stamp(item.path)
            ledger.rows[item.id] = row(item.id, size_bytes=size_bytes, mtime_ns=mtime_ns)
        assert [item.id for item in ledger.new(items)] == ["gone"]
        assert ledger.rows["a"].path == items[0].path
        os.utime(items[1].path, ns=(5, 5))
        assert [item.id for item in ledger.new(items)] == ["b", "gone"]
        assert [item.id for item in ledger.new(items, lambda row: row.id != "a")] == ["a", "b", "gone"]


def test_stamps_of_folders_and_packed_files(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "frames" / name).write_bytes(b"12345")
    before = stamp(str(tmp_path / "frames"))
    assert before[0] == 10
    os.utime(tmp_path / "frames" / "1.jpg", ns=(2**62, 2**62))
    assert stamp(str(tmp_path / "frames")) == (10, 2**62)
    assert stamp(f"{tmp_path}/frames/2.jpg#17")[0] == 5
    assert stamp(str(tmp_path / "none")) == (0, 0)


def test_stamps_of_urls() -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://ledger/a.mp4", "wb") as file:
        file.write(b"1234567")
    assert stamp("memory://ledger/a.mp4") == (7, 0)
    assert stamp("memory://ledger/none.mp4") == (0, 0)
