"""Jobs and ways to open a video for worker processes: they import these by name."""

import os
import signal
import time

from videonet.decode import VideoReader, open_video


def job(word: str) -> str:
    """Does what the word says."""
    match word:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "raise":
            raise MemoryError("no room")
    return word.upper()


def open_or_die(path: str) -> VideoReader:
    """As `open_video`, but a path with "killer" or "sleeper" in its name ends or stops the process."""
    job("die" if "killer" in path else "hang" if "sleeper" in path else "")
    return open_video(path)
