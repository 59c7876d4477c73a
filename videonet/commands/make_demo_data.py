"""`videonet make-demo-data`: write the embedded default data."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("folder")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises OutputError."""
    import torch

    from videonet.data.synthetic import DemoDependencyError, DemoSpec, write_demo_videos
    from videonet.engine.files import OutputError
    from videonet.engine.log import track

    spec = DemoSpec()
    torch.set_num_threads(1)  # the pictures are too small to share between threads
    try:
        for _ in track(write_demo_videos(a.folder, spec), spec.videos, "make-demo-data", "videos"):
            pass
    except (ValueError, DemoDependencyError) as error:
        raise OutputError(str(error)) from None
    print(f"{spec.videos} videos in {a.folder}")
    return 0
