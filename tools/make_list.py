"""Write train, val and test lists for a folder of class folders, split by group.

    python tools/make_list.py videos --out lists --group '_g(\\d+)_' --val 0.1 --test 0.2

writes lists/train.txt, val.txt, test.txt (`path label` a line) and classes.txt, and prints the settings that use them.
--group is a regular expression on the path: clips for which it finds the same never fall into two splits.
"""

import argparse
import shlex
import sys
from pathlib import Path

from videonet.data.formats.folders import read_folder
from videonet.data.formats.text import ListError
from videonet.data.make_list import count_table, group_items, list_text, split_by_group
from videonet.engine.files import write_text


def main(arguments: list[str] | None = None) -> int:
    """0: the lists are written. 2: the input is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of class folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the lists")
    parser.add_argument("--group", help="regular expression: what it finds in a path is the group (default: the path)")
    parser.add_argument("--val", type=float, default=0.2, help="share of each class; 0: no val.txt")
    parser.add_argument("--test", type=float, default=0.0, help="share of each class; 0: no test.txt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="overwrite lists that are there")
    given = parser.parse_args(arguments)
    try:
        make_lists(given.folder, given.out, given.group, given.val, given.test, given.seed, given.force)
    except (ListError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def make_lists(folder: Path, out: Path, group: str | None, val: float, test: float, seed: int, force: bool) -> None:
    """Write the lists and print what they hold. Raises ListError."""
    listing = read_folder(folder)
    shares = {name: share for name, share in (("val", val), ("test", test)) if share}
    splits = split_by_group(group_items(listing.items, group), shares, seed)
    texts = {f"{split}.txt": list_text(items) for split, items in splits.items()}
    texts["classes.txt"] = "".join(f"{name}\n" for name in listing.class_names)
    there = [name for name in texts if (out / name).exists()]
    if there and not force:
        raise ListError(f"{out} holds {', '.join(there)} already; name another folder, or overwrite with --force")
    for name, text in texts.items():
        write_text(out / name, text)
    print(count_table(listing, splits))
    settings = ["data.source=list", f"data.root={folder}", f"data.classes={out / 'classes.txt'}"]
    print(shlex.join(settings + [f"data.{split}={out / split}.txt" for split in splits]))


if __name__ == "__main__":
    sys.exit(main())
