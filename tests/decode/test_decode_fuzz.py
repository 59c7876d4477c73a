"""Broken files by the hundred, and files by the thousand: the process survives both, and does not grow."""

import json
import resource
import subprocess
import sys
from pathlib import Path

from tests.decode.conftest import Videos
from tests.decode.make import Recipe
from videonet.decode import open_video


def test_broken_files_are_read_or_refused_and_nothing_dies() -> None:
    """Seeded damage of small files of seven kinds; `tools/fuzz_decode.py --count 2000` does more of the same."""
    tool = Path(__file__).parents[2] / "tools" / "fuzz_decode.py"
    done = subprocess.run([sys.executable, str(tool), "--count", "210"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert outcomes["bad"] == 0
    assert outcomes["read"] > 50
    assert sum(outcomes[kind] for kind in ("OpenError", "Undecodable") if kind in outcomes) > 10


def test_two_thousand_videos_leave_no_memory_behind(videos: Videos) -> None:
    path = videos(Recipe(".mp4", options={"g": "12", "bf": "2"}, numbers=range(12)))

    def read(times: int) -> None:
        for _ in range(times):
            with open_video(path) as video:
                video.at_index([1, 5])

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    read(50)
    before = resident()
    read(2000)
    assert resident() - before < 20e6
