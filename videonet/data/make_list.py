"""Splits of a data set by group: clips of one person or one source video never fall into two splits."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from .formats.listing import Listing, VideoItem
from .formats.text import ListError, shorten

Groups = dict[str, list[VideoItem]]


def group_items(items: Sequence[VideoItem], pattern: str | None) -> Groups:
    """Videos by what `pattern` finds in their id: its capture groups together, or all it matched.

    None: every video is a group. Raises ListError for a pattern that is no regular expression, or ids it is not in.
    """
    groups: Groups = defaultdict(list)
    if pattern is None:
        return {item.id: [item] for item in items}
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise ListError(f"group {pattern!r} is not a regular expression: {error}") from None
    unmatched = []
    for item in items:
        match = search(item.id)
        if match is None:
            unmatched.append(item.id)
        else:
            groups["\0".join(part or "" for part in match.groups()) if match.groups() else match[0]].append(item)
    if unmatched:
        raise ListError(f"group {pattern!r} is not in {len(unmatched)} paths:\n  " + "\n  ".join(shorten(unmatched)))
    return dict(groups)


def split_by_group(groups: Groups, shares: Mapping[str, float], seed: int = 0) -> dict[str, list[VideoItem]]:
    """{"train": items, and each name of `shares`: about that share of every class}, as far as groups allow.

    Groups are taken in the order of a hash of (seed, name of the group), so that the same videos give the same splits
    on any machine. A class of two groups or more is in train and, where groups allow, in every other split.
    """
    if not all(share > 0 for share in shares.values()) or sum(shares.values()) >= 1:
        raise ListError(f"shares {dict(shares)} must be above 0 and leave something for train")
    left = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    classes = {name: Counter(item.label for item in items) for name, items in groups.items()}
    total: Counter[int] = sum(classes.values(), Counter())
    groups_left = Counter(label for counts in classes.values() for label in counts)
    splits: dict[str, list[VideoItem]] = {"train": []}
    for split, share in shares.items():
        wanted = {label: share * count for label, count in total.items()}
        taken = [name for name in left if _take(classes[name], wanted, groups_left)]
        chosen = set(taken)
        # a class that got nothing, since each of its groups is too large, gets its smallest one
        covered = {label for name in taken for label in classes[name]}
        for label in sorted(total.keys() - covered):
            rest = [name for name in left if name not in chosen and label in classes[name]]
            rest = [name for name in rest if all(groups_left[other] > 1 for other in classes[name])]
            if label not in covered and rest:
                smallest = min(rest, key=lambda name: sum(classes[name].values()))
                taken.append(smallest)
                chosen.add(smallest)
                covered |= classes[smallest].keys()
                groups_left.subtract(classes[smallest].keys())
        left = [name for name in left if name not in chosen]
        splits[split] = [item for name in taken for item in groups[name]]
    splits["train"] = [item for name in left for item in groups[name]]
    return {split: sorted(items, key=lambda item: item.id) for split, items in splits.items()}


def _take(counts: Counter[int], wanted: dict[int, float], groups_left: Counter[int]) -> bool:
    """Whether a group of these videos a class brings a split nearer to `wanted`, which is then lowered."""
    if any(groups_left[label] < 2 for label in counts):
        return False
    before = sum(wanted[label] ** 2 for label in counts)
    if sum((wanted[label] - count) ** 2 for label, count in counts.items()) >= before:
        return False
    for label, count in counts.items():
        wanted[label] -= count
    groups_left.subtract(counts.keys())
    return True


def list_text(items: Sequence[VideoItem]) -> str:
    """`path label` a line. Raises ListError for a path that no line can hold."""
    bad = [
        item.id for item in items if item.id.strip() != item.id or len(item.id.splitlines()) > 1 or item.id[0] == "#"
    ]
    if bad:
        shown = "\n  ".join(shorten([repr(name) for name in bad]))
        raise ListError(f"no line can hold these paths (line break, white space at an end, # at the start):\n  {shown}")
    return "".join(f"{item.id} {item.label}\n" for item in items)


def count_table(listing: Listing, splits: Mapping[str, Sequence[VideoItem]]) -> str:
    """Videos a class and split, in columns; the last line is the sum."""
    counts = {split: Counter(item.label for item in items) for split, items in splits.items()}
    rows = [["class", *splits]]
    rows += [[name, *(str(counts[split][label]) for split in splits)] for label, name in enumerate(listing.class_names)]
    rows.append(["all", *(str(len(items)) for items in splits.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)
