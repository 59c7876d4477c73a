"""`videonet doctor`: is this machine fit? Versions, GPUs, decoders, known faults, a short self-test."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videonet.engine.doctor import Finding


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-self-test", action="store_true", help="leave out the two training steps")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """1 where something is broken."""
    import json
    from dataclasses import asdict

    from videonet.engine.doctor import examine

    findings: list[Finding] = []
    for finding in examine(self_test=not a.no_self_test):
        findings.append(finding)
        if not a.json:
            print(f"{finding.state:<5} {finding.what:<14} {finding.text}", flush=True)
    if a.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    return 1 if any(finding.state == "BAD" for finding in findings) else 0
