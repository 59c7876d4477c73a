"""Train a network: `python tools/train_net.py --cfg configs/demo/iresnet3d.yaml [KEY=VALUE ...]`."""

import sys

from videonet.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
