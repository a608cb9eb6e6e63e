"""The whole model: anchors, the recurrence from each of them both ways, the grid, and the compensation."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.models.base import Geometry, Network
from invr_core.models.cwrnn.compensation import Anchor, Compensation
from invr_core.models.cwrnn.config import CWRNN
from invr_core.models.cwrnn.grid import ResidualGrid
from invr_core.models.cwrnn.recurrence import State, WarpRNN, compose, rescale_flow, resize, step_flow
from invr_core.observation import Observation

DROP = 0.25
"""How often, in fitting, a frame is rendered without the residual: so the structured part learns to stand alone."""

REMEMBERED = 8
"""Segments whose states a fitted network keeps at hand."""


class CWRNNNetwork(Network):
    """A clip between anchors.

    Time is counted in *intervals*: the span is cut into ``segments * steps`` of them (the last may reach past its end),
    ``steps`` from one anchor to the next. From each anchor the recurrence runs forward to the next one and back to the
    one before, ``stride`` intervals a step; an instant between is reached by one more, shorter step from either side.

    Args:
        config: solved.
        geometry: of the clip.
    """

    parts: ClassVar[frozenset[str]] = frozenset({"full", "structured", "residual"})

    def __init__(self, config: CWRNN, geometry: Geometry) -> None:
        super().__init__()
        self.config = config
        self.size = geometry.size
        self.padded = (geometry.size[0] + geometry.size[0] % 2, geometry.size[1] + geometry.size[1] % 2)
        self.first = geometry.span[0]
        self.intervals = config.segments * config.steps
        given = max(len(geometry.times) - 1, 1)
        self.interval = max((geometry.span[1] - geometry.span[0]) / given, 1e-9)
        detail = sum(level[1] for level in config.levels)
        self.luma = nn.Parameter(torch.zeros(config.segments + 1, 1, *config.anchor_size))
        self.chroma = nn.Parameter(torch.zeros(config.segments + 1, 2, *config.chroma_size))
        self.grid = ResidualGrid(
            (self.intervals, config.motion_size[0], config.motion_size[1]),
            tuple((n, c, h, w) for n, c, h, w in config.levels),
        )
        self.begin = nn.Conv2d(3, config.channels, 3, padding=1)
        self.cell = WarpRNN(config.channels, detail, config.without)
        self.compensation = Compensation(config.channels, detail, config.width, config.depth, config.without)
        self._remembered: dict[tuple[int, float, str], tuple[list[State], Tensor]] = {}

    # ---------------------------------------------------------------- time
    def place(self, times: Tensor) -> Tensor:
        """Seconds, (M,) -> place on the clock of intervals, (M,) float64 in [0, intervals]."""
        return ((times - self.first) / self.interval).clamp(0, self.intervals)

    # ---------------------------------------------------------- recurrence
    def _detail(self, place: Tensor, size: tuple[int, int], trust: float) -> Tensor:
        trust = 0.0 if self.config.without == "grid" else trust
        return trust * self.grid.detail((place / self.intervals).to(self.luma.device), size)

    def _irregular(self, place: Tensor) -> Tensor:
        velocity: Tensor = self.grid.motion((place / self.intervals).to(self.luma.device))
        return 0 * velocity if self.config.without in ("grid", "warp") else velocity

    def _advance(self, state: State, place: Tensor, length: Tensor, trust: float) -> tuple[State, Tensor]:
        """One step of the recurrence, and the velocities it went along, (B, intervals, 2, H, W).

        Args:
            state: of B paths.
            place: (B,) where they are.
            length: (B,) signed intervals to go, at most ``stride`` either way.
            trust: in the residual.
        """
        stride, pieces_in_all = self.config.stride, max(math.ceil(float(length.detach().abs().max()) - 1e-9), 1)
        sign, offsets = length.sign()[:, None], torch.arange(pieces_in_all, dtype=torch.float64)
        pieces = sign * (length.abs()[:, None] - offsets).clamp(0, 1)
        middles = place[:, None] + sign * offsets + pieces / 2
        irregular = self._irregular(middles.flatten()).unflatten(0, middles.shape)
        regular = self.cell.velocity(state, (irregular.shape[3], irregular.shape[4]))
        velocities = irregular if self.config.without == "warp" else regular[:, None] + irregular
        shifts = step_flow(velocities.flatten(0, 1), _column(pieces.flatten(), velocities)).unflatten(0, middles.shape)
        flow = shifts[:, -1]
        for index in reversed(range(pieces_in_all - 1)):
            flow = compose(flow, shifts[:, index])
        size = (state.appearance.shape[2], state.appearance.shape[3])
        amount = _column(length.abs() / stride, flow)
        return self.cell(state, flow, self._detail(place + length, size, trust), amount), velocities

    def _paths(self, segments: Tensor, trust: float) -> tuple[list[State], Tensor]:
        """From both anchors of each segment, step by step across it.

        Args:
            segments: (S,) indices.
            trust: in the residual.

        Returns:
            the states after 0 .. rounds - 1 steps, of 2 S paths (all forward ones, then all backward ones), and the
            velocities of the intervals in order of travel, (steps, 2 S, 2, H, W).
        """
        config = self.config
        starts = torch.cat([segments, segments + 1])
        sign = torch.cat([torch.ones(len(segments)), -torch.ones(len(segments))]).double()
        size = (config.coarse_size[0], config.coarse_size[1])
        coarse = torch.cat([F.adaptive_avg_pool2d(self.luma[starts], size), resize(self.chroma[starts], size)], 1)
        appearance = torch.tanh(self.begin(coarse))
        state = State(appearance, torch.zeros_like(appearance), coarse.new_zeros(len(starts), 2, *config.motion_size))
        states, velocities = [], []
        for step in range(config.rounds):
            states.append(state)
            place = (starts * config.steps).double() + sign * step * config.stride
            state, along = self._advance(state, place, sign * config.stride, trust)
            velocities.append(along)
        return states, torch.cat(velocities, 1).transpose(0, 1)

    def _known_paths(self, segments: Tensor, trust: float) -> tuple[list[State], Tensor]:
        """`_paths`, remembered for the last few segments once fitted, so that frames in sequence share them."""
        if self.training or len(segments) > 1:
            return self._paths(segments, trust)
        key = (int(segments[0]), trust, str(self.luma.device))
        found = self._remembered.get(key) or self._paths(segments, trust)
        self._remembered.pop(key, None)  # threads may ask at the same time: what one has seen another may have dropped
        self._remembered[key] = found
        kept = list(self._remembered)  # used last, at the end
        here = [each for each in kept if each[2] == key[2]]
        for each in set(kept).difference(here[-REMEMBERED:]):
            self._remembered.pop(each, None)
        return found

    # -------------------------------------------------------------- render
    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        """Render; see `invr_core.models.base.Network`."""
        trust = float(part == "full")
        if self.training and float(torch.rand((), generator=self._dice)) < DROP:
            trust = 0.0
        return self._render(self.place(times), trust)

    def _render(self, place: Tensor, trust: float) -> Tensor:
        config = self.config
        segment = (place / config.steps).floor().long().clamp(max=config.segments - 1)
        inside = place - segment * config.steps
        step = (inside / config.stride).floor().long().clamp(max=config.rounds - 1)
        rest = inside - step * config.stride
        needed, path = torch.unique(segment, return_inverse=True)
        states, _ = self._known_paths(needed, trust)
        state = State.gather(states, torch.cat([step, config.rounds - 1 - step]), torch.cat([path, path + len(needed)]))
        start = torch.cat([place - rest, place - rest + config.stride])
        state, _ = self._advance(state, start, torch.cat([rest, rest - config.stride]), trust)
        detail = self._detail(place, (self.padded[0] // 2, self.padded[1] // 2), trust)
        reach = _column(inside / config.steps, detail)
        ends = torch.cat([segment, segment + 1])
        anchors = Anchor(self.luma[ends], self.chroma[ends])
        picture: Tensor = self.compensation(anchors, state, detail, reach, self.padded)
        return picture[:, :, : self.size[0], : self.size[1]]

    # -------------------------------------------------------------- motion
    def _segment_velocities(self, segment: int) -> Tensor:
        """The velocity of each interval of a segment, (steps, 2, H, W): of both directions, the nearer anchor's more.

        Without the anchor after, nothing is shown along the way from it: it is that of the way forward alone.
        """
        _, velocities = self._known_paths(torch.tensor([segment]), 1.0)
        if self.config.without == "backward":
            return velocities[:, 0]
        steps = self.config.steps
        share = _column((torch.arange(steps) + 0.5) / steps, velocities)
        return torch.lerp(velocities[:, 0], velocities[:, 1].flip(0), share)

    def _velocity(self, place: float) -> Tensor:
        """(1, 2, H, W) at any place: linear between the middles of the intervals."""
        node = min(max(place - 0.5, 0.0), self.intervals - 1.0)
        before = min(int(node), max(self.intervals - 2, 0))
        after = min(before + 1, self.intervals - 1)
        ends = [self._segment_velocities(i // self.config.steps)[i % self.config.steps] for i in (before, after)]
        return torch.lerp(ends[0], ends[1], node - before)[None]

    def flow(self, t0: Tensor, t1: Tensor) -> Tensor:
        """Where the pixels of ``t0`` are at ``t1``: along the velocities between, one step an interval."""
        routes = [_pieces(float(a), float(b)) for a, b in zip(self.place(t0), self.place(t1), strict=True)]
        flow = self.luma.new_zeros(len(routes), 2, *self.config.motion_size)
        for step in range(max(map(len, routes), default=0)):
            rows = [row for row, route in enumerate(routes) if step < len(route)]
            pieces = [routes[row][step] for row in rows]
            velocity = torch.cat([self._velocity((begin + end) / 2) for begin, end in pieces])
            lengths = flow.new_tensor([begin - end for begin, end in pieces]).view(-1, 1, 1, 1)
            chosen = torch.tensor(rows, device=flow.device)
            flow = flow.index_copy(0, chosen, compose(flow[chosen], step_flow(velocity, lengths)))
        return rescale_flow(flow, self.padded)[:, :, : self.size[0], : self.size[1]]

    # ----------------------------------------------------------------- fit
    def start(self, observation: Observation, generator: torch.Generator) -> None:
        """Anchors from the nearest given frames, motion from DIS flow, weights from the generator."""
        from invr_core.models.cwrnn.start import initialise

        self._dice = generator
        initialise(self, observation, generator)


def _column(values: Tensor, like: Tensor) -> Tensor:
    """(B,) numbers as (B, 1, 1, 1), of the kind and on the device of another tensor."""
    return values.to(like.device, like.dtype).view(-1, 1, 1, 1)


def _pieces(begin: float, end: float) -> list[tuple[float, float]]:
    """A stretch of time cut at the borders of the intervals: (from, to) pairs in order of travel."""
    pieces, place = [], begin
    while abs(end - place) > 1e-9:
        border = math.floor(place + 1e-9) + 1.0 if end > place else math.ceil(place - 1e-9) - 1.0
        upto = min(border, end) if end > place else max(border, end)
        pieces.append((place, upto))
        place = upto
    return pieces
