"""Flags that several sub-commands share, and the types of their values."""

from __future__ import annotations

import argparse


def add_opts(parser: argparse.ArgumentParser) -> None:
    """--opts KEY VALUE ... or KEY=VALUE ...: settings."""
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="settings, also as KEY=VALUE")


def add_config(parser: argparse.ArgumentParser) -> None:
    """--cfg, --print-config, --opts, and bare KEY=VALUE words."""
    add_opts(parser)
    parser.add_argument("--cfg", metavar="YAML", help="differences from the defaults (videonet/config/schema/)")
    parser.add_argument("--print-config", action="store_true", help="show every setting and its origin, then stop")
    parser.usage = f"{parser.prog} [--cfg YAML] [options] [KEY=VALUE ...]"


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


def clip_size(text: str) -> tuple[int, int, int]:
    """(T, H, W) from "TxHxW" or "TxS"."""
    try:
        frames, height, *width = (positive(part) for part in text.split("x"))
        (last,) = width or [height]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not TxHxW, such as 16x224x224, nor TxS") from error
    return frames, height, last
