"""`videonet info`: parameters and operations of networks, layer by layer if asked, and the paper's tables."""

from __future__ import annotations

import argparse

from videonet.commands.options import clip_size, positive


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("name", nargs="*", help="network names or patterns such as 'iresnet3d*'; none: list all")
    parser.add_argument("--table", metavar="II", help="a table of the paper, I to VIII: its cells beside ours")
    parser.add_argument("--num-classes", type=positive)
    parser.add_argument(
        "--input", type=clip_size, metavar="TxHxW", help="frames and size, also TxS (default: the paper's)"
    )
    parser.add_argument("--layers", action="store_true", help="every layer")
    parser.add_argument("--batch", type=positive, help="estimate the memory of training with this many clips a step")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), help="of the estimate (default fp32)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError."""
    from videonet.commands.cost_tables import show

    show(
        a.name, num_classes=a.num_classes, size=a.input, batch=a.batch, precision=a.precision,
        with_layers=a.layers, table=a.table, as_json=a.json,
    )  # fmt: skip
    return 0
