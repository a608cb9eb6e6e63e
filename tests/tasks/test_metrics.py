"""Metrics: known values, frames matched by time, judged pixels; LPIPS is never left out in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from invr_core.errors import BadFile, BadInput
from invr_core.video import Video
from invr_tasks.metrics import CAP, compare, psnr, ssim
from invr_tasks.perceptual import Lpips, lpips_status
from invr_tasks.pixels import to_bytes


def flat(levels: Sequence[float], size: tuple[int, int] = (8, 10), times: Tensor | None = None) -> Video:
    frames = torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, *size).contiguous() / 255
    return Video.of(frames, times, fps=1)


def test_scores_are_those_of_scikit_image(make_video: Callable[..., Video]) -> None:
    truth, answer = make_video(3, 20, 24, seed=0), make_video(3, 20, 24, seed=1)
    scores = compare(answer, truth)
    pairs = list(zip(to_bytes(truth.frames()), to_bytes(answer.frames()), strict=True))
    expected = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]
    similar = [structural_similarity(a, b, channel_axis=2, data_range=255) for a, b in pairs]
    assert [frame.psnr for frame in scores.frames] == pytest.approx(expected, rel=1e-12)
    assert scores.psnr == scores.psnr_frame == pytest.approx(np.mean(expected))
    assert scores.ssim == pytest.approx(np.mean(similar))
    assert scores.lpips is None


def test_equal_frames_count_the_cap_and_enter_the_mean() -> None:
    scores = compare(flat([10, 20]), flat([10, 30]))
    off_by_ten = 10 * np.log10(255**2 / 100)
    assert [frame.psnr for frame in scores.frames] == pytest.approx([CAP, off_by_ten])
    assert scores.psnr == pytest.approx((CAP + off_by_ten) / 2)
    assert scores.frames[0].ssim == 1


def test_answers_are_rounded_and_clipped_to_bytes_first() -> None:
    assert compare(flat([9.6, 10.4, 300]), flat([10, 10, 255])).psnr == CAP
    assert compare(flat([10.6]), flat([10])).psnr < CAP


def test_only_judged_instants_count_and_are_found_by_time() -> None:
    truth = flat([0, 10, 20, 30], times=torch.tensor([0.0, 1.0, 2.0, 3.0]))
    answer = flat([99, 20, 99, 30], times=torch.tensor([0.5, 1.0 + 5e-7, 2.0, 3.0]))
    judged = Video.of(torch.ones(2, 1, 8, 10), torch.tensor([1.0, 3.0]))
    scores = compare(answer, truth, judged)
    assert [frame.time for frame in scores.frames] == [1.0, 3.0]
    assert scores.frames[0].psnr == pytest.approx(10 * np.log10(255**2 / 100))
    assert scores.frames[1].psnr == CAP


def test_an_instant_that_is_not_shown_is_refused() -> None:
    truth = flat([0, 10, 20])
    with pytest.raises(BadInput, match=r"answer has no frame at 1\.000000 s.*nearest is at 0\.000000"):
        compare(truth[::2], truth)
    judged = Video.of(torch.ones(1, 1, 8, 10), torch.tensor([1.00001]))
    with pytest.raises(BadInput, match="no frame at"):
        compare(truth, truth, judged)
    with pytest.raises(BadInput, match="truth has no frame"):
        compare(truth, truth[::2], Video.of(torch.ones(1, 1, 8, 10), torch.tensor([1.0])))


def test_psnr_counts_judged_pixels_and_the_rest_the_whole_frame() -> None:
    truth = flat([100, 100, 100])
    wrong = truth.frames().clone()
    wrong[:, :, :4] = 110 / 255  # wrong in the upper half
    weights = torch.zeros(3, 1, 8, 10)
    weights[0, :, :4] = 1  # the wrong half
    weights[1, :, 4:] = 1  # the right half; in frame 2 nothing is judged
    scores = compare(Video.of(wrong, fps=1), truth, Video.of(weights, fps=1))
    off_by_ten = 10 * np.log10(255**2 / 100)
    assert [frame.psnr for frame in scores.frames] == [pytest.approx(off_by_ten), CAP, None]
    assert scores.psnr == pytest.approx((off_by_ten + CAP) / 2)
    assert scores.psnr_frame == pytest.approx(10 * np.log10(255**2 / 50))
    assert scores.ssim == pytest.approx(np.mean([frame.ssim for frame in scores.frames])) and scores.ssim < 1


def test_weights_between_0_and_1_weigh() -> None:
    truth, answer = np.zeros((2, 1, 3), np.uint8), np.array([[[10] * 3], [[20] * 3]], np.uint8)
    error = (0.75 * 100 + 0.25 * 400) / 1.0
    assert psnr(answer, truth, np.array([[0.75], [0.25]])) == pytest.approx(10 * np.log10(255**2 / error))


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing is judged"):
        compare(flat([1]), flat([1]), Video.of(torch.zeros(1, 1, 8, 10), fps=1))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(BadInput, match=r"10x8 with 3 channels.*12x8"):
        compare(flat([1]), flat([1], (8, 12)))
    with pytest.raises(BadInput, match="weights"):
        compare(flat([1]), flat([1]), flat([1]))


def test_clips_are_read_one_frame_at_a_time() -> None:
    most: list[int] = []

    def read(indices: Sequence[int]) -> Tensor:
        most.append(len(indices))
        return torch.zeros(len(indices), 3, 8, 8)

    clip = Video(torch.arange(50, dtype=torch.float64), (8, 8), read)
    compare(clip, clip)
    assert max(most) == 1 and len(most) == 100


def test_small_frames_have_an_ssim_and_tiny_ones_are_refused() -> None:
    rng = np.random.default_rng(0)
    for side, window in ((3, 3), (4, 3), (6, 5), (7, 7), (20, 7)):
        a, b = rng.integers(0, 256, (2, side, side + 3, 3), dtype=np.uint8)
        assert ssim(a, b) == pytest.approx(structural_similarity(a, b, channel_axis=2, data_range=255, win_size=window))
    with pytest.raises(BadInput, match="3x3"):
        ssim(np.zeros((2, 9, 3), np.uint8), np.zeros((2, 9, 3), np.uint8))


def test_scores_are_json() -> None:
    scores = compare(flat([1, 2]), flat([1, 3]))
    read = json.loads(json.dumps(scores.as_dict()))
    assert read["psnr"] == scores.psnr and len(read["frames"]) == 2 and read["frames"][0]["psnr"] == CAP


def test_a_perceptual_distance_joins_the_scores() -> None:
    def gap(frames: Tensor, truth: Tensor) -> list[float]:
        return [float((frames - truth).abs().mean()) * 255]

    assert compare(flat([10, 20]), flat([10, 24]), perceptual=gap).lpips == pytest.approx(2.0, abs=1e-4)


def alexnet_file(path: Path, seed: int = 0) -> Path:
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for layer, shape in shapes.items():
        state[f"features.{layer}.weight"] = torch.randn(shape, generator=generator) * 0.05
        state[f"features.{layer}.bias"] = torch.zeros(shape[0])
    torch.save(state | {"classifier.1.bias": torch.zeros(1)}, path)
    return path


def test_lpips_runs_on_the_weights_it_is_given(tmp_path: Path, make_video: Callable[..., Video]) -> None:
    before = torch.random.get_rng_state()
    distance, other = (Lpips(alexnet_file(tmp_path / f"{seed}.pth", seed)) for seed in (0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    clip = make_video(2, 40, 48).frames()
    assert distance(clip, clip) == [0.0, 0.0]
    assert distance(clip, clip.flip(0))[0] > 0
    assert distance(clip, clip.flip(0)) != other(clip, clip.flip(0))
    with pytest.raises(BadInput, match="at least 31"):
        distance(clip[:, :, :30], clip[:, :, :30])


def test_lpips_says_whether_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    missing = lpips_status()
    assert "not available" in missing and str(tmp_path) in missing and 'python -c "import torch' in missing
    assert "\n" not in missing
    (tmp_path / "checkpoints").mkdir()
    alexnet_file(tmp_path / "checkpoints" / "alexnet-owt-0000.pth")
    assert lpips_status().startswith("LPIPS is ready")


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("executed"),))


def test_lpips_refuses_files_that_are_not_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    contents: dict[str, object] = {
        "hostile": {"features.0.weight": Hostile()},
        "other": {"features.0.weight": torch.zeros(1)},
        "list": [torch.zeros(1)],
    }
    shapes = torch.load(alexnet_file(tmp_path / "alexnet"), weights_only=True)
    contents["shapes"] = shapes | {"features.0.weight": torch.zeros(1)}
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "text").write_text("no weights")
    for name in (*contents, "text", "absent"):
        with pytest.raises(BadFile):
            Lpips(tmp_path / name)
        assert lpips_status(tmp_path / name).startswith("LPIPS is not available")
    assert not (tmp_path / "executed").exists()
