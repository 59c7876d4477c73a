"""What the loader's tests read, and decoders that crash, hang or have a bug on files of certain names."""

import os
import signal
import time
from pathlib import Path

from videonet.data.preprocessing import Preprocessing
from videonet.data.views import TestViews, TrainViews
from videonet.decode import VideoReader, open_video

PREPROCESSING = Preprocessing("dense", 4, 2, None, 32, 36, "crop", "rgb", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
TRAIN = TrainViews(PREPROCESSING, "resized", (0.4, 1.0), (0.75, 4 / 3), (36, 40), 0.5)
TEST = TestViews(PREPROCESSING, clips=2, crops=3)


class PickyError(Exception):
    """An exception that cannot be unpickled: it wants two arguments."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def faulty_open(path: str) -> VideoReader:
    """`open_video`, but for names that begin with what is to go wrong."""
    match Path(path).name.partition("_")[0]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "bug":
            raise ZeroDivisionError("a bug")
        case "picky":
            raise PickyError("a", "b")
    return open_video(path)


def dead_on_arrival(path: str) -> VideoReader:
    """Every video kills."""
    os._exit(1)
