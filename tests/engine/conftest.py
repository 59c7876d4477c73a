"""Several ranks on one machine, without torchrun: processes that only differ in what their environment says."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def run_ranks():
    """run_ranks(code, *arguments): `code` on two ranks at once; [(exit code, stdout, stderr)] of each."""

    def run(code, *arguments, world=2, timeout=120):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        there = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "WORLD_SIZE": str(world),
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, *map(str, arguments)], text=True, cwd=ROOT,
                env={**there, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for rank in range(world)
        ]  # fmt: skip
        try:
            said = [process.communicate(timeout=timeout) for process in processes]
        finally:
            for process in processes:
                process.kill()
        return [(process.returncode, *words) for process, words in zip(processes, said, strict=True)]

    return run
