"""Noise removed by classical methods; its level is estimated, never told."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from invr_core.anscombe import Anscombe
from invr_core.noise import gaussian_level, noise_curve
from invr_tasks.bench.classical.given import Given, Mask, Method, rounded
from invr_tasks.bench.classical.inpainting import telea
from invr_tasks.pixels import Bytes, from_bytes

TV_WEIGHT = 0.9
"""Of total variation, for each unit of the noise's level."""
NLM_SOFTNESS = 0.8
"""The filter strength of non-local means for each unit of the level, as scikit-image's example has it."""
MULTI_STRENGTH = 0.6
"""The filter strength of OpenCV's non-local means over frames for each unit of the level."""
WINDOW = 3
"""Frames that it looks at."""
APART = 16
"""How far, of 255, an impulse is from the median of the 5x5 pixels around it, at the least."""


def level(picture: Bytes) -> float:
    """The standard deviation of the noise of one picture, on the scale of 0 to 255; see `invr_core.noise`."""
    return 255 * gaussian_level(from_bytes(picture[None]))


def identity(given: Given) -> Bytes:
    """What is given."""
    return given.pictures


def median3(given: Given) -> Bytes:
    """The median of 3x3 pixels, each channel by itself; `cv2.medianBlur`."""
    return np.stack([np.asarray(cv2.medianBlur(picture, 3), np.uint8) for picture in given.pictures])


def non_local_means(given: Given) -> Bytes:
    """Each picture by the patches that are like its own.

    Source:
        A. Buades et al., A Non-Local Algorithm for Image Denoising, CVPR 2005; `skimage.restoration.denoise_nl_means`.
    """

    return np.stack([_averaged(picture, level(picture) / 255) for picture in given.pictures])


def stabilised_means(given: Given) -> Bytes:
    """As `non_local_means`, of pictures whose noise, known to be that of light, the Anscombe transform has made alike.

    Source:
        `invr_core.anscombe`.
    """

    def one(picture: Bytes) -> Bytes:
        frame = from_bytes(picture[None])
        transform = Anscombe(*noise_curve(frame, certain=True))
        level = transform.level if transform.growth else gaussian_level(frame)
        clean = _means(transform(frame)[0].permute(1, 2, 0).numpy(), level)
        return rounded(255 * transform.undone(torch.from_numpy(clean)).numpy())

    return np.stack([one(picture) for picture in given.pictures])


def _averaged(picture: Bytes, sigma: float) -> Bytes:
    return rounded(255 * _means(np.asarray(picture / 255, np.float32), sigma))


def _means(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    strength = NLM_SOFTNESS * sigma
    clean = denoise_nl_means(image, h=strength, sigma=sigma, patch_size=5, patch_distance=6, channel_axis=2)
    return np.asarray(clean, np.float32)


def total_variation(given: Given) -> Bytes:
    """Each picture as the flattest one near it.

    Source:
        A. Chambolle, An Algorithm for Total Variation Minimization and Applications, JMIV 2004;
        `skimage.restoration.denoise_tv_chambolle`.
    """

    def one(picture: Bytes) -> Bytes:
        image, sigma = picture.astype(np.float32) / 255, level(picture) / 255
        return rounded(np.asarray(denoise_tv_chambolle(image, weight=TV_WEIGHT * sigma, channel_axis=2)) * 255)

    return np.stack([one(picture) for picture in given.pictures])


def non_local_means_in_time(given: Given) -> Bytes:
    """Each picture by the patches that are like its own, in its neighbours as well.

    Source:
        A. Buades et al., Denoising image sequences does not require motion estimation, AVSS 2005;
        `cv2.fastNlMeansDenoisingColoredMulti`.
    """
    reach = WINDOW // 2
    padded = [*given.pictures[reach:0:-1], *given.pictures, *given.pictures[-2 : -reach - 2 : -1]]
    if len(padded) < len(given.pictures) + 2 * reach:  # a clip shorter than the window
        padded = [given.pictures[0]] * reach + list(given.pictures) + [given.pictures[-1]] * reach
    lab = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in padded]
    strength = MULTI_STRENGTH * float(np.median([level(picture) for picture in given.pictures]))
    clean = [
        cv2.fastNlMeansDenoisingColoredMulti(lab, index + reach, WINDOW, None, strength, strength, 7, 21)
        for index in range(len(given.pictures))
    ]
    return np.stack([np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8) for picture in clean])


def bm3d_missing() -> str:
    """What has to be installed for `bm3d`, or ""."""
    licence = "its licence is for non-commercial use, so that invr never asks for it"
    return "" if find_spec("bm3d") else f"there is no bm3d; pip install bm3d ({licence})"


def bm3d(given: Given) -> Bytes:
    """Each picture by groups of patches, filtered together.

    Source:
        K. Dabov et al., Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering, TIP 2007; the package
        `bm3d`, whose licence is for non-commercial use: it is taken where it is installed, and is no dependency.
    """
    rgb = import_module("bm3d").bm3d_rgb
    return np.stack(
        [rounded(rgb(picture.astype(np.float64) / 255, level(picture) / 255) * 255) for picture in given.pictures]
    )


def impulses(picture: Bytes) -> Mask:
    """Pixels that are black or white in all channels, and unlike the median of their neighbourhood."""
    extreme = (picture == 0).all(2) | (picture == 255).all(2)
    around = np.asarray(cv2.medianBlur(picture, 5), np.float32)
    return np.asarray(extreme & (np.abs(picture - around).mean(2) > APART))


def detected(given: Given) -> Bytes:
    """Impulses found (`impulses`) and filled by `invr_tasks.bench.classical.inpainting.telea`; the rest untouched."""
    return np.stack([telea(picture, impulses(picture)) for picture in given.pictures])


def detected_and_averaged(given: Given) -> Bytes:
    """As `detected`, then `non_local_means`, with the level of what is no impulse."""

    def one(picture: Bytes) -> Bytes:
        hit = impulses(picture)
        known = torch.from_numpy(~hit).float()[None, None]
        return _averaged(telea(picture, hit), gaussian_level(from_bytes(picture[None]), known))

    return np.stack([one(picture) for picture in given.pictures])


EVERYWHERE, IMPULSIVE = ("gauss25", "gauss50", "poisson30"), ("sp10", "mixed25")
METHODS = (
    Method("none", identity, "numpy", "naive"),
    Method("non-local means", non_local_means, "scikit-image", settings=EVERYWHERE),
    Method("Anscombe + NLM", stabilised_means, "scikit-image", settings=("poisson30",)),
    Method("total variation", total_variation, "scikit-image", settings=EVERYWHERE),
    Method("non-local means in time", non_local_means_in_time, "opencv-python-headless", settings=EVERYWHERE),
    Method("BM3D", bm3d, "bm3d", settings=EVERYWHERE, missing=bm3d_missing),
    Method("median 3x3", median3, "opencv-python-headless", settings=IMPULSIVE),
    Method("detect + telea", detected, "opencv-python-headless", settings=IMPULSIVE),
    Method("detect + telea + NLM", detected_and_averaged, "scikit-image", settings=("mixed25",)),
)
