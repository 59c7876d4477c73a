"""`videonet probe`: a linear probe and nearest neighbours on extracted features."""

from __future__ import annotations

import argparse

from videonet.commands.options import positive


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("features", metavar="DIR", help="what videonet extract wrote, of both splits")
    parser.add_argument("--train", required=True, metavar="PATH", help="labelled list, or folder of class folders")
    parser.add_argument("--test", required=True, metavar="PATH", help="the same of the videos to be told")
    parser.add_argument("--source", metavar="NAME", help="format of the lists (default: list, or folder)")
    parser.add_argument("--feature", metavar="NAME", help="where the folder holds several (default: the first)")
    parser.add_argument("--neighbours", type=positive, default=5, metavar="K", help="that vote (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", metavar="JSON", help="also write the figures there")


def run(a: argparse.Namespace, words: list[str]) -> int:
    """Raises ConfigError, ListError or OutputError."""
    import json
    from pathlib import Path

    from videonet.config import ConfigError
    from videonet.data.sources import SOURCES
    from videonet.engine.features.probe import gather, probe
    from videonet.engine.features.reading import open_features
    from videonet.engine.files import OutputError, write_json

    if a.source is not None and a.source not in SOURCES:
        raise ConfigError([f"--source {a.source!r} is not known; choose one of {', '.join(SOURCES)}"])
    if a.out is not None and Path(a.out).exists():
        raise OutputError(f"{a.out} exists; choose another --out")
    features = open_features(a.features)
    feature = a.feature or features.features[0]
    if feature not in features.features:
        raise ConfigError([f"--feature {feature!r} is not in {a.features}: {', '.join(features.features)}"])
    where = {name: a.source or ("folder" if Path(path).is_dir() else "list") for name, path in vars(a).items()
             if name in ("train", "test")}  # fmt: skip
    train = SOURCES[where["train"]].read(Path(a.train), None, None)
    test = SOURCES[where["test"]].read(Path(a.test), None, train.class_names)
    if any(item.label < 0 or item.labels for item in [*train.items, *test.items]):
        raise ConfigError(["a probe needs one label a video"])
    figures = probe(gather(features, feature, train.items), gather(features, feature, test.items), a.neighbours)
    about = {"features": a.features, "feature": feature, "classes": len(train.class_names)}
    about |= {key: features.index["settings"][key] for key in ("model", "checkpoint_sha256")}
    result = {**about, **figures}
    if a.out:
        write_json(Path(a.out), result)
    if a.json:
        print(json.dumps(result, indent=2))
        return 0
    for name, way in (("linear probe", figures["linear"]), (f"{figures['knn']['k']} neighbours", figures["knn"])):
        low, high = way["interval"]
        print(f"{name:13} top-1 {100 * way['top1']:.1f} %  (95 % interval {100 * low:.1f} to {100 * high:.1f})")
    missing = figures["n_train_missing"], figures["n_test_missing"]
    print(
        f"{feature}, {figures['dim']} numbers; {figures['n_train']} videos to learn, {figures['n_test']} to test "
        f"(without features: {missing[0]} and {missing[1]}); largest class {100 * figures['chance']:.1f} %"
    )
    return 0
