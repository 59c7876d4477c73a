"""The files that every backend must read right or refuse: one row a case, in the groups of ways files are difficult."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from tests.decode.make import FPS, FRAMES, HEIGHT, WIDTH, Recipe, barcode_frame, encode, remux, shifted
from tests.decode.test_decode_exact import ALT_REF, GOP, RECIPES, VFR

FASTSTART = Recipe(".mp4", options={"g": "12", "bf": "3"}, container={"movflags": "faststart"})
X265 = {"x265-params": "keyint=24:open-gop=0:pools=1:log-level=none"}
X265_OPEN = {"x265-params": "keyint=24:open-gop=1:pools=1:log-level=none"}


@dataclass(frozen=True)
class Case:
    """A way in which files are difficult, and a file of it."""

    group: str
    make: Callable[[Path], Path]
    """Writes the file into an empty folder; returns its path."""
    numbers: Sequence[int] | None = range(FRAMES)
    """The barcodes that a plain decode shows; None where damage decides."""


def recipe(how: Recipe) -> Callable[[Path], Path]:
    """The file that `how` describes."""
    return lambda folder: encode(how, folder / f"clip{how.suffix}")


def moved(suffix: str, seconds: float, from_seconds: float = -1.0) -> Callable[[Path], Path]:
    """Packets stored after `from_seconds`, moved in time."""

    def make(folder: Path) -> Path:
        source = encode(Recipe(".mp4", options=GOP), folder / "source.mp4")
        return remux(source, folder / f"moved{suffix}", lambda packet: shifted(packet, seconds, from_seconds))

    return make


def packed_avi(folder: Path) -> Path:
    """MPEG-4 as XviD packs it: a P and the B after it in one packet, then a packet that only fills the place."""
    plain = encode(Recipe(".avi", "mpeg4", {"g": "1000", "bf": "1"}), folder / "plain.avi")
    with av.open(str(plain)) as source, av.open(str(folder / "packed.avi"), "w") as output:
        track = source.streams.video[0]
        stream = output.add_stream_from_template(track)
        data = [bytes(packet) for packet in source.demux(track) if packet.size]
        for place, packet in enumerate(packed(data)):
            filled = av.Packet(packet)
            filled.stream, filled.pts, filled.dts = stream, place, place
            filled.time_base, filled.is_keyframe = Fraction(1, FPS), place == 0
            output.mux(filled)
    return folder / "packed.avi"


def packed(data: list[bytes]) -> list[bytes]:
    """[I, P+B, filler, P+B, filler, ...] of [I, P, B, P, B, ...], with the mark that decoders know it by."""
    mark = b"\0\0\1\xb2DivX503b1393p"
    first = data[0].index(b"\0\0\1\xb6")
    packets = [data[0][:first] + mark + data[0][first:]]
    for p, b in zip(data[1::2], data[2::2], strict=False):
        packets += [p + b, b"\0\0\1\xb6\x50\0\x7f"]
    return packets + data[len(packets) :]


def tracks(suffix: str, order: str) -> Callable[[Path], Path]:
    """Tracks in this order: v the video, w a larger one, c a cover picture, a sound that lasts longer."""

    def make(folder: Path) -> Path:
        path = folder / f"tracks{suffix}"
        with av.open(str(path), "w") as output:
            made = [(kind, add_track(output, kind)) for kind in order]
            for kind, track in made:
                fill(output, track, kind)
        return path

    return make


def add_track(output: av.container.OutputContainer, kind: str) -> av.VideoStream | av.AudioStream:
    if kind == "a":
        return output.add_stream("aac", rate=8000)
    codec = {"v": "libx264", "w": "libx264", "c": "mjpeg"}[kind]
    track = output.add_stream(codec, rate=FPS, options=GOP if kind != "c" else {})
    track.width, track.height = (WIDTH, HEIGHT) if kind != "w" else (2 * WIDTH, 2 * HEIGHT)
    track.pix_fmt = "yuvj420p" if kind == "c" else "yuv420p"
    if kind == "c":
        track.disposition = Disposition.attached_pic
    return track


def fill(output: av.container.OutputContainer, track: av.VideoStream | av.AudioStream, kind: str) -> None:
    if isinstance(track, av.AudioStream):
        for place in range(40):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.rate, silence.pts = 8000, 1024 * place
            output.mux(track.encode(silence))
    else:
        for number in range(FRAMES if kind != "c" else 1):
            image = barcode_frame(4000 if kind == "w" else number, track.height, track.width)
            output.mux(track.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
    output.mux(track.encode(None))


def wide_pixels(folder: Path) -> Path:
    """Sample aspect ratio 4:3: frames stay as stored."""
    with av.open(str(folder / "wide.mp4"), "w") as output:
        track = output.add_stream("libx264", rate=FPS, options=GOP)
        track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        track.codec_context.sample_aspect_ratio = Fraction(4, 3)
        fill(output, track, "v")
    return folder / "wide.mp4"


def two_in_one(scale: int) -> Callable[[Path], Path]:
    """Two transport streams behind each other: the clock jumps back, and with `scale` 2 the size doubles."""

    def make(folder: Path) -> Path:
        size = HEIGHT * scale, WIDTH * scale
        parts = [
            encode(Recipe(".ts", options=GOP, numbers=range(30)), folder / "1.ts"),
            encode(Recipe(".ts", options=GOP, numbers=range(30, 60), size=size), folder / "2.ts"),
        ]
        (folder / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
        return folder / "both.ts"

    return make


def changed(how: Recipe, change: Callable[[bytearray], bytes | bytearray]) -> Callable[[Path], Path]:
    """The bytes of the file that `how` describes, changed."""

    def make(folder: Path) -> Path:
        path = encode(how, folder / f"clip{how.suffix}")
        path.write_bytes(change(bytearray(path.read_bytes())))
        return path

    return make


def cut(data: bytearray) -> bytes:
    """The first 60 %."""
    return bytes(data[: len(data) * 6 // 10])


def media_start(data: bytes | bytearray) -> int:
    """Where the frames of a faststart mp4 begin."""
    return data.rindex(b"mdat") + 4


def zeroed(share: float) -> Callable[[bytearray], bytes]:
    """The first `share` of the frames of a faststart mp4 zeroed."""

    def change(data: bytearray) -> bytes:
        start = media_start(data)
        length = int((len(data) - start) * share)
        data[start : start + length] = bytes(length)
        return bytes(data)

    return change


def flipped(data: bytearray) -> bytearray:
    """200 bytes of the frames changed."""
    random = np.random.default_rng(3)
    for place in random.integers(media_start(data), len(data), 200):
        data[place] ^= 1 + int(random.integers(255))
    return data


def header_durations(factor: float, *tags: str) -> Callable[[bytearray], bytearray]:
    """The durations of an mp4's header multiplied."""
    offsets = {"mvhd": 20, "tkhd": 24, "mdhd": 20, "elst": 12}

    def change(data: bytearray) -> bytearray:
        for tag in tags:
            place = data.index(tag.encode()) + offsets[tag]
            struct.pack_into(">I", data, place, int(struct.unpack_from(">I", data, place)[0] * factor))
        return data

    return change


