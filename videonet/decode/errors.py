"""What can be wrong with a video: one family of errors, each with the path, the reason and the way out."""


class VideoError(ValueError):
    """A video that cannot be read: `path`, the `reason`, and in the message the way out."""

    def __init__(self, path: str, reason: str, way_out: str = "check the file or leave it out of the list") -> None:
        super().__init__(path, reason, way_out)  # the arguments, so that a worker process can pickle the error
        self.path = path
        self.reason = reason
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.way_out}"


class OpenError(VideoError):
    """The file is missing, or is in no container that can be read."""


class NoVideoStream(VideoError):
    """The container is sound and holds no video track."""


class Undecodable(VideoError):
    """There is a video track, and not one frame of it can be decoded."""


class TooLarge(VideoError):
    """The header asks for more than `Limits` allow."""


class TimedOut(VideoError):
    """Reading took more CPU time than `Limits` allow."""


class Refused(VideoError):
    """The backend asked for is known to give wrong frames of this file, or gives none; the default one can read it."""


class BackendMissing(ValueError):
    """The library of the backend asked for is not installed, or does not work here. No fault of the video."""
