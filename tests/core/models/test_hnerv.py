"""HNeRV: what reaches its encoder, and what is left when the fit is over."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import Unsupported
from invr_core.fitting import FitConfig, fit
from invr_core.models.base import Geometry
from invr_core.models.hnerv import HNeRV
from invr_core.models.hnerv.decoder import Decoder
from invr_core.models.hnerv.encoder import Block, ChannelNorm, Encoder
from invr_core.models.hnerv.network import HNeRVNetwork
from invr_core.observation import Observation, framewise, squared
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video

MakeVideo = Callable[..., Video]
TINY = HNeRV(strides=(2, 2), width=8.0, lower_width=4, embedding=4, encoder=8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(observation: Observation, config: HNeRV = TINY, seed: int = 0) -> HNeRVNetwork:
    geometry = Geometry.of(observation)
    network = config.solve(geometry).build(geometry)
    assert isinstance(network, HNeRVNetwork)
    network.start(observation, generator(seed))
    return network


# ------------------------------------------------------------------------ rendering
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (1, 1), (5, 3)])
def test_any_frame_size_is_rendered(make_video: MakeVideo, size: tuple[int, int]) -> None:
    video = make_video(3, *size)
    network = started(Observation(video))
    for _ in range(2):
        picture = network(video.times[:2])
        assert tuple(picture.shape) == (2, 3, *size)
        assert bool(((picture >= 0) & (picture <= 1)).all())
        network.finish()


def test_finishing_keeps_the_picture_and_drops_the_rest(make_video: MakeVideo) -> None:
    video = make_video(4)
    network = started(Observation(video))
    times = torch.cat([video.times, (video.times[1:] + video.times[:-1]) / 2])
    before = network(times)
    counted = network.counted()
    network.finish()
    assert torch.allclose(network(times), before, atol=1e-6)
    assert network.counted() == counted == sum(value.numel() for value in network.state_dict().values())
    assert network.encoder is None and network.observation is None
    fresh = TINY.build(Geometry.of(Observation(video)))
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in fresh.state_dict().items()}


def test_between_frames_the_embedding_is_linear_in_time(make_video: MakeVideo) -> None:
    video = make_video(3, times=[0.0, 1.0, 5.0])
    network = started(Observation(video, span=(-1.0, 7.0)))
    network.finish()
    e = network.embeddings
    expected = network.decoder(
        torch.stack([e[0], e[0], 0.75 * e[0] + 0.25 * e[1], 0.5 * e[1] + 0.5 * e[2], e[2], e[2]])
    )
    found = network(torch.tensor([-1.0, 0.0, 0.25, 3.0, 5.0, 7.0], dtype=torch.float64))
    assert torch.allclose(found, expected[..., : video.size[0], : video.size[1]], atol=1e-6)
    assert not torch.allclose(found[0], found[2], atol=1e-4)


def test_there_is_no_motion_and_no_further_part(make_video: MakeVideo) -> None:
    network = started(Observation(make_video()))
    with pytest.raises(Unsupported):
        network.flow(torch.zeros(1), torch.zeros(1))
    with pytest.raises(Unsupported, match="structured"):
        network(torch.zeros(1, dtype=torch.float64), "structured")


# -------------------------------------------------------------------------- fitting
def test_all_weights_come_from_the_generator(make_video: MakeVideo) -> None:
    observation = Observation(make_video())
    state = torch.get_rng_state()
    first = started(observation, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    second, third = started(observation, seed=1).state_dict(), started(observation, seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["decoder.layers.0.weight"], third["decoder.layers.0.weight"])
    assert not torch.equal(first["encoder.0.weight"], third["encoder.0.weight"])


def test_only_given_frames_are_read(make_video: MakeVideo) -> None:
    video = make_video(5)
    asked: list[int] = []

    def read(indices: object) -> Tensor:
        asked.extend(indices)  # type: ignore[call-overload]
        return video.read(indices)  # type: ignore[arg-type]

    network = started(Observation(replace(video, read=read)))
    network(video.times[[3, 1, 3]])
    assert sorted(asked) == [1, 3]


def test_hidden_pixels_do_not_reach_the_encoder(make_video: MakeVideo) -> None:
    clean = make_video(3)
    weight = Video.of((torch.rand(3, 1, 16, 24, generator=generator()) > 0.5).float(), clean.times)
    spoilt = Video.of(torch.where(weight.frames() > 0, clean.frames(), 1 - clean.frames()), clean.times)
    pictures = [started(Observation(video, weight=weight))(clean.times) for video in (clean, spoilt)]
    assert torch.equal(*pictures)
    assert not torch.equal(started(Observation(spoilt))(clean.times), pictures[0])


@pytest.mark.parametrize(("channels", "size"), [(3, (32, 48)), (3, (7, 9)), (1, (16, 24))])
def test_given_frames_may_have_another_size_or_channel_count(
    make_video: MakeVideo, channels: int, size: tuple[int, int]
) -> None:
    pictures = []
    for seed in range(2):
        video = make_video(3, 16, 24, channels=channels, seed=seed)
        network = started(Observation(video, forward=framewise(lambda x: x), size=size))
        pictures.append(network(video.times))
    assert tuple(pictures[0].shape) == (3, 3, *size)
    assert not torch.equal(*pictures)  # it is they that are shown


def disc_clip() -> Video:
    times = torch.linspace(0, 1, 6, dtype=torch.float64)
    return Video.of(MovingDisc((24, 32))(Query(times)), times)


def test_a_fit_learns_the_clip() -> None:
    video = disc_clip()
    config = FitConfig(steps=60, learning_rate=5e-3, device="cpu")
    rep = fit(Observation(video, distance=squared), HNeRV(params=30_000), config)
    error = (rep(Query(video.times)) - video.frames()).square().mean()
    spread = (video.frames() - video.frames().mean((0, 2, 3), keepdim=True)).square().mean()
    assert float(error) < 0.8 * float(spread)


def test_the_same_seed_gives_the_same_clip() -> None:
    observation = Observation(disc_clip(), distance=squared)
    pictures = []
    for seed in (5, 5, 6):
        torch.manual_seed(len(pictures))
        rep = fit(observation, TINY, FitConfig(steps=3, seed=seed, device="cpu"))
        pictures.append(rep(Query(observation.video.times)))
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])


# ------------------------------------------------------------------- the two halves
def test_the_encoder_is_built_as_published() -> None:
    """Each stage shrinks and holds one block; the norm comes after the first layer and before the others."""
    shapes = {name: tuple(value.shape) for name, value in Encoder(1, 8, 5, (2, 3, 4)).named_parameters()}
    expected = {"0": (8, 1, 2, 2), "1": (8,), "3": (8,), "4": (8, 8, 3, 3), "6": (8,), "7": (5, 8, 4, 4)}
    for place, width in (("2", 8), ("5", 8), ("8", 5)):
        block = {"spread": (width, 1, 7, 7), "norm": (width,), "widen": (4 * width, width, 1, 1)}
        block["narrow"] = (width, 4 * width, 1, 1)
        expected |= {f"{place}.{name}": shape for name, shape in block.items()}
    assert {n.removesuffix(".weight"): s for n, s in shapes.items() if n.endswith("weight")} == expected
    assert Encoder(1, 8, 5, (2, 3, 4))(torch.rand(2, 1, 24, 48)).shape == (2, 5, 1, 2)


def test_a_block_of_the_encoder_is_that_of_convnext() -> None:
    block, x = Block(4), torch.randn(2, 4, 9, 11, generator=generator())
    assert torch.allclose(block.scale, torch.tensor(1e-6)) and torch.allclose(block(x), x, atol=1e-4)
    block.scale.data.fill_(0.5)
    spread = F.conv2d(x, block.spread.weight, block.spread.bias, padding=3, groups=4)
    mean, variance = spread.mean(1, keepdim=True), spread.var(1, keepdim=True, unbiased=False)
    wide = torch.einsum("oc,bchw->bohw", block.widen.weight[:, :, 0, 0], (spread - mean) / (variance + 1e-6).sqrt())
    wide = F.gelu(wide + block.widen.bias.view(-1, 1, 1))
    narrow = torch.einsum("oc,bchw->bohw", block.narrow.weight[:, :, 0, 0], wide) + block.narrow.bias.view(-1, 1, 1)
    assert torch.allclose(block(x), x + 0.5 * narrow, atol=1e-5)
    flat = torch.full((1, 4, 1, 1), 1.0)
    assert torch.allclose(
        ChannelNorm(4)(flat + 1e-3 * torch.tensor([1, -1, 1, -1]).view(1, 4, 1, 1)).abs().max(),
        torch.tensor(0.5**0.5),
        atol=1e-3,
    )


def test_weights_start_as_published() -> None:
    """The encoder's as ConvNeXt's, the decoder's as those of a plain layer."""
    network = started(Observation(Video.of(torch.rand(2, 3, 16, 24))), replace(TINY, encoder=48))
    assert network.encoder is not None
    layers = [m for m in network.encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(layer.bias is not None and not layer.bias.any() for layer in layers)
    widen = max(layers, key=lambda layer: layer.weight.numel()).weight
    assert float(widen.detach().std()) == pytest.approx(0.02, rel=0.05)
    for module in network.decoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            bound = (module.in_channels * module.kernel_size[0] ** 2) ** -0.5
            largest = max(float(value.detach().abs().max()) for value in module.parameters())
            assert 0.8 * bound < largest <= bound
            assert float(module.weight.detach().min()) < 0 < float(module.weight.detach().max())


def test_the_decoder_s_pictures_lie_around_grey() -> None:
    decoder = Decoder(4, (8, 6, 5), (2, 3))
    for value in decoder.parameters():
        value.data.zero_()
    assert torch.equal(decoder(torch.rand(1, 4, 2, 3)), torch.full((1, 3, 12, 18), 0.5))
    last = decoder.layers[-1]
    assert isinstance(last, torch.nn.Conv2d) and last.bias is not None
    last.bias.data += torch.tensor([-20.0, 0.5, 20.0])
    assert decoder(torch.rand(1, 4, 2, 3))[0, :, 0, 0].tolist() == pytest.approx([0, 0.5 + 0.5 * math.tanh(0.5), 1])
