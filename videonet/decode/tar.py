"""Members of tar files, such as webdataset's shards, as sources: `shard-000.tar#clip.mp4`, also behind a URL.

Only the headers are read to find the members, once a process and file; a member is then read in place. Nothing is
unpacked, so names inside a tar never become paths, and what a hostile header can make us read is limited.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from videonet.decode.errors import OpenError
from videonet.decode.remote import BUFFER_BYTES, is_url, open_url

MARK = ".tar#"
MOST_MEMBERS = 1 << 20
HEADER_BYTES = 1 << 20  # the most that the headers of one member may take; a name takes 1536
KEPT_SHARDS = 64  # whose members stay known


@dataclass(frozen=True)
class Member:
    """Where a member's bytes lie: [start, start + size)."""

    start: int
    size: int


@dataclass(frozen=True)
class Shard:
    """One tar file."""

    members: Mapping[str, Member]
    """Regular files, in the order of the tar."""
    fault: str = ""
    """What ended the reading before the tar's own end; members before it are good."""


def shard_and_member(path: str) -> tuple[str, str] | None:
    """("a.tar", "clip.mp4") of "a.tar#clip.mp4"; None for what names no member."""
    shard, mark, member = path.partition(MARK)
    return (shard + MARK[:-1], member) if mark and member and not os.path.exists(path) else None


def is_member(path: str) -> bool:
    """Whether `path` names a member that is there."""
    named = shard_and_member(path)
    try:
        return named is not None and named[1] in read_shard(named[0]).members
    except OpenError:
        return False


def read_shard(shard: str) -> Shard:
    """The members of a tar file, from its headers; kept while the file does not change. Raises OpenError."""
    with _open(shard) as file:
        return _members(shard, file)


def member_of(path: str) -> Member:
    """Where the member that `path` names lies. Raises OpenError where there is no such member."""
    return _named(path, read_shard(_shard(path)))


def open_member(path: str) -> BinaryIO:
    """The bytes of "shard.tar#member" as a seekable file; closed when it is no longer referred to. Raises OpenError."""
    shard = _shard(path)
    file = _open(shard)
    try:
        member = _named(path, _members(shard, file))
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(_Part(file, member, path), min(BUFFER_BYTES, member.size + 1))


def _shard(path: str) -> str:
    named = shard_and_member(path)
    if named is None:
        raise OpenError(path, "names no member of a tar file", f"write it as shard{MARK}member")
    return named[0]


def _named(path: str, shard: Shard) -> Member:
    name = path.partition(MARK)[2]
    if name not in shard.members:
        raise OpenError(path, f"no such member{shard.fault and ': the tar ' + shard.fault}", "check its name")
    return shard.members[name]


def _open(shard: str) -> BinaryIO:
    if is_url(shard):
        return open_url(shard)
    try:
        return open(shard, "rb", buffering=0)
    except OSError as error:
        raise OpenError(shard, f"cannot be read: {error.strerror}", "check the path and the data root") from error


def _members(shard: str, file: BinaryIO) -> Shard:
    """The members of an open tar, from memory where its size, and the time of a local file, are those of before."""
    size = file.seek(0, os.SEEK_END)
    return _kept(shard, size, 0 if is_url(shard) else os.stat(shard).st_mtime_ns)


@lru_cache(maxsize=KEPT_SHARDS)
def _kept(shard: str, size: int, mtime_ns: int) -> Shard:
    with _open(shard) as file:
        headers = _Headers(file)
        members: dict[str, Member] = {}
        try:
            with tarfile.open(fileobj=headers, mode="r:") as tar:
                fault = _read_headers(tar, headers, members)
        except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
            if not members or isinstance(error, OpenError):
                reason = f"not a readable tar file ({error or type(error).__name__})"
                raise OpenError(shard, reason, "fetch it again; a compressed one must be unpacked first") from error
            fault = f"is cut off or damaged after {len(members)} members ({error})"
    return Shard(members, fault)


def _read_headers(tar: tarfile.TarFile, headers: "_Headers", members: dict[str, Member]) -> str:
    """Fill `members`; returns what is wrong with the tar."""
    before = -1
    for _ in range(MOST_MEMBERS):
        headers.left = HEADER_BYTES
        info = tar.next()
        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
        if info is None:
            end = headers.block_at(tar.offset)
            return "" if end and not any(end) else f"is cut off or damaged after {len(members)} members"
        if info.offset_data <= before or info.size < 0:
            return f"is cut off or damaged after {len(members)} members"
        before = info.offset_data
        name = info.name.removeprefix("./")
        if info.isreg() and not info.issparse():
            if name in members:
                return f"holds {name!r} twice"
            members[name] = Member(info.offset_data, info.size)
    return f"holds more than {MOST_MEMBERS} members"


class _Headers(io.RawIOBase):
    """A file as the tar library sees it: until `left` is set again, so many bytes can be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.left = HEADER_BYTES

    def read(self, size: int = -1, /) -> bytes:
        self.left -= max(tarfile.BLOCKSIZE, size)  # reads at the end of the file cost too
        if size < 0 or self.left < 0:
            raise tarfile.ReadError(f"headers of one member take more than {HEADER_BYTES} bytes")
        return self._file.read(size)

    def block_at(self, offset: int) -> bytes:
        """The block where the next header would begin."""
        self._file.seek(offset)
        return self._file.read(tarfile.BLOCKSIZE)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Part(io.RawIOBase):
    """The bytes of one member, as a file of its own."""

    def __init__(self, file: BinaryIO, member: Member, name: str) -> None:
        self.name = name
        self._file = file
        self._member = member
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed's Buffer has no length
        wanted = max(0, min(len(buffer), self._member.size - self._place))
        self._file.seek(self._member.start + self._place)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._member.size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}")
        self._place = start + offset
        return self._place

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
