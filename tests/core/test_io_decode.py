"""Video files decode to the right frames at the right times; broken ones say so."""

from __future__ import annotations

import hashlib
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from invr_core.errors import BadFile
from invr_core.io import open_video, save_video
from invr_core.io.graph import Pixels
from invr_core.io.scratch import Scratch
from invr_core.video import Video

BUNNY = "ed47a3936cc404e9ebb2fee97fe8ffffcaaa40c728a16390ababf010fe298350"
"""sha256 of the decoded frames of the shipped clip, (64, 3, 160, 320) uint8."""

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (30, 90, 160), (128, 128, 128)]
WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
"""Kr and Kb of the standards."""


def whole(video: Video) -> torch.Tensor:
    return (video.frames() * 255).round().to(torch.uint8)


def bars(standard: str, full: bool, bits: int) -> list[np.ndarray]:
    """The Y, Cb and Cr planes of vertical bars of `COLOURS`, (32, 96), computed from the standard's definition."""
    kr, kb = WEIGHTS[standard]
    red, green, blue = (np.repeat(np.array(c) / 255, 16) for c in zip(*COLOURS, strict=True))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    top, scale = 2**bits - 1, 2 ** (bits - 8)
    if full:
        planes = [luma * top, *(c * top + 2 ** (bits - 1) for c in chroma)]
    else:
        planes = [(16 + 219 * luma) * scale, *((128 + 224 * c) * scale for c in chroma)]
    return [np.tile(np.clip(np.rint(p), 0, top), (32, 1)) for p in planes]


