"""Multi-view test: `python tools/test_net.py --cfg C --checkpoint runs/x/checkpoints/last.pt`."""

import sys

from videonet.cli import main

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
