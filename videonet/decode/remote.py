"""Videos behind a URL (https://, s3://, memory://, tar://...): read as files through fsspec, not downloaded first."""

import io
from typing import BinaryIO, NoReturn, Protocol

from videonet.decode.errors import BackendMissing, OpenError

BUFFER_BYTES = 1 << 18


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int, /) -> int: ...
    def close(self) -> None: ...


def is_url(path: str) -> bool:
    """Whether `path` is the URL of a file and not a path."""
    return "://" in path


def open_url(url: str) -> BinaryIO:
    """The file at `url`, seekable; closed when it is no longer referred to.

    Raises:
        OpenError: no such file, or it cannot be reached; also later, by the file's own methods.
        BackendMissing: the library for this kind of URL is not installed.
    """
    try:
        import fsspec
    except ImportError as error:
        raise BackendMissing(f"{url}: URLs are read through fsspec; install it with: pip install fsspec") from error
    try:
        return io.BufferedReader(_Remote(url, fsspec.open(url, "rb").open()), BUFFER_BYTES)
    except ImportError as error:
        raise BackendMissing(f"{url}: {error}; fsspec names what to install for each kind of URL") from error
    except Exception as error:  # noqa: BLE001  # raised again, as one kind
        _fail(url, error)


def _fail(url: str, error: Exception) -> NoReturn:
    """Every file system of fsspec raises errors of its own; here they become one."""
    reason = " ".join(f"cannot be read ({type(error).__name__}: {error})".split())
    raise OpenError(url, reason[:300], "check the address, the access rights and the network") from error


class _Remote(io.RawIOBase):
    """A file of fsspec whose errors are `OpenError`."""

    def __init__(self, url: str, file: _Readable) -> None:
        self.name = url
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed's Buffer has no length
        try:
            data = self._file.read(len(buffer))
        except Exception as error:  # noqa: BLE001  # raised again, as one kind
            _fail(self.name, error)
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return self._file.seek(offset, whence)
        except Exception as error:  # noqa: BLE001  # raised again, as one kind
            _fail(self.name, error)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
