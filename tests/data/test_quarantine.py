import json
import multiprocessing

from videonet.data.dataset import Failure
from videonet.data.quarantine import Quarantine


def failure(name, reason="why"):
    return Failure(name, f"/videos/{name}", reason)


def test_each_path_is_written_once_and_seen_by_others(tmp_path):
    path = tmp_path / "runs" / "quarantine.jsonl"
    mine, theirs = Quarantine(path), Quarantine(path)
    assert mine.reasons() == {}
    mine.add(failure("a"))
    mine.add(failure("a", "another reason"))
    theirs.add(failure("a", "a third"))
    theirs.add(failure("b"))
    assert mine.reasons() == {"/videos/a": "why", "/videos/b": "why"}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["id"], row["path"], row["reason"]) for row in rows] == [
        ("a", "/videos/a", "why"), ("b", "/videos/b", "why"),
    ]  # fmt: skip
    assert rows[0]["when"].endswith("+00:00")


def add_many(path, names):
    quarantine = Quarantine(path)
    for name in names:
        quarantine.add(failure(name, "x" * 300))


def test_two_processes_lose_no_line(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    fork = multiprocessing.get_context("fork")
    names = [[f"{letter}{i}" for i in range(200)] for letter in "ab"]
    writers = [fork.Process(target=add_many, args=(path, some)) for some in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(path.read_text().splitlines()) == 400
    assert set(Quarantine(path).reasons()) == {f"/videos/{name}" for some in names for name in some}


def test_half_a_line_and_foreign_lines_are_passed_over(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    path.write_bytes(b'[1]\n\xff\xfe\n{"path": "/videos/a", "reason": "why"}\n{"path": "/vid')
    quarantine = Quarantine(path)
    assert quarantine.reasons() == {"/videos/a": "why"}
    quarantine.add(failure("b"))
    assert Quarantine(path).reasons() == quarantine.reasons() == {"/videos/a": "why", "/videos/b": "why"}


def test_a_deleted_file_is_begun_anew(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    quarantine = Quarantine(path)
    quarantine.add(failure("a"))
    path.unlink()
    assert quarantine.reasons() == {}
    quarantine.add(failure("a"))
    assert Quarantine(path).reasons() == {"/videos/a": "why"}
