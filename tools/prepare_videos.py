"""Copies that read faster in training: `python tools/prepare_videos.py LIST --out DIR`."""

import sys

from videonet.cli import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
