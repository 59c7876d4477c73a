"""`videonet verify-features`: are the files of a folder of features what its index says?"""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("folder", metavar="DIR", help="what videonet extract wrote")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """2 where anything is wrong. Raises OutputError."""
    import json
    from dataclasses import asdict

    from videonet.engine.features.reading import open_features
    from videonet.engine.features.verify import verify

    features = open_features(a.folder)
    problems = verify(features)
    videos = len(features.index["videos"])
    if a.json:
        print(json.dumps({"videos": videos, "problems": [asdict(problem) for problem in problems]}, indent=2))
    else:
        print("\n".join([*map(str, problems), _summary(videos, len({problem.id for problem in problems}))]))
    return 2 if problems else 0


def _summary(videos: int, bad: int) -> str:
    return f"{videos} videos, {bad} of them bad" if bad else f"{videos} videos, all as they were written"
