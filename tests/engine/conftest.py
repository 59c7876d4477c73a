"""Several ranks on one machine, without torchrun: forks of one process, so that PyTorch is imported once."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAUNCH = """
import json, os, signal, sys, traceback
import torch.distributed.fsdp, tests.engine.test_step, videonet.build
folder, world, code, *arguments = sys.argv[1:]
pids = {}
for rank in range(int(world)):
    pid = os.fork()
    if not pid:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{rank}.{name}", os.O_WRONLY | os.O_CREAT), number)
        sys.argv = ["-c", *arguments]
        status = 1
        try:
            exec(code, {"__name__": "__main__"})
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    pids[pid] = rank
codes = [None] * len(pids)
while None in codes:
    pid, status = os.wait()
    codes[pids.pop(pid)] = os.waitstatus_to_exitcode(status)
    if status:
        for other in pids:
            os.kill(other, signal.SIGKILL)
print(json.dumps(codes))
"""


@pytest.fixture
def run_ranks(tmp_path_factory):
    """run_ranks(code, *arguments): `code` on several ranks at once; [(exit code, stdout and stderr)] of each. Where one
    fails, the others are killed.
    """

    def run(code, *arguments, world=2, timeout=120):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        folder = tmp_path_factory.mktemp("ranks")
        there = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "WORLD_SIZE": str(world),
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", LAUNCH, str(folder), str(world), code, *map(str, arguments)],
            capture_output=True, text=True, cwd=ROOT, env=there, timeout=timeout,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = ["".join((folder / f"{rank}.{name}").read_text() for name in ("out", "err")) for rank in range(world)]
        return list(zip(json.loads(done.stdout), said, strict=True))

    return run
