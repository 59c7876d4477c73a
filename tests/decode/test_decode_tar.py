"""Members of tar files read as the files they are; what is wrong with a tar is said, and nothing hostile gets far."""

import gzip
import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
import torch
from PIL import Image

from tests.decode.make import Recipe, barcode_frame, read_number
from videonet.decode import OpenError, VideoError, open_video
from videonet.decode.tar import is_member, member_of, open_member, read_shard

Videos = Callable[[Recipe], Path]
RECIPE = Recipe(".mp4", options={"g": "12", "bf": "2"}, numbers=range(20))
LONG = "folder/" * 20 + "clip.mp4"


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """One header block. A negative size is written in base 256, as GNU tar writes large ones."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, abs(size)
    for field, value in fields.items():
        setattr(info, field, value)
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[:512])
    if size < 0:
        block[124:136] = b"\xff" * 4 + size.to_bytes(8, "big", signed=True)
        block[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(block))[0]
    return bytes(block)


def member(name: str, data: bytes) -> bytes:
    return header(name, len(data)) + data + bytes(-len(data) % 512)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_member_reads_as_its_file(form: int, videos: Videos, tmp_path: Path) -> None:
    path, shard = videos(RECIPE), tmp_path / "a b-000.tar"
    Image.fromarray(barcode_frame(7)).save(tmp_path / "seven.png")
    with tarfile.open(shard, "w", format=form) as tar:
        tar.add(tmp_path / "seven.png", "./seven.png")
        tar.add(path, LONG)
    fsspec.filesystem("memory").pipe_file(f"/tars/{form}.tar", shard.read_bytes())
    with open_video(path) as expected:
        frames = expected.at_index([19, 3]).frames
    for tar_path in (str(shard), f"memory://tars/{form}.tar"):
        with open_video(f"{tar_path}#{LONG}") as video:
            assert torch.equal(video.at_index([19, 3]).frames, frames)
        with open_video(f"{tar_path}#seven.png") as image:
            assert read_number(image.at_index([0]).frames[0].numpy()) == 7
        with pytest.raises(OpenError, match="no such member"):
            open_video(f"{tar_path}#eight.png")
    assert is_member(f"{shard}#seven.png")
    assert member_of(f"{shard}#{LONG}").size == path.stat().st_size


def test_a_file_of_that_name_comes_before_a_member(videos: Videos, tmp_path: Path) -> None:
    odd = tmp_path / "x.tar#clip.mp4"
    odd.write_bytes(videos(RECIPE).read_bytes())
    with open_video(odd) as video:
        assert video.info.frames == 20


def test_a_changed_tar_is_read_again(tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    for names in (["1.mp4"], ["1.mp4", "2.mp4"]):
        shard.write_bytes(b"".join(member(name, b"x") for name in names) + bytes(1024))
        assert list(read_shard(str(shard)).members) == names


def test_only_regular_files_are_members(tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    links = header("l.mp4", 0, tarfile.SYMTYPE, linkname="/etc/passwd") + header("d", 0, tarfile.DIRTYPE)
    shard.write_bytes(
        links + header("h.mp4", 0, tarfile.LNKTYPE, linkname="../x") + member("a.mp4", b"x") + bytes(1024)
    )
    assert list(read_shard(str(shard)).members) == ["a.mp4"]
    for name in ("l.mp4", "h.mp4", "d", "../a.mp4"):
        with pytest.raises(OpenError, match="no such member"):
            open_video(f"{shard}#{name}")


FIRST = member("first.mp4", b"x" * 600)
PAX = tarfile.XHDTYPE
FAULTS = {
    "cut off": (FIRST + header("b.mp4", 900) + b"x" * 300, "is cut off or damaged after 2 members"),
    "no end": (FIRST, "damaged after 1"),
    "damaged header": (FIRST + b"\7" * 1024, "damaged after 1"),
    "twice": (FIRST + FIRST + bytes(1024), "holds 'first.mp4' twice"),
    "goes back": (FIRST + header("b.mp4", -1024), "damaged after"),
    "huge name": (FIRST + header("b", 1 << 40, tarfile.GNUTYPE_LONGNAME) + bytes(1 << 21), "take more than"),
    "negative name": (FIRST + header("b", -512, tarfile.GNUTYPE_LONGNAME), "damaged after 1"),
    "endless pax": (FIRST + (header("p", 512, PAX) + b"9 a=bcde\n".ljust(512, b"\0")) * 1500, "damaged after 1"),
    "endless map": (
        FIRST + header("p", 512, PAX) + b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n".ljust(512, b"\0")
        + header("s.mp4", 512) + b"9999999\n".ljust(512, b"\0"), "damaged after 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_found_in_time_and_members_before_it_are_good(fault: str, tmp_path: Path) -> None:
    data, reason = FAULTS[fault]
    shard = tmp_path / "a.tar"
    shard.write_bytes(data)
    start = time.process_time()
    found = read_shard(str(shard))
    assert time.process_time() - start < 5
    assert reason in found.fault
    assert found.members["first.mp4"].size == 600


@pytest.mark.parametrize(
    "data", [b"", b"no tar" * 300, gzip.compress(FIRST, mtime=0), header("b", 1 << 40, PAX) + bytes(1 << 21)]
)
def test_what_is_no_tar_is_an_error(data: bytes, tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    shard.write_bytes(data)
    with pytest.raises(OpenError, match="not a readable tar file"):
        open_video(f"{shard}#clip.mp4")
    with pytest.raises(OpenError, match="No such file"):
        open_video(f"{tmp_path}/b.tar#clip.mp4")


def test_a_member_that_the_tar_cuts_off_is_an_error_of_that_member(videos: Videos, tmp_path: Path) -> None:
    data = videos(RECIPE).read_bytes()
    shard = tmp_path / "a.tar"
    shard.write_bytes((member("a.mp4", data) + header("b.mp4", len(data)) + data)[: -len(data) // 2])
    with open_video(f"{shard}#a.mp4") as video:
        assert video.info.frames == 20
    with pytest.raises(VideoError, match=r"a\.tar#b\.mp4"):
        open_video(f"{shard}#b.mp4")


def test_a_member_ends_where_it_ends(tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    shard.write_bytes(member("a", b"0123456789") + member("b", b"secret") + bytes(1024))
    with open_member(f"{shard}#a") as file:
        assert file.read(4) == b"0123"
        assert file.seek(-3, io.SEEK_END) == 7
        assert (file.read(), file.read()) == (b"789", b"")
        assert (file.seek(50), file.read()) == (50, b"")
