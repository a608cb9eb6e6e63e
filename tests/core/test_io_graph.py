"""Chains of filters, and 16-bit samples into a plane and out of it."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.frame import VideoFrame

from invr_core.io.graph import Chain, fill, samples


@pytest.mark.parametrize("width", [1, 5, 31, 32, 33])
def test_samples_come_back_whatever_the_padding_of_a_row(width: int) -> None:
    plane = VideoFrame(width, 3, "gray16le").planes[0]
    values = np.random.default_rng(0).integers(0, 65536, (3, width), dtype=np.uint16)
    fill(plane, values)
    assert samples(plane).dtype == np.uint16 and np.array_equal(samples(plane), values)
    if plane.line_size > 2 * width:
        assert bytes(plane)[2 * width : plane.line_size].count(0) == plane.line_size - 2 * width


def test_filters_work_one_after_the_other() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    chain = Chain(6, 4, "rgb24", ["hflip", "crop=w=4:h=2:x=1:y=0", "vflip"])
    for shown in (picture, 255 - picture):
        found = chain(VideoFrame.from_ndarray(shown, "rgb24")).to_ndarray()
        assert np.array_equal(found, shown[:, ::-1][:2, 1:5][::-1])
    plain = Chain(6, 4, "rgb24", [])
    assert np.array_equal(plain(VideoFrame.from_ndarray(picture, "rgb24")).to_ndarray(), picture)
