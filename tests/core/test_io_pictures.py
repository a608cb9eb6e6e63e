"""Images and folders of images: exact in 8 and 16 bits, in natural order, refused when broken."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.errors import BadFile
from invr_core.io import open_video

RNG = np.random.default_rng(0)
SHALLOW = RNG.integers(0, 256, (10, 14, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (10, 14, 3), dtype=np.uint16)


def whole(path: Path) -> np.ndarray:
    """The first frame as whole numbers of the depth that was found."""
    video = open_video(path)
    assert len(video) == 1
    return (video.frames()[0].double() * (2**video.depth - 1)).round().permute(1, 2, 0).numpy()


def alpha(colours: np.ndarray, value: int) -> np.ndarray:
    layer = np.full((*colours.shape[:2], 1), np.iinfo(colours.dtype).max, colours.dtype)
    layer[0, 0] = value
    return np.concatenate([colours, layer], 2)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.tiff", "a.webp", "a.PNG"])
def test_eight_bits_are_exact(tmp_path: Path, name: str) -> None:
    Image.fromarray(SHALLOW).save(tmp_path / name, lossless=True)
    assert np.array_equal(whole(tmp_path / name), SHALLOW)
    assert open_video(tmp_path / name).depth == 8


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_exact(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), DEEP[..., ::-1])
    assert np.array_equal(whole(tmp_path / name), DEEP)
    assert open_video(tmp_path / name).depth == 16
    cv2.imwrite(str(tmp_path / f"grey{name}"), DEEP[..., 0])
    assert np.array_equal(whole(tmp_path / f"grey{name}"), np.repeat(DEEP[..., :1], 3, 2))


def test_grey_two_valued_and_palette_images(tmp_path: Path) -> None:
    Image.fromarray(SHALLOW[..., 0]).save(tmp_path / "grey.png")
    assert np.array_equal(whole(tmp_path / "grey.png"), np.repeat(SHALLOW[..., :1], 3, 2))
    Image.fromarray(SHALLOW[..., 0] > 127).save(tmp_path / "bits.png")
    assert np.array_equal(whole(tmp_path / "bits.png"), np.repeat((SHALLOW[..., :1] > 127) * 255, 3, 2))
    palette = Image.fromarray(SHALLOW).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(whole(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))


def test_jpeg_is_turned_upright(tmp_path: Path) -> None:
    flat = np.zeros((16, 32, 3), np.uint8)
    flat[:, :16] = 255
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees clockwise: left comes to the top
    Image.fromarray(flat).save(tmp_path / "a.jpg", exif=exif, quality=95)
    picture = whole(tmp_path / "a.jpg")
    assert picture.shape == (32, 16, 3)
    assert picture[:8].min() > 250
    assert picture[-8:].max() < 5


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_whose_exif_is_damaged_is_read_as_it_lies(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(SHALLOW).save(path, exif=b"Exif\x00\x00II*\x00\x08", lossless=True)
    assert np.array_equal(whole(path), SHALLOW)


@pytest.mark.parametrize("colours", [SHALLOW, DEEP], ids=["8", "16"])
def test_alpha_must_hide_nothing(tmp_path: Path, colours: np.ndarray) -> None:
    opaque, clear = alpha(colours, np.iinfo(colours.dtype).max), alpha(colours, 0)
    cv2.imwrite(str(tmp_path / "opaque.png"), opaque[..., [2, 1, 0, 3]])
    cv2.imwrite(str(tmp_path / "clear.png"), clear[..., [2, 1, 0, 3]])
    assert np.array_equal(whole(tmp_path / "opaque.png"), colours)
    with pytest.raises(BadFile, match=r"clear\.png has transparent pixels"):
        open_video(tmp_path / "clear.png")


def test_folders_are_in_natural_order_without_hidden_files(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        Image.new("RGB", (4, 3), (number, 0, 0)).save(tmp_path / f"f{number}.png")
    Image.new("RGB", (9, 9)).save(tmp_path / ".hidden.png")
    (tmp_path / "notes.txt").write_text("not an image")
    video = open_video(tmp_path)
    assert (video.frames()[:, 0, 0, 0] * 255).round().tolist() == [1, 9, 10, 100]
    assert video.times.tolist() == pytest.approx([0, 0.04, 0.08, 0.12])
    assert (video.read([3, 0])[:, 0, 0, 0] * 255).round().tolist() == [100, 1]
    assert video.frames().dtype == torch.float32


def test_the_odd_one_out_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "1.png")
    Image.new("RGB", (5, 3)).save(tmp_path / "2.png")
    with pytest.raises(BadFile, match=r"2\.png is 5x3, but 1\.png is 4x3"):
        open_video(tmp_path)
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((3, 4, 3), np.uint16))
    with pytest.raises(BadFile, match=r"2\.png has 16 bits, but 1\.png has 8"):
        open_video(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(BadFile, match="holds no images"):
        open_video(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_damaged_images_are_refused_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, share: float
) -> None:
    Image.fromarray(SHALLOW).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadFile, match=f"{name} cannot be read as an image"):
        open_video(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_truncated_deep_image_is_refused_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = cv2.imencode(".png", DEEP)[1].tobytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadFile, match="cannot be read as an image"):
        open_video(tmp_path / "a.png")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tif"])
def test_several_pictures_in_one_file_are_refused(tmp_path: Path, name: str) -> None:
    image = Image.fromarray(SHALLOW)
    image.save(tmp_path / name, save_all=True, append_images=[Image.fromarray(SHALLOW[::-1])])
    with pytest.raises(BadFile, match="holds several pictures"):
        open_video(tmp_path / name)


def test_other_samples_than_8_or_16_bits_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tiff"), DEEP.astype(np.float32))
    with pytest.raises(BadFile, match="float32 samples"):
        open_video(tmp_path / "a.tiff")


def test_a_place_that_cannot_be_looked_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", locked)
    with pytest.raises(BadFile, match=r"^a\.mp4 cannot be read: Permission denied$"):
        open_video("a.mp4")
