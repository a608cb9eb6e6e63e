"""Whether a static logo can be found without being told where: the two plain classical detectors, as JSON lines.

    python docs/benchmarks/logo.py FOLDER > docs/benchmarks/logo.jsonl

FOLDER holds clips: video files, or folders of images, at any depth; folders named ``masks`` are left out. The shipped
clip comes first. Each is looked at as it is, and with a logo of two kinds at two places: a line for each detector.

A detector marks the pixels whose gradient stays while the picture changes: *median*, the magnitude of the median
gradient over the frames (Dekel et al., On the Effectiveness of Visible Watermarks, CVPR 2017, equation 3); *minimum*,
the least magnitude of the gradient over the frames; *variance*, edges of the mean frame whose pixels hardly vary. What
is marked is closed and filled, and small specks are dropped. Each has one threshold for all clips: of `LEVELS` that
which is right most often on these very clips, so in its favour. A line for each threshold comes first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from invr_core.io import open_video
from invr_core.video import Video
from invr_tasks.demo_clip import demo_clip_path

VIDEOS = (".mp4", ".mkv", ".mov", ".webm", ".avi")
WIDTH, MOST = 320, 24
"""Pixels across, and frames, of what is looked at."""
LEAST = 8
"""Frames below which it is no clip."""
SPECK = 0.001
"""Part of the frame below which what is marked is dropped."""
LEVELS = np.geomspace(0.01, 0.2, 14).round(4).tolist()
"""Thresholds that are tried, in grey levels from 0 to 1 a pixel."""
Frames = NDArray[np.float32]
"""(N, H, W), grey in [0, 1]."""
Map = NDArray[Any]
"""(H, W)."""


def gradients(frames: Frames) -> tuple[Frames, Frames]:
    """Horizontal and vertical, by central differences over slightly blurred frames."""
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.7) for frame in frames])
    return np.gradient(soft, axis=2), np.gradient(soft, axis=1)


def median(frames: Frames) -> Map:
    """How strong the median gradient is."""
    across, down = gradients(frames)
    return np.hypot(np.median(across, 0), np.median(down, 0))


def minimum(frames: Frames) -> Map:
    """How strong the gradient is at least."""
    return np.hypot(*gradients(frames)).min(0)


def variance(frames: Frames) -> Map:
    """How strong the gradient of the mean frame is, where the frames differ at most half as much as usual."""
    across, down = gradients(frames.mean(0, keepdims=True))
    deviation = frames.std(0)
    return np.hypot(across[0], down[0]) * (deviation < 0.5 * np.median(deviation))


DETECTORS: dict[str, Callable[[Frames], Map]] = {"median": median, "minimum": minimum, "variance": variance}


def filled(marked: Map) -> Map:
    """The regions that marks outline: closed, their holes filled, without specks."""
    closed = cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    regions = np.zeros_like(closed)
    kept = [line for line in outlines if cv2.contourArea(line) > SPECK * marked.size]
    cv2.drawContours(regions, kept, -1, 1, cv2.FILLED)
    return regions > 0


def grey(video: Video) -> Frames:
    """Up to `MOST` frames, evenly spread, `WIDTH` across."""
    chosen = np.unique(np.linspace(0, len(video) - 1, min(MOST, len(video))).round().astype(int))
    height = round(video.size[0] * WIDTH / video.size[1])
    pictures = (video.read([int(i)])[0].mean(0).numpy() for i in chosen)
    return np.stack([cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA) for picture in pictures])


def with_logo(frames: Frames, kind: str, place: str) -> tuple[Frames, Map]:
    """Frames with a logo of a ring and letters on a plate, and where the plate lies."""
    height, width = frames.shape[1] // 6, WIDTH // 5
    drawn = np.full((height, width), 230, np.uint8)
    cv2.circle(drawn, (height // 2, height // 2), height // 3, 25, 2)
    cv2.putText(drawn, "TV", (height, height * 3 // 4), cv2.FONT_HERSHEY_SIMPLEX, height / 60, 25, 2)
    logo = drawn.astype(np.float32) / 255
    top, left = {"corner": (8, WIDTH - width - 8), "middle": (frames.shape[1] // 2, WIDTH // 3)}[place]
    area = np.s_[top : top + height, left : left + width]
    truth, covered = np.zeros(frames.shape[1:], bool), frames.copy()
    truth[area] = True
    share = {"opaque": 1.0, "half": 0.5}[kind]
    covered[:, area[0], area[1]] = (1 - share) * frames[:, area[0], area[1]] + share * logo
    return covered, truth


def clips(folder: Path) -> Iterator[tuple[str, Frames]]:
    """The shipped one, then those of the folder."""
    yield "shipped", grey(open_video(demo_clip_path()))
    for path in sorted(folder.rglob("*")):
        pictures = path.is_dir() and path.name != "masks" and any(path.glob("*.[jp][pn]g"))
        if pictures or path.suffix.lower() in VIDEOS:
            video = open_video(path)
            if len(video) >= LEAST:
                yield path.relative_to(folder).as_posix(), grey(video)


def cases(folder: Path) -> Iterator[tuple[dict[str, Any], Frames, Map]]:
    """What is looked at: what it is, its frames, and where its logo is."""
    for name, frames in clips(folder):
        yield {"clip": name, "frames": len(frames), "logo": None}, frames, np.zeros(frames.shape[1:], bool)
        for kind in ("opaque", "half"):
            for place in ("corner", "middle"):
                about = {"clip": name, "frames": len(frames), "logo": kind, "place": place}
                yield about, *with_logo(frames, kind, place)


def scored(found: Map, truth: Map) -> dict[str, Any]:
    """How what is found fits; `best` is the overlap of the one region that fits best, chosen by the truth."""
    count, regions = cv2.connectedComponents(found.astype(np.uint8))
    fits = [
        float((region & truth).sum() / (region | truth).sum()) for region in (regions == i for i in range(1, count))
    ]
    overlap = float((found & truth).sum() / (found | truth).sum()) if truth.any() else None
    return {
        "iou": None if overlap is None else round(overlap, 3),
        "best": None if overlap is None else round(max(fits, default=0.0), 3),
        "false": round(float((found & ~truth).mean()), 4),
        "right": not found.any() if overlap is None else overlap > 0.8,
    }


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = list(cases(parser.parse_args().folder))
    for name, detect in DETECTORS.items():
        strengths, tried = [detect(frames) for _, frames, _ in given], {}
        for level in LEVELS:
            scores = tried[level] = [
                scored(filled(strength > level), truth)
                for strength, (_, _, truth) in zip(strengths, given, strict=True)
            ]
            line: dict[str, Any] = {"detector": name, "level": level}
            for key, wanted in (("logos", True), ("clean", False)):
                part = [s["right"] for s in scores if (s["iou"] is not None) == wanted]
                line[key], line[f"{key}_right"] = len(part), sum(part)
            print(json.dumps(line), flush=True)
        level = max(LEVELS, key=lambda level: sum(score["right"] for score in tried[level]))
        for (about, _, _), score in zip(given, tried[level], strict=True):
            print(json.dumps({"detector": name, "level": level, **about, **score}), flush=True)


if __name__ == "__main__":
    main()
