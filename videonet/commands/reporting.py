"""report.html of a test, made from the files that the test left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from videonet.engine.log import read_rows
from videonet.engine.results import Results
from videonet.report import TestReport, VideoResult, write_report


def write_test_report(folder: Path, run: Path) -> Path:
    """`folder` holds the results, `run` the train log. A probe of time is shown where it is of the same network and
    videos. Raises ResultsError.
    """
    results = Results.load(folder)
    rows_of_videos = zip(results.ids, results.paths, results.labels.tolist(), results.probabilities, strict=True)
    videos = [] if results.several else [VideoResult(*one) for one in rows_of_videos]
    rows = read_rows(run / "train.jsonl")
    report = TestReport(results.class_names, results.summary, rows, videos, _probe(folder, results.summary))
    return write_report(folder, report)


def _probe(folder: Path, summary: dict[str, Any]) -> dict[str, Any] | None:
    path = folder / "probe_time.json"
    if not path.exists():
        return None
    probe: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    same = all(probe.get(key) == summary[key] for key in ("checkpoint_sha256", "fingerprint"))
    return probe if same else None