HEADER = ("mvhd", "tkhd", "mdhd")
NO_EDIT_LIST = Recipe(".mp4", options=GOP, container={"use_editlist": "0"})

_GROUP_OF = {
    "1 B-frames": ("b-frames mp4", "b-frames mkv", "no b-frames"),
    "2 open groups": ("open gop mp4", "open gop mkv", "open gop ts", "hevc open gop"),
    "4 offsets": ("no edit list", "fragmented"),
    "5 varying rate": ("vfr mp4", "vfr mkv without durations"),
    "6 containers": (
        "mpegts", "mpeg2 program stream", "flv", "raw h264", "mkv without index", "mjpeg avi",
        "mpeg4 avi with b-frames", "mpeg4 avi without b-frames", "h264 avi with b-frames", "gif",
    ),
    "7 codecs": (
        "vp8 hidden frames", "vp9 hidden frames", "vp9 odd size", "av1", "h264 10 bit", "h264 4:4:4", "interlaced",
    ),
    "10 streams that change": ("periodic intra refresh",),
    "12 cut and damaged": ("one frame", "three frames"),
}  # fmt: skip

CASES = {
    **{
        name: Case(group, recipe(RECIPES[name]), RECIPES[name].numbers)
        for group, names in _GROUP_OF.items()
        for name in names
    },
    "hevc open gop mkv": Case("2 open groups", recipe(Recipe(".mkv", "libx265", X265_OPEN))),
    "cut by edit list mp4": Case("3 edit lists", moved(".mp4", -1.1, 0.72), range(33, FRAMES)),
    "cut mkv": Case("3 edit lists", moved(".mkv", -1.1, 0.72), range(24, FRAMES)),
    "5 s late mp4": Case("4 offsets", moved(".mp4", 5.0)),
    "5 s late mkv": Case("4 offsets", moved(".mkv", 5.0)),
    "vfr mp4 without durations": Case(
        "5 varying rate", recipe(Recipe(".mp4", options=GOP, ticks=VFR, durations=False))
    ),
    "vfr mkv": Case("5 varying rate", recipe(Recipe(".mkv", options=GOP, ticks=VFR))),
    "vfr webm": Case("5 varying rate", recipe(Recipe(".webm", "libvpx", {"cpu-used": "8", "g": "24"}, ticks=VFR))),
    "packed b-frames avi": Case("6 containers", packed_avi),
    "vp8": Case("7 codecs", recipe(Recipe(".webm", "libvpx", {"cpu-used": "8", "g": "24"}))),
    "vp9 mkv": Case("7 codecs", recipe(Recipe(".mkv", "libvpx-vp9", ALT_REF))),
    "hevc": Case("7 codecs", recipe(Recipe(".mp4", "libx265", X265))),
    "hevc 10 bit": Case("7 codecs", recipe(Recipe(".mp4", "libx265", X265, pix_fmt="yuv420p10le"))),
    "rotated 90": Case("8 tracks and turns", recipe(Recipe(".mp4", options=GOP, rotation=90))),
    "rotated 180": Case("8 tracks and turns", recipe(Recipe(".mp4", options=GOP, rotation=180))),
    "rotated 270": Case("8 tracks and turns", recipe(Recipe(".mp4", options=GOP, rotation=270))),
    "pixels 4:3": Case("8 tracks and turns", wide_pixels),
    "cover picture first": Case("8 tracks and turns", tracks(".mp4", "cv")),
    "cover picture last": Case("8 tracks and turns", tracks(".mp4", "vc")),
    "sound first and longer": Case("8 tracks and turns", tracks(".mkv", "av")),
    "a larger track second": Case("8 tracks and turns", tracks(".mkv", "vw")),
    "clock jumps back": Case("10 streams that change", two_in_one(1)),
    "size doubles": Case("10 streams that change", two_in_one(2), None),
    "zero bytes": Case("11 no video", changed(FASTSTART, lambda data: b""), None),
    "text": Case("11 no video", changed(FASTSTART, lambda data: b"no video\n" * 500), None),
    "sound only": Case("11 no video", tracks(".m4a", "a"), None),
    "cut faststart mp4": Case("12 cut and damaged", changed(FASTSTART, cut), None),
    "cut mp4": Case("12 cut and damaged", changed(Recipe(".mp4", options=GOP), cut), None),
    "cut mkv file": Case("12 cut and damaged", changed(Recipe(".mkv", options=GOP), cut), None),
    "cut webm": Case("12 cut and damaged", changed(Recipe(".webm", "libvpx", {"g": "12", "cpu-used": "8"}), cut), None),
    "cut avi": Case("12 cut and damaged", changed(Recipe(".avi", "mpeg4", {"g": "12"}), cut), None),
    "cut ts": Case("12 cut and damaged", changed(Recipe(".ts", options=GOP), cut), None),
    "header only": Case("12 cut and damaged", changed(FASTSTART, lambda data: data[: media_start(data)]), None),
    "all frames zeroed": Case("12 cut and damaged", changed(FASTSTART, zeroed(1)), None),
    "first quarter zeroed": Case("12 cut and damaged", changed(FASTSTART, zeroed(0.25)), None),
    "200 bytes changed": Case("12 cut and damaged", changed(FASTSTART, flipped), None),
    "durations x10": Case("13 false headers", changed(NO_EDIT_LIST, header_durations(10, *HEADER))),
    "durations /10": Case("13 false headers", changed(NO_EDIT_LIST, header_durations(0.1, *HEADER))),
    "durations 0": Case("13 false headers", changed(NO_EDIT_LIST, header_durations(0, *HEADER))),
    "edit list /10": Case(
        "13 false headers", changed(Recipe(".mp4", options=GOP), header_durations(0.1, *HEADER, "elst")), range(6)
    ),
}  # fmt: skip
