"""`videonet show-clips`: a contact sheet of what the network sees of some videos, after sampling and transforms."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from videonet.commands.options import add_config, positive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videonet.config import Config
    from videonet.config.schema import DataConfig
    from videonet.data.dataset import Sample
    from videonet.data.lists import Listing
    from videonet.data.preprocessing import Preprocessing
    from videonet.data.views import Views
    from videonet.report.contact_sheet import Strip

MOST_ROWS = 240  # a taller picture cannot be drawn


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_config(parser)
    parser.usage = f"{parser.prog} [PATH ...] [--cfg YAML] [options] [KEY=VALUE ...]"
    parser.add_argument("videos", nargs="*", metavar="PATH", help="a list, a folder, or files (default: data.train)")
    parser.add_argument("--test", action="store_true", help="show the views of the test; without PATH, of its videos")
    parser.add_argument("--count", type=positive, metavar="N", help="videos, spread over the list (default 8; test: 1)")
    parser.add_argument("--epoch", type=positive, default=1, help="the epoch whose random draws are shown (default 1)")
    parser.add_argument("--out", default="clips.png", metavar="PNG", help="the picture (default clips.png)")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """2 when not one of the videos could be read. Raises ConfigError, ListError or OutputError."""
    from pathlib import Path

    import numpy as np

    from videonet import build
    from videonet.config import load_config, to_yaml
    from videonet.data.dataset import VideoDataset
    from videonet.engine.files import OutputError, atomic
    from videonet.engine.log import track
    from videonet.report.contact_sheet import contact_sheet
    from videonet.report.figures import to_png

    settings = [word for word in a.videos if "=" in word and not Path(word).exists()]
    resolved = load_config(a.cfg, [*a.opts, *settings, *words], build.KNOWN_NAMES)
    if a.print_config:
        print(to_yaml(resolved), end="")
        return 0
    config = resolved.config
    listing = _listing([word for word in a.videos if word not in settings], config.data, a.test)
    preprocessing = build.build_preprocessing(config)
    views, crops = _views(config, preprocessing, listing.class_names, a.test)
    dataset = VideoDataset(
        listing.items, views, config.seed, open_video=build.build_opener(config), flip_labels=listing.flip_labels
    )
    count = min(a.count or (1 if a.test else 8), len(dataset))
    shown = np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist()
    strips: list[Strip] = []
    for index in track(shown, count, "show-clips", "videos"):
        sample = dataset[a.epoch - 1, index]
        strips += _strips(sample, listing, preprocessing, crops)
        if len(strips) > MOST_ROWS:
            raise OutputError(f"more than {MOST_ROWS} clips do not fit one picture; lower --count or the views")
    with atomic(Path(a.out)) as file:
        file.write(to_png(contact_sheet(strips, _title(preprocessing, a.test))))
    print(a.out)
    return 2 if all(strip.frames is None for strip in strips) else 0


def _listing(paths: Sequence[str], data: DataConfig, test: bool) -> Listing:
    """The videos, with class names where they are known."""
    from pathlib import Path

    from videonet import build
    from videonet.commands.scanning import named_listings
    from videonet.data.formats.listing import Listing
    from videonet.data.lists import named_videos

    if not paths:
        train = build.build_splits(data).train
        return build.build_test_listing(data, train.class_names, "binary") if test else train
    if len(paths) > 1:
        return Listing(named_videos(paths), ())
    if data.source != "folder" or (Path(paths[0]).is_dir() and any(one.is_dir() for one in Path(paths[0]).iterdir())):
        return build.read_listing(data, paths[0], None)
    return named_listings(argparse.Namespace(videos=paths, source=None, root=data.root))[paths[0]]


def _views(config: Config, preprocessing: Preprocessing, class_names: Sequence[str], test: bool) -> tuple[Views, int]:
    """How a video is looked at, and how many crops a clip gives."""
    from videonet import build

    if not test:
        return build.build_train_views(config, preprocessing, class_names), 1
    views = build.build_test_views(preprocessing, config.test)
    return views, views.crops


def _strips(sample: Sample, listing: Listing, preprocessing: Preprocessing, crops: int) -> Iterator[Strip]:
    """One a view."""
    from videonet.report.contact_sheet import Strip, around_grey

    item = listing.items[sample.index]
    labels = sample.labels or ((sample.label,) if 0 <= sample.label < len(listing.class_names) else ())
    name = ", ".join(listing.class_names[label] for label in labels)
    if sample.views is None:
        yield Strip(item.id, name, f"not readable: {sample.failures[0].reason}", None)
        return
    clips = len(sample.seconds)
    for number, view in enumerate(sample.views if sample.finish is None else sample.finish(sample.views)):
        clip, crop = divmod(number, crops)
        first, last = sample.seconds[clip]
        which = [f"clip {clip + 1} of {clips}"] * (clips > 1) + [f"crop {crop + 1} of {crops}"] * (crops > 1)
        if preprocessing.input == "rgb":
            frames = view.permute(1, 2, 3, 0).numpy()  # (T, S, S, 3)
        else:
            frames = around_grey(preprocessing.normalise(view[None])[0].permute(1, 2, 3, 0).numpy())
        yield Strip(item.id, name, ", ".join([*which, f"{first:.2f} to {last:.2f} s"]), frames)


def _title(preprocessing: Preprocessing, test: bool) -> str:
    p = preprocessing
    sampled = f"{p.frames} frames, stride {p.stride}" if p.sampler == "dense" else f"{p.frames} frames, one a segment"
    rate = "" if p.fps is None else f" at {p.fps:g} a second"
    kind = {
        "rgb": "RGB",
        "centred": "less the clip's mean",
        "difference": "less the frame before",
    }
    return f"{'Test views' if test else 'Training clips'}: {sampled}{rate}, {p.crop} x {p.crop}, {kind[p.input]}"
