"""Heat laid over frames: where a map is high they are coloured, elsewhere they stay grey."""

from __future__ import annotations

import numpy as np

_MOST = 0.75  # share of the colour where the heat is 1


def heated(frames: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3) and float (T, H, W) in [0, 1] -> uint8 (T, H, W, 3)."""
    import matplotlib

    if heat.shape != frames.shape[:3] or frames.dtype != np.uint8:
        raise ValueError(f"heat {heat.shape} is not of the size of the frames, {frames.dtype} {frames.shape}")
    grey = frames @ np.array([0.299, 0.587, 0.114])
    colour = 255 * matplotlib.colormaps["turbo"](0.2 + 0.75 * heat)[..., :3]
    share = _MOST * heat[..., None]
    return ((1 - share) * grey[..., None] + share * colour).round().astype(np.uint8)
