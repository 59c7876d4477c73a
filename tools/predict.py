"""What is in a video: `python tools/predict.py VIDEO --checkpoint P --topk 5 --json`."""

import sys

from videonet.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
