"""`videonet download`: fetch weights into the cache of torch hub."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("name", help="a known name such as resnet50, or a URL")
    parser.add_argument("--sha256", metavar="HEX", help="checksum of what a URL holds, at least its first 8 digits")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Print where the file lies and, for a known name, what takes it. Raises WeightsError."""
    from videonet.models import download as catalogue

    print(catalogue.download(a.name, a.sha256, progress=not a.quiet))
    if a.name in catalogue.KNOWN:
        print(f"for {catalogue.KNOWN[a.name].model}: videonet train model.weights={a.name} ...")
    return 0
