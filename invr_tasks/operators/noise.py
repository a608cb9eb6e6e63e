"""Noise on a clip, seeded. One generator runs through the frames in order, so the first frames of a clip get the same
noise whatever its length.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.pixels import Bytes, to_bytes


def add_gaussian(video: Video, sigma: float, seed: int = 0) -> Video:
    """Independent Gaussian noise in every sample, clipped and rounded to 8 bits.

    Args:
        video: the clean clip.
        sigma: standard deviation, on the scale of 0 to 255.
        seed: at least 0; the same seed gives the same bytes.

    Returns:
        The noisy clip, in memory as bytes.

    Raises:
        BadInput: if sigma is not a number of at least 0.
    """
    if not 0 <= sigma < float("inf"):
        raise BadInput(f"the noise needs a sigma of at least 0 (of 255), got {sigma}")
    rng = np.random.default_rng(seed)

    def corrupt(picture: Bytes) -> Bytes:
        noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(sigma)
        return np.rint(picture.astype(np.float32) + noise).clip(0, 255).astype(np.uint8)

    return _in_order(video, corrupt)


def add_poisson(video: Video, peak: float, seed: int = 0) -> Video:
    """The noise of light that is counted: its variance is as large as the mean number of photons.

    Args:
        video: the clean clip.
        peak: photons that white amounts to, in the mean.
        seed: at least 0; the same seed gives the same bytes.

    Returns:
        The noisy clip, in memory as bytes.

    Raises:
        BadInput: if peak is not a number above 0.
    """
    if not 0 < peak < float("inf"):
        raise BadInput(f"the noise of light needs a peak above 0 photons, got {peak}")
    rng = np.random.default_rng(seed)

    def corrupt(picture: Bytes) -> Bytes:
        photons = rng.poisson(picture / 255 * peak)
        return np.rint(photons / peak * 255).clip(0, 255).astype(np.uint8)

    return _in_order(video, corrupt)


def add_salt_pepper(video: Video, fraction: float = 0.10, seed: int = 0) -> Video:
    """Some pixels, all channels together, become black or white, half of them each.

    Args:
        video: the clean clip.
        fraction: how many of the pixels, in [0, 1].
        seed: at least 0; the same seed gives the same bytes.

    Returns:
        The noisy clip, in memory as bytes.

    Raises:
        BadInput: if fraction is outside [0, 1].
    """
    if not 0 <= fraction <= 1:
        raise BadInput(f"the fraction of noisy pixels must lie between 0 and 1, got {fraction}")
    rng = np.random.default_rng(seed)

    def corrupt(picture: Bytes) -> Bytes:
        lot = rng.random(picture.shape[:2], dtype=np.float32)
        noisy = picture.copy()
        noisy[lot < fraction / 2] = 0
        noisy[(lot >= fraction / 2) & (lot < fraction)] = 255
        return noisy

    return _in_order(video, corrupt)


def _in_order(video: Video, fn: Callable[[Bytes], Bytes]) -> Video:
    """Apply ``fn`` to the frames one after the other, (H, W, C) uint8 each, and keep the bytes."""
    pictures = np.stack([fn(to_bytes(video.read([index]))[0]) for index in range(len(video))])
    return Video.of(torch.from_numpy(pictures.transpose(0, 3, 1, 2)), video.times)