def write(path: Path, frames: list[av.VideoFrame], codec: str, tags: tuple[int, int] = (2, 0), **options: str) -> None:
    """Encode frames as they are, 25 per second, with FFmpeg's numbers for matrix and range as tags."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        stream.codec_context.colorspace, stream.codec_context.color_range = tags
        for i, frame in enumerate(frames):
            frame.pts, frame.time_base = i, Fraction(1, 25)
            frame.colorspace, frame.color_range = tags
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def frame_of(planes: list[np.ndarray], bits: int) -> av.VideoFrame:
    """A 4:4:4 frame."""
    height, width = planes[0].shape
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    frame = av.VideoFrame(width, height, "yuv444p" if bits == 8 else f"yuv444p{bits}le")
    for plane, values in zip(frame.planes, planes, strict=True):
        padded = np.zeros((height, plane.line_size // dtype.itemsize), dtype)
        padded[:, :width] = values
        plane.update(padded.tobytes())
    return frame


def test_the_shipped_clip_decodes_to_the_bit(bunny_path: Path) -> None:
    video = open_video(bunny_path)
    assert (len(video), video.size, video.channels, video.depth) == (64, (160, 320), 3, 8)
    assert video.times.tolist() == [k / 25 for k in range(64)]
    frames = whole(video)
    assert hashlib.sha256(frames.numpy().tobytes()).hexdigest() == BUNNY
    capture = cv2.VideoCapture(str(bunny_path))
    for k in range(64):
        assert np.array_equal(capture.read()[1][..., ::-1], frames[k].permute(1, 2, 0).numpy()), k


def test_frames_are_read_at_random(bunny_path: Path) -> None:
    video = open_video(bunny_path)
    together = video.frames()
    assert together.dtype == torch.float32
    assert 0 <= float(together.min()) < float(together.max()) <= 1
    assert torch.equal(video.read([40, 3, 3]), together[[40, 3, 3]])
    assert torch.equal(video[10:20:3].frames(), together[10:20:3])


@pytest.mark.parametrize(("bits", "exact"), [(8, 2.1), (10, 0.6), (16, 0.02)])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    ("standard", "tag"),
    [("601", 2), ("601", 5), ("601", 6), ("709", 1), ("2020", 9)],
    ids=["untagged", "5", "6", "709", "2020"],
)
def test_colour_tags_are_honoured(tmp_path: Path, standard: str, tag: int, full: bool, bits: int, exact: float) -> None:
    frame = frame_of(bars(standard, full, bits), bits)
    write(tmp_path / "bars.mkv", [frame], "ffv1", (tag, 2 if full else 1))
    picture = open_video(tmp_path / "bars.mkv").frames()[0, :, 16, 8::16].T * 255
    assert (picture - torch.tensor(COLOURS)).abs().max() < exact


def test_untagged_is_bt601_limited(tmp_path: Path) -> None:
    write(tmp_path / "bars.mp4", [frame_of(bars("601", False, 8), 8)], "libx264", qp="0")
    picture = open_video(tmp_path / "bars.mp4").frames()[0, :, 16, 8::16].T * 255
    assert (picture - torch.tensor(COLOURS)).abs().max() < 2.1


def test_more_than_8_bits_are_kept(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(64, 940, 512).round(), (4, 1))
    grey = np.full_like(ramp, 512)
    write(tmp_path / "ramp.mkv", [frame_of([ramp, grey, grey], 10)], "ffv1", (1, 1))
    video = open_video(tmp_path / "ramp.mkv")
    assert video.depth == 10
    row = video.frames()[0, 1, 2]
    assert len(row.unique()) > 500
    assert (row - (torch.from_numpy(ramp[0]) - 64) / 876).abs().max() < 1e-3


TURNS = {
    "clockwise": ((0, 1, -1, 0), lambda f: np.rot90(f, -1, (2, 3))),
    "upside down": ((-1, 0, 0, -1), lambda f: np.rot90(f, 2, (2, 3))),
    "counterclockwise": ((0, -1, 1, 0), lambda f: np.rot90(f, 1, (2, 3))),
    "mirrored": ((-1, 0, 0, 1), lambda f: f[..., ::-1]),
    "flipped": ((1, 0, 0, -1), lambda f: f[:, :, ::-1]),
    "nearly clockwise": ((0.002, 1, -1, 0.002), lambda f: np.rot90(f, -1, (2, 3))),
    "transposed": ((0, 1, 1, 0), lambda f: f.swapaxes(2, 3)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_the_display_matrix_is_applied(tmp_path: Path, bunny_path: Path, turn: str) -> None:
    (a, b, c, d), expected = TURNS[turn]
    data = bytearray(bunny_path.read_bytes())
    matrix = data.find(b"tkhd") + 44
    a, b, c, d = (round(entry * 65536) for entry in (a, b, c, d))
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    turned = open_video(tmp_path / "turned.mp4", pytest.fail)
    upright = expected(open_video(bunny_path).read([0, 30]).numpy())
    assert turned.size == upright.shape[2:]
    assert np.abs(turned.read([0, 30]).numpy() - upright).max() <= 2.5 / 255


@pytest.mark.parametrize("cosine", [0.8, -0.8, 0.1])
def test_a_slant_is_left_out_and_told(tmp_path: Path, bunny_path: Path, cosine: float) -> None:
    data = bytearray(bunny_path.read_bytes())
    matrix = data.find(b"tkhd") + 44
    c, s = round(cosine * 65536), round((1 - cosine**2) ** 0.5 * 65536)
    data[matrix : matrix + 36] = struct.pack(">9i", c, s, 0, -s, c, 0, 0, 0, 1 << 30)
    (tmp_path / "slanted.mp4").write_bytes(data)
    notes: list[str] = []
    video = open_video(tmp_path / "slanted.mp4", notes.append)
    said = "slanted.mp4 asks to be shown at a slant; that is left out, the frames are taken as they are coded"
    assert notes == [said]
    assert torch.equal(video.read([0, 30]), open_video(bunny_path).read([0, 30]))


def test_gifs_move(tmp_path: Path) -> None:
    frames = torch.zeros(3, 3, 8, 12)
    for i in range(3):
        frames[i, i] = 1
    Video.of(frames, torch.tensor([0.0, 0.1, 0.5])).save(tmp_path / "a.gif")
    video = open_video(tmp_path / "a.gif")
    assert video.times.tolist() == pytest.approx([0, 0.1, 0.5])
    assert torch.equal(video.frames(), frames)


@pytest.mark.parametrize("share", [0.75, 0.5, 0.3])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_a_truncated_file_gives_what_is_whole(
    tmp_path: Path, bunny_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, share: float
) -> None:
    path = tmp_path / f"clip{suffix}"
    save_video(open_video(bunny_path)[:24].map(lambda frames: frames[..., :80, :120]), path)
    given = open_video(path, on_note=pytest.fail)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    notes: list[str] = []
    cut = open_video(path, notes.append)
    assert 1 <= len(cut) <= 24 * share + 2
    assert notes == [f"clip{suffix} is damaged: {len(cut)} frames could be decoded, the rest is left out"]
    usual = max(1, len(cut) - 3)  # the last frames before the cut may lack a reference, or be cut themselves
    assert torch.equal(cut[:usual].frames(), given[:usual].frames())
    assert torch.equal(cut.times[:usual], given.times[:usual])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("lost", [1, 2, 20])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_between_two_frames_is_noticed(tmp_path: Path, bunny_path: Path, suffix: str, lost: int) -> None:
    path = tmp_path / f"cut{suffix}"
    with (
        av.open(str(bunny_path)) as source,
        av.open(str(path), "w", container_options={"movflags": "faststart"}) as copy,
    ):
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    whole = open_video(path, on_note=pytest.fail)
    with av.open(str(path)) as container:
        ends = sorted(p.pos + p.size for p in container.demux(video=0) if p.size and p.pos)
    path.write_bytes(path.read_bytes()[: ends[-1 - lost]])
    notes: list[str] = []
    left = len(open_video(path, notes.append))
    assert len(whole) - lost - 1 <= left < len(whole)
    assert notes == [f"cut{suffix} is damaged: {left} frames could be decoded, the rest is left out"]


def test_a_clip_that_is_sent_while_it_is_made_is_as_long_as_its_tags_say(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    Video.of(torch.rand(4, 3, 8, 8), torch.tensor([0.0, 3723.96, 3724, 3724.04])).save(path)
    data = bytearray(path.read_bytes())
    size = data.index(b"\x18\x53\x80\x67") + 4
    data[size : size + 8] = b"\1" + b"\xff" * 7  # the segment does not say where it ends
    path.write_bytes(data)
    assert len(open_video(path, on_note=pytest.fail)) == 4
    with av.open(str(path)) as container:
        begins = sorted(p.pos for p in container.demux(video=0) if p.size and p.pos)
    path.write_bytes(data[: begins[-1]])
    notes: list[str] = []
    assert len(open_video(path, notes.append)) == 3
    assert notes == ["a.mkv is damaged: 3 frames could be decoded, the rest is left out"]


def test_samples_of_8_bits_are_kept_in_a_byte_each(bunny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, keep = set(), Scratch.append

    def append(scratch: Scratch, picture: Pixels) -> None:
        kept.add(picture.dtype)
        keep(scratch, picture)

    monkeypatch.setattr(Scratch, "append", append)
    assert len(open_video(bunny_path)) and kept == {np.dtype(np.uint8)}


def sound(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=44100, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
        samples.sample_rate, samples.pts = 44100, 0
        container.mux(stream.encode(samples))
        container.mux(stream.encode(None))
    return path


def test_files_without_a_video_are_refused(tmp_path: Path, bunny_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("not a video\n" * 50)
    (tmp_path / "text.txt").write_text("not a video\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "head.mp4").write_bytes(bunny_path.read_bytes()[:5000])
    (tmp_path / "noise.bin").write_bytes(np.random.default_rng(0).bytes(9999))
    sound(tmp_path / "sound.wav", "pcm_s16le")
    reasons = {
        "absent.mp4": "does not exist",
        "text.mp4": "not a video",
        "text.txt": "not a video",
        "empty.mp4": "is empty",
        "head.mp4": "no frame of .* could be decoded",
        "noise.bin": "not a video",
        "sound.wav": "no video stream",
    }
    for name, reason in reasons.items():
        with pytest.raises(BadFile, match=reason) as caught:
            open_video(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_the_cover_of_a_sound_file_is_no_video(tmp_path: Path) -> None:
    cover = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    body = b"\0image/jpeg\0\x03\0" + cover
    tag = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes(len(tag) >> shift & 127 for shift in (21, 14, 7, 0))
    data = sound(tmp_path / "plain.mp3", "libmp3lame").read_bytes()
    (tmp_path / "song.mp3").write_bytes(b"ID3\x03\0\0" + size + tag + data[data.find(b"\xff\xfb") :])
    with pytest.raises(BadFile, match="no video stream"):
        open_video(tmp_path / "song.mp3")


def test_transparent_video_is_refused(tmp_path: Path) -> None:
    for value, name in ((255, "opaque.mkv"), (200, "clear.mkv")):
        frame = av.VideoFrame.from_ndarray(np.full((8, 8, 4), value, np.uint8), "bgra")
        write(tmp_path / name, [frame], "ffv1")
    assert open_video(tmp_path / "opaque.mkv").frames().min() == 1
    with pytest.raises(BadFile, match="transparent"):
        open_video(tmp_path / "clear.mkv")


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels", "profile"),
    [(".mov", "prores_ks", "yuva444p10le", "4"), (".webm", "libvpx-vp9", "yuva420p", "0")],
    ids=["ProRes 4444", "VP9"],
)
def test_transparent_yuv_is_refused(tmp_path: Path, suffix: str, codec: str, pixels: str, profile: str) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 4), 200, np.uint8), "rgba").reformat(format=pixels)
    write(tmp_path / f"clear{suffix}", [frame], codec, profile=profile)
    with pytest.raises(BadFile, match=f"clear{suffix} has transparent pixels, and a video has none; flatten it"):
        open_video(tmp_path / f"clear{suffix}")


def test_a_flattened_clip_that_still_says_it_has_alpha_is_read(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "flat.webm"), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["alpha_mode"] = "1"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    assert len(open_video(tmp_path / "flat.webm")) == 1


def test_a_change_of_size_is_refused(tmp_path: Path) -> None:
    pictures = [cv2.imencode(".jpg", np.zeros((size, size, 3), np.uint8))[1].tobytes() for size in (32, 32, 48)]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(pictures))
    with pytest.raises(BadFile, match="changes its size from 32x32 to 48x48 at frame 2"):
        open_video(tmp_path / "a.mjpeg")


def test_names_that_look_like_addresses_are_names(tmp_path: Path, bunny_path: Path) -> None:
    path = tmp_path / "http:%03d #?.mp4"
    path.write_bytes(bunny_path.read_bytes())
    assert len(open_video(path)) == 64


def test_what_is_odd_is_noted(tmp_path: Path) -> None:
    frame = frame_of(bars("709", False, 8), 8)
    with av.open(str(tmp_path / "odd.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 32, "yuv444p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
        stream.codec_context.color_trc = 16
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    notes: list[str] = []
    open_video(tmp_path / "odd.mp4", notes.append)
    assert notes == [
        "odd.mp4 has pixels of shape 16:15; the fit takes them as square",
        "odd.mp4 is HDR (PQ); its values are taken as they are, without tone mapping",
    ]
