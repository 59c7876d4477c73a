"""Known weights and how to get them: by name or URL, with a checksum, into the cache of torch hub.

URLs are those of the library that publishes them, asked when needed. A file is whole and right, or absent.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

import torch

from videonet.models.weightfile import WeightsError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum


@dataclass(frozen=True)
class Known:
    """Weights that have a name."""

    model: str
    """The network here that they fit; a video net of the family takes them inflated."""
    enum: str
    """Their name in `torchvision.models.get_weight`."""


_TORCHVISION = {
    "resnet18": "ResNet18_Weights",
    "resnet34": "ResNet34_Weights",
    "resnet50": "ResNet50_Weights",
    "resnet101": "ResNet101_Weights",
    "resnet152": "ResNet152_Weights",
    "resnext50_32x4d": "ResNeXt50_32X4D_Weights",
}

KNOWN = {
    **{model: Known(model, f"{enum}.DEFAULT") for model, enum in _TORCHVISION.items()},
    **{f"{model}_v1": Known(model, f"{enum}.IMAGENET1K_V1") for model, enum in _TORCHVISION.items()},
}
"""ImageNet classifiers of torchvision; "_v1": trained by the plain recipe (ResNet-50: 76.1 % top-1, not 80.9 %)."""


@dataclass(frozen=True)
class Remote:
    """Where a file is and how to tell that it arrived."""

    url: str
    sha256: str
    """Hexadecimal, in full or at least its first 8 digits, as torch hub puts them into file names."""

    @property
    def path(self) -> Path:
        """Its place in the cache of torch hub, whether it is there or not."""
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(self.url).path).name


def locate(name_or_url: str, sha256: str | None = None) -> Remote:
    """The address behind a name of `KNOWN`, or a URL with a checksum.

    sha256: in full or its beginning; None: the digits in the file's name (`resnet50-0676ba61.pth`).
    Raises WeightsError for an unknown name, an address that is none, and where there is no checksum.
    """
    if "://" in name_or_url:
        url = name_or_url
        if urlsplit(url).scheme not in ("https", "http", "file") or not Path(urlsplit(url).path).name:
            raise WeightsError(f"{url} is not the address of a file; it must begin with https://, http:// or file://")
    else:
        url = _published(name_or_url).url
    if sha256 is None:
        found = re.search(r"-([0-9a-f]{8,64})\.[^/]*$", urlsplit(url).path)
        if found is None:
            raise WeightsError(f"nothing says what {url} must hold; give its checksum with --sha256")
        sha256 = found[1]
    if not re.fullmatch(r"[0-9a-f]{8,64}", sha256.lower()):
        raise WeightsError(f"checksum {sha256!r} must be 8 to 64 hexadecimal digits of a SHA-256")
    return Remote(url, sha256.lower())


def class_names(name: str) -> list[str]:
    """Classes of the weights behind a name of `KNOWN`, in the order of their classifier's rows."""
    return list(_published(name).meta["categories"])


def download(name_or_url: str, sha256: str | None = None, *, progress: bool = False) -> Path:
    """The file of `locate` in the cache of torch hub, from there if it is there and right.

    Raises WeightsError as `locate`, where the address cannot be read, and where the content is not what the checksum
    says; the cache is then as it was before.
    """
    remote = locate(name_or_url, sha256)
    path = remote.path
    if is_right(remote):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(remote.url, str(path), remote.sha256, progress)
    except HTTPError as error:
        raise WeightsError(f"{remote.url} answers {error.code} {error.reason}; nothing was kept") from None
    except RuntimeError as error:
        raise WeightsError(
            f"what came from {remote.url} is not what its checksum says ({error}); nothing was kept. Try once more"
        ) from None
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"{remote.url} could not be fetched: {error}; nothing was kept. Without a network, copy the file to {path}"
        ) from None
    return path


def weights_path(file_or_name: str) -> Path:
    """A file, or the one in the cache behind a name of `KNOWN`; nothing is fetched. Raises WeightsError."""
    if Path(file_or_name).is_file():
        return Path(file_or_name)
    if file_or_name not in KNOWN:
        raise WeightsError(f"weights {file_or_name} do not exist; give a file or one of {', '.join(KNOWN)}")
    remote = locate(file_or_name)
    if not is_right(remote):
        raise WeightsError(f"{remote.path} is not there or not whole; fetch it with: videonet download {file_or_name}")
    return remote.path


def is_right(remote: Remote) -> bool:
    """Whether the cache holds the file, with the right content."""
    if not remote.path.is_file():
        return False
    with remote.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(remote.sha256)


def _published(name: str) -> WeightsEnum:
    if name not in KNOWN:
        close = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise WeightsError(f"weights {name!r} are not known{hint} Known: {', '.join(KNOWN)}; or give a URL")
    from torchvision.models import get_weight

    return get_weight(KNOWN[name].enum)
