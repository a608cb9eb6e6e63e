"""How close a clip is to the truth: PSNR and SSIM of scikit-image on 8-bit frames, frame by frame, then the mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.pixels import Bytes, to_bytes

CAP = 100.0
"""The PSNR, in dB, of frames that are equal, and the most that any frame counts."""
TOLERANCE = 1e-6
"""Seconds by which the instants of two frames may differ and still be taken as the same."""
WINDOW = 7
"""Side of the window of SSIM, in pixels; smaller frames get the largest odd one that fits."""

Perceptual = Callable[[Tensor, Tensor], list[float]]
"""(n, 3, H, W) frames in [0, 1], and the true ones -> a distance for each; see `invr_tasks.perceptual.Lpips`."""


@dataclass(frozen=True)
class FrameScores:
    """The scores of one frame.

    Args:
        time: seconds.
        psnr: dB over the judged pixels; None where none of this frame is judged.
        psnr_frame: dB over the whole frame.
        ssim: of the whole frame.
        lpips: of the whole frame; None if it was not asked for.
    """

    time: float
    psnr: float | None
    psnr_frame: float
    ssim: float
    lpips: float | None = None

    @classmethod
    def of(
        cls,
        time: float,
        picture: Tensor,
        truth: Tensor,
        weight: NDArray[Any] | None = None,
        perceptual: Perceptual | None = None,
    ) -> FrameScores:
        """Score one frame, rounded to 8 bits.

        Args:
            time: seconds.
            picture: (1, C, H, W) float32 in [0, 1].
            truth: the same shape.
            weight: (H, W), at least 0: how much each pixel counts for ``psnr``; None: all the same.
            perceptual: a further distance of the whole frame, for ``lpips``.
        """
        given, wanted = to_bytes(picture)[0], to_bytes(truth)[0]
        whole = psnr(given, wanted)
        if weight is None or bool((weight == 1).all()):
            judged: float | None = whole
        else:
            judged = psnr(given, wanted, weight) if bool((weight > 0).any()) else None
        rounded = [torch.from_numpy(side).permute(2, 0, 1)[None].float() / 255 for side in (given, wanted)]
        distance = perceptual(rounded[0], rounded[1])[0] if perceptual else None
        return cls(time, judged, whole, ssim(given, wanted), distance)


@dataclass(frozen=True)
class Scores:
    """The scores of a clip: means over its judged frames.

    Args:
        psnr: dB over the judged pixels, the mean over the frames that have some. This is the one that counts.
        psnr_frame: dB over whole frames.
        ssim: of whole frames.
        lpips: of whole frames; None if it was not asked for.
        frames: the judged frames, in order of time.
    """

    psnr: float
    psnr_frame: float
    ssim: float
    lpips: float | None
    frames: tuple[FrameScores, ...]

    @classmethod
    def of(cls, frames: Sequence[FrameScores]) -> Scores:
        """The means of the scores of frames.

        Raises:
            BadInput: if no pixel of them is judged.
        """
        counted = [frame.psnr for frame in frames if frame.psnr is not None]
        if not counted:
            raise BadInput("nothing is judged: the weights are 0 everywhere; give some pixels a weight above 0")
        distances = [frame.lpips for frame in frames if frame.lpips is not None]
        return cls(
            psnr=fmean(counted),
            psnr_frame=fmean(frame.psnr_frame for frame in frames),
            ssim=fmean(frame.ssim for frame in frames),
            lpips=fmean(distances) if distances else None,
            frames=tuple(frames),
        )

    def as_dict(self) -> dict[str, Any]:
        """The scores as JSON values."""
        return asdict(self)


def psnr(picture: Bytes, truth: Bytes, weight: NDArray[np.floating[Any]] | None = None) -> float:
    """Peak signal-to-noise ratio, at most `CAP`.

    Args:
        picture: (H, W, C) uint8.
        truth: the same shape.
        weight: (H, W), at least 0, not all 0: how much each pixel counts; None: all the same.

    Returns:
        dB.

    Example:
        >>> dark, light = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
        >>> psnr(dark, dark), psnr(dark, light)
        (100.0, 0.0)
    """
    if weight is None:
        if np.array_equal(picture, truth):
            return CAP
        ratio = peak_signal_noise_ratio(truth, picture, data_range=255)
        return min(CAP, float(ratio))
    squares = np.square(picture.astype(np.float64) - truth.astype(np.float64)).mean(axis=2)
    error = float(np.average(squares, weights=weight))
    return CAP if error == 0 else min(CAP, 10 * float(np.log10(255**2 / error)))


def ssim(picture: Bytes, truth: Bytes) -> float:
    """Structural similarity as scikit-image has it by default: a uniform window of `WINDOW`, the mean over channels.

    Args:
        picture: (H, W, C) uint8, both sides at least 3.
        truth: the same shape.

    Returns:
        At most 1.

    Raises:
        BadInput: if a side is under 3 pixels.
    """
    side = min(picture.shape[:2])
    if side < 3:
        raise BadInput(f"SSIM needs frames of at least 3x3 pixels, got {picture.shape[1]}x{picture.shape[0]}")
    window = min(WINDOW, side - (side + 1) % 2)
    similarity = structural_similarity(truth, picture, channel_axis=2, data_range=255, win_size=window)
    return float(similarity)


def compare(video: Video, truth: Video, judged: Video | None = None, perceptual: Perceptual | None = None) -> Scores:
    """Score a clip against the truth, one frame in memory at a time.

    Frames are rounded to 8 bits first, and matched by their time.

    Args:
        video: the answer.
        truth: the clip it should be; it has the same size.
        judged: where scores count, as `Task.judged` gives it: its times choose the frames, its weights, (n, 1, H, W)
            in [0, 1], how much each pixel counts for ``psnr``. None: all of ``truth``.
        perceptual: a further distance of whole frames, for `Scores.lpips`.

    Returns:
        The means, and the scores of each judged frame.

    Raises:
        BadInput: if sizes differ, either clip has no frame at a judged instant, or no pixel at all is judged.
    """
    check_shapes(video, truth, judged)
    times = truth.times if judged is None else judged.times
    answers, truths = matched(video.times, times, "answer"), matched(truth.times, times, "truth")
    scored = []
    for place, (time, answer, true) in enumerate(zip(times.tolist(), answers, truths, strict=True)):
        weight = None if judged is None else judged.read([place])[0, 0].numpy()
        scored.append(FrameScores.of(time, video.read([answer]), truth.read([true]), weight, perceptual))
    return Scores.of(scored)


def check_shapes(video: Video, truth: Video, judged: Video | None) -> None:
    """Refuse what cannot be compared.

    Args:
        video: as in `compare`.
        truth: as there.
        judged: as there.

    Raises:
        BadInput: if sizes or channels differ.
    """
    shapes = {"answer": (video.size, video.channels), "truth": (truth.size, truth.channels)}
    if shapes["answer"] != shapes["truth"]:
        described = (f"the {name} is {w}x{h} with {c} channels" for name, ((h, w), c) in shapes.items())
        raise BadInput(f"only clips of one size can be compared: {', '.join(described)}")
    if judged is not None and (judged.size, judged.channels) != (truth.size, 1):
        raise BadInput(
            f"the weights are {judged.size[1]}x{judged.size[0]} with {judged.channels} channels; "
            f"they must be {truth.size[1]}x{truth.size[0]} with 1, as the truth"
        )


def matched(times: Tensor, wanted: Tensor, name: str) -> list[int]:
    """Which frames are at the instants that are judged.

    Args:
        times: (n,) float64 seconds, increasing: those of the frames.
        wanted: (m,) float64 seconds, the instants.
        name: of the clip, for the message.

    Returns:
        m indices into ``times``.

    Raises:
        BadInput: if there is no frame at one of them.
    """
    indices = nearest(times, wanted)
    gaps = (times[indices] - wanted).abs()
    if bool((gaps > TOLERANCE).any()):
        worst = int(gaps.argmax())
        raise BadInput(
            f"the {name} has no frame at {float(wanted[worst]):.6f} s, which is judged; the nearest is at "
            f"{float(times[indices[worst]]):.6f} s. Judge only instants that both clips show"
        )
    return [int(index) for index in indices]


def nearest(times: Tensor, wanted: Tensor) -> Tensor:
    """The index of the instant nearest to each of some others; of two as near, the earlier.

    Args:
        times: (n,) float64 seconds, increasing, n at least 1.
        wanted: (m,) float64 seconds.

    Returns:
        (m,) int64.

    Example:
        >>> nearest(torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([-1.0, 0.5, 1.6, 9.0]).double()).tolist()
        [0, 0, 2, 2]
    """
    after = torch.searchsorted(times, wanted).clamp(max=len(times) - 1)
    before = (after - 1).clamp(min=0)
    return torch.where((wanted - times[before]).abs() <= (times[after] - wanted).abs(), before, after)
