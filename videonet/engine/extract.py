"""Clip features: one row a clip, one .npy a video, an index of what stands where."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from videonet.data.lists import VideoItem
from videonet.data.loader import Loader
from videonet.data.preprocessing import Preprocessing

from .dist import Ranks
from .files import OutputError, atomic, write_json
from .forward import run_views
from .log import track


class Embedder(Protocol):
    """A network with named intermediates."""

    def embed(self, x: torch.Tensor, names: Collection[str] | None = None) -> dict[str, torch.Tensor]:
        """(N, 3, T, S, S) float -> name -> (N, D) or (N, C, T', H', W')."""
        ...


def extract(
    model: Embedder,
    feature: str,
    items: Sequence[VideoItem],
    loader: Loader,
    preprocessing: Preprocessing,
    ranks: Ranks,
    folder: Path,
    precision: str = "fp32",
    max_views: int = 32,
) -> dict[str, Any]:
    """Write `folder/<video id>.npy`, float32 (clips, D), and `folder/index.json`; return the index.

    `feature` is a name of `model.embed`; maps are averaged over T, H, W. Videos that cannot be read are listed in the
    index with their reason. Raises OutputError when `folder` holds an index already.
    """
    index_path = folder / "index.json"
    if index_path.exists():
        raise OutputError(f"{index_path} exists; choose another --out, or delete it")

    def network(x: torch.Tensor) -> torch.Tensor:
        value = model.embed(x, (feature,))[feature]
        return value.mean(dim=(2, 3, 4)) if value.ndim == 5 else value

    rows: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for batch in track(loader, len(loader), "extract", "batches", shown=ranks.first):
        failures += [{"id": f.id, "path": f.path, "reason": f.reason} for f in batch.failures]
        if not len(batch):
            continue
        features = run_views(network, batch.on(ranks.device), preprocessing, ranks.device, precision, max_views).numpy()
        for position, values, seconds in zip(batch.indices.tolist(), features, batch.seconds, strict=True):
            name = file_name(items[position].id)
            with atomic(folder / name) as file:
                np.save(file, values, allow_pickle=False)
            rows.append(
                {
                    "id": items[position].id,
                    "path": items[position].path,
                    "file": name,
                    "shape": list(values.shape),
                    "clip_seconds": np.round(seconds, 4).tolist(),
                }
            )
    index = {
        "feature": feature,
        "preprocessing": preprocessing.to_dict(),
        "n_listed": len(items),
        "videos": sorted(ranks.gather(rows), key=lambda row: row["id"]),
        "failures": sorted(ranks.gather(failures), key=lambda row: row["id"]),
    }
    if ranks.first:
        write_json(index_path, index)
    return index


def file_name(video_id: str) -> str:
    """`<video id>.npy`; an id that would leave the folder is replaced by its hash."""
    if Path(video_id).is_absolute() or ".." in Path(video_id).parts:
        return hashlib.sha256(video_id.encode()).hexdigest()[:16] + ".npy"
    return f"{video_id}.npy"
