"""Clip features: `python tools/extract_features.py --checkpoint P --videos DIR --out features`."""

import sys

from videonet.cli import main

if __name__ == "__main__":
    sys.exit(main(["extract", *sys.argv[1:]]))
