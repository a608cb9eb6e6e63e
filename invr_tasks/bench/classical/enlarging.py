"""Pictures made larger by classical kernels."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from PIL import Image

from invr_tasks.bench.classical.given import Given, Method
from invr_tasks.pixels import Bytes


def by_opencv(given: Given, kernel: int) -> Bytes:
    """`cv2.resize`.

    Source:
        R. Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981 (OpenCV's has a = -0.75), and
        C. Duchon, Lanczos Filtering in One and Two Dimensions, 1979 (of 8x8 pixels).
    """
    height, width = given.size
    large = [cv2.resize(picture, (width, height), interpolation=kernel) for picture in given.pictures]
    return np.stack([np.asarray(picture, np.uint8) for picture in large])


def by_pillow(given: Given) -> Bytes:
    """Lanczos of 6x6 pixels; `PIL.Image.resize`."""
    height, width = given.size
    images = (Image.fromarray(picture) for picture in given.pictures)
    return np.stack([np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)) for image in images])


METHODS = (
    Method("bicubic", partial(by_opencv, kernel=cv2.INTER_CUBIC), "opencv-python-headless", "naive"),
    Method("lanczos4", partial(by_opencv, kernel=cv2.INTER_LANCZOS4), "opencv-python-headless"),
    Method("lanczos (Pillow)", by_pillow, "pillow"),
)
