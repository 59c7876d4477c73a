"""Fetching weights, from a server on this machine: whole and right, or nothing."""

import hashlib
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
import torchvision

from videonet.models.download import KNOWN, class_names, download, locate, weights_path
from videonet.models.weightfile import WeightsError

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if "absent" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if "cut" in self.path else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", partial(str, tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_a_file_comes_whole_once_and_is_checked_each_time(server, cache):
    url = f"{server}/net-{SHA256[:8]}.pth"
    path = download(url)
    assert path == cache / f"net-{SHA256[:8]}.pth"
    assert path.read_bytes() == CONTENT
    stamp = path.stat().st_mtime_ns
    assert download(url, SHA256.upper()).stat().st_mtime_ns == stamp
    path.write_bytes(b"spoilt")
    assert download(url).read_bytes() == CONTENT


def test_a_file_of_this_machine(cache, tmp_path):
    (tmp_path / "a.pth").write_bytes(CONTENT)
    assert download((tmp_path / "a.pth").as_uri(), SHA256).read_bytes() == CONTENT
    with pytest.raises(WeightsError, match=r"b\.pth could not be fetched: .*No such file.*copy the file to"):
        download((tmp_path / "b.pth").as_uri(), SHA256)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net-0123abcd.pth", r"is not what its checksum says \(invalid hash value .expected \"0123abcd\", got"),
        (f"cut-{SHA256[:8]}.pth", "is not what its checksum says|could not be fetched"),
        (f"absent-{SHA256[:8]}.pth", "answers 404 Not Found; nothing was kept"),
    ],
)
def test_what_goes_wrong_leaves_nothing(server, cache, name, message):
    with pytest.raises(WeightsError, match=message):
        download(f"{server}/{name}")
    assert list(cache.iterdir()) == []


def test_a_server_that_is_not_there(cache):
    with pytest.raises(WeightsError, match=r"could not be fetched: .*refused.*copy the file to .*/a-0123abcd"):
        download("http://127.0.0.1:9/a-0123abcd.pth")


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("resnet55", None, "weights 'resnet55' are not known; did you mean 'resnet50'"),
        ("https://host/a.pth", None, "nothing says what https://host/a.pth must hold; give its checksum with --sha256"),
        ("https://host/a.pth", "12345", "checksum '12345' must be 8 to 64 hexadecimal digits"),
        ("ftp://host/a-0123abcd.pth", None, "must begin with https://, http:// or file://"),
        ("https://host/", SHA256, "is not the address of a file"),
    ],
)
def test_addresses_that_are_none(name, sha256, message):
    with pytest.raises(WeightsError, match=message):
        locate(name, sha256)


def test_known_names_are_torchvisions():
    assert locate("resnet50_v1").url == torchvision.models.ResNet50_Weights.IMAGENET1K_V1.url
    for name, known in KNOWN.items():
        remote = locate(name)
        assert remote.url.endswith(f"/{known.model}-{remote.sha256}.pth")
    assert class_names("resnext50_32x4d")[:2] == ["tench", "goldfish"]


def test_weights_by_file_or_by_a_name_that_was_fetched(cache, tmp_path):
    (tmp_path / "a.pth").write_bytes(CONTENT)
    assert weights_path(str(tmp_path / "a.pth")) == tmp_path / "a.pth"
    with pytest.raises(WeightsError, match="fetch it with: videonet download resnet18"):
        weights_path("resnet18")
    with pytest.raises(WeightsError, match=r"weights a\.pth do not exist; give a file or one of resnet18, "):
        weights_path(str(Path("a.pth")))
