"""Parameters and operations: `python tools/model_info.py iresnet3d50 --num-classes 400`."""

import sys

from videonet.cli import main

if __name__ == "__main__":
    sys.exit(main(["info", *sys.argv[1:]]))
