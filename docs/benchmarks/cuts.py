"""Cuts found, clip by clip, as JSON lines; beside FFmpeg's ``scdet`` and PySceneDetect, each at its own settings.

    pip install scenedetect==0.7.2
    python docs/benchmarks/cuts.py FOLDER > docs/benchmarks/cuts.jsonl

FOLDER holds clips: video files, or folders of images, at any depth; folders named ``masks`` are left out. After them
come clips made here out of the shipped one: a cut, and what is none: a flash, and a pan that starts and stops at once.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.filter import Graph
from av.video.format import VideoFormat
from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode

from invr_core.io import open_video
from invr_core.shots import find_cuts
from invr_core.video import Video
from invr_tasks.demo_clip import demo_clip_path

VIDEOS = (".mp4", ".mkv", ".mov", ".webm", ".avi")
THRESHOLD = 10.0
"""That of ``scdet`` where none is given."""


def scdet(video: Video) -> list[int]:
    """The frames that FFmpeg's filter takes for the first of a shot."""
    height, width = video.size
    graph: Any = Graph()
    chain = [
        graph.add_buffer(width=width, height=height, format=VideoFormat("rgb24"), time_base=Fraction(1, 25)),
        graph.add("format", "yuv444p"),
        graph.add("scdet", f"threshold={THRESHOLD}"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()
    found = []
    for index in range(len(video)):
        picture = (video.read([index])[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 25)
        graph.push(frame)
        said = graph.pull().metadata
        if float(said.get("lavfi.scd.score", 0)) >= THRESHOLD:
            found.append(index)
    return found


def pyscenedetect(video: Video, detector: Any) -> list[int]:
    """The frames that one of PySceneDetect's detectors takes for the first of a shot."""
    found = []
    for index in range(len(video)):
        picture = (video.read([index])[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        found += detector.process_frame(FrameTimecode(index, 25.0), np.ascontiguousarray(picture[..., ::-1]))
    found += detector.post_process(FrameTimecode(len(video) - 1, 25.0))
    return [time.frame_num for time in found]


def clips(folder: Path) -> Iterator[tuple[str, Video]]:
    """Those in a folder, then those made here."""
    for path in sorted(folder.rglob("*")):
        pictures = path.is_dir() and path.name != "masks" and any(path.glob("*.[jp][pn]g"))
        if pictures or path.suffix.lower() in VIDEOS:
            yield path.relative_to(folder).as_posix(), open_video(path)
    given = open_video(demo_clip_path()).frames()
    first, other = given[:20], 1 - given[40:60].flip(3)
    yield "made: a cut", Video.of(torch.cat([first, other]))
    flash = given[:40].clone()
    flash[20:22] = flash[20:22].lerp(torch.ones(()), 0.8)
    yield "made: a flash", Video.of(flash)
    turn = torch.stack([given[0].roll(30 * i, 2) for i in range(20)])
    yield "made: a pan", Video.of(torch.cat([turn[:1].expand(10, -1, -1, -1), turn, turn[-1:].expand(10, -1, -1, -1)]))


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, video in clips(parser.parse_args().folder):
        began = time.process_time()
        cuts = find_cuts(video)
        seconds = time.process_time() - began
        line = {
            "clip": name,
            "frames": len(video),
            "cuts": cuts,
            "seconds": round(seconds, 3),
            "scdet": scdet(video),
            "pyscenedetect_adaptive": pyscenedetect(video, AdaptiveDetector()),
            "pyscenedetect_content": pyscenedetect(video, ContentDetector()),
            "versions": {"av": av.__version__, "scenedetect": version("scenedetect")},
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
