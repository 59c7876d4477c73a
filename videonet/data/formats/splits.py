"""The official splits of UCF101 and HMDB51."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .folders import VideoFinder
from .listing import Listing, Reading
from .names import ClassIndex, read_class_names
from .text import ListError, content_lines, join, start_folder

_UCF = re.compile(r"(?P<path>(?P<folder>[^/\\]+)[/\\][^/\\]+?)(?:\s+(?P<label>\d{1,6}))?")
_HMDB = re.compile(r"(?P<file>.+?)\s+(?P<part>[012])")
_HMDB_SPLIT = re.compile(r"(?P<folder>.+)#(?P<part>train|test)(?P<split>[123])")


def read_ucf101(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """trainlist0N.txt, `Class/v_x.avi 1` with labels from 1, or testlist0N.txt, the same without labels.

    The class is the folder; a number must agree with it. Without `class_names`: classInd.txt beside the list, or else
    the sorted folders. A video may lie in `<root>/<class>` or in `<root>`, with any suffix or as a folder of frames.
    """
    beside = Path(path).parent / "classInd.txt"
    if class_names is None and beside.is_file():
        class_names = read_class_names(beside)
    start = start_folder(path, root)
    index = ClassIndex(class_names or ())
    finder = VideoFinder()
    reading = Reading(path, class_names, by_name=True)
    for number, text in content_lines(path):
        match = _UCF.fullmatch(text)
        if match is None:
            reading.wrong(number, f"{text!r} is not `Class/video.avi`, with or without a label")
            continue
        name, folder = match["path"].replace("\\", "/"), match["folder"]
        label = index.label(folder)
        if match["label"] and label is not None and int(match["label"]) != label + 1:
            reading.wrong(number, f"label {match['label']} of {name!r}; {folder!r} is class {label + 1}, from 1")
        stem = os.path.splitext(name.split("/")[1])[0]
        video = finder.find([os.path.join(start, folder), start], stem) or join(start, name)
        reading.add(number, name, video, (folder,))
    return reading.listing()


def read_hmdb51(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """`<folder>#train1`: the train part of split 1 of the `<class>_test_split1.txt` in the folder; `#test3` and so on.

    Lines are `video.avi 1`: 1 train, 2 test, 0 neither. A video may lie in `<root>/<class>` or in `<root>`, with any
    suffix or as a folder of frames; `root` is the folder itself where it is not given. Without `class_names`: those of
    the files, sorted.
    """
    match = _HMDB_SPLIT.fullmatch(os.fspath(path))
    if match is None:
        raise ListError(f"{path}: say which part of which split, as in <folder of the lists>#train1 or ...#test1")
    folder, ending = Path(match["folder"]), f"_test_split{match['split']}.txt"
    files = sorted(folder.glob(f"*{ending}"))
    if not files:
        raise ListError(f"{folder} holds no <class>{ending}")
    names = [file.name.removesuffix(ending) for file in files] if class_names is None else class_names
    start = str(folder) if root is None else root
    wanted = "1" if match["part"] == "train" else "2"
    finder = VideoFinder()
    reading = Reading(path, names, by_name=True)
    for file in files:
        label = file.name.removesuffix(ending)
        for number, text in content_lines(file):
            line = _HMDB.fullmatch(text)
            if line is None:
                reading.wrong(number, f"{text!r} of {file.name} is not `video.avi` and 0, 1 or 2")
            elif line["part"] == wanted:
                name = f"{label}/{line['file']}"
                stem = os.path.splitext(line["file"])[0]
                video = finder.find([os.path.join(start, label), start], stem) or join(start, name)
                reading.add(number, name, video, (label,))
    return reading.listing()
