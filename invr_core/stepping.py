"""The optimizers of a fit: Adam, and Muon for the weights that mix channels, where the model's recipe wants it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

LEAST = 8
"""Channels on both sides of a weight from which it is taken for a matrix; fewer are hardly mixed."""
_ADAM, _MUON = ("exp_avg", "exp_avg_sq", "step"), ("momentum_buffer",)


class Stepping:
    """One step of all parameters at a time.

    Muon makes all directions of a matrix's step equally long (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon);
    the grids and pictures of a representation are no matrices, and stay with Adam.

    Args:
        network: on its device.
        rate: peak step size of Adam.
        matrix_rate: peak step size of Muon; None for Adam alone.
    """

    def __init__(self, network: nn.Module, rate: float, matrix_rate: float | None) -> None:
        weights = [] if matrix_rate is None else matrices(network)
        ours = {id(weight) for weight in weights}
        others = [p for p in network.parameters() if p.requires_grad and id(p) not in ours]
        for weight in weights:  # a matrix is a view of its weight
            weight.data = weight.data.contiguous()
        self._views = [(weight, nn.Parameter(weight.detach().view(len(weight), -1))) for weight in weights]
        self._optimizers: dict[str, torch.optim.Optimizer] = {"adam": torch.optim.Adam(others, lr=rate)}
        if weights and matrix_rate is not None:
            flat = [view for _, view in self._views]
            self._optimizers["muon"] = torch.optim.Muon(flat, lr=matrix_rate, weight_decay=0)
        self._peaks = {"adam": rate, "muon": matrix_rate or 0.0}
        self._network = network

    def zero_grad(self) -> None:
        """Forget the gradient; its memory is kept."""
        self._network.zero_grad(set_to_none=False)

    def step(self, share: float, matrix_share: float = 1.0) -> None:
        """Step along the gradient.

        Args:
            share: of the peak step sizes.
            matrix_share: of Muon's, beside that.
        """
        shares = {"adam": share, "muon": share * matrix_share}
        for weight, view in self._views:
            view.grad = None if weight.grad is None else weight.grad.view_as(view)
        for name, optimizer in self._optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self._peaks[name] * shares[name]
            optimizer.step()

    def forget(self) -> None:
        """Begin anew, as after a step that went wrong."""
        for optimizer in self._optimizers.values():
            optimizer.state.clear()

    def state(self) -> dict[str, Tensor]:
        """What the next step depends on beside the network; not copied."""
        return {
            f"{optimizer}.{at}.{name}": value
            for optimizer, state in self._states()
            for at, entry in state.items()
            for name, value in entry.items()
        }

    def expected(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of the names and shapes that such a `state` has: of each parameter that it has stepped."""
        expected: dict[str, Tensor] = {}
        for name, optimizer in self._optimizers.items():
            stepped = {key.split(".")[1] for key in state if key.startswith(f"{name}.")}
            for at, parameter in enumerate(optimizer.param_groups[0]["params"]):
                if str(at) in stepped:
                    for moment in _ADAM if name == "adam" else _MUON:
                        expected[f"{name}.{at}.{moment}"] = torch.tensor(0.0) if moment == "step" else parameter
        return expected

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state` whose names and shapes are as `expected`."""
        for kind, optimizer in self._optimizers.items():
            entries: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                if key.startswith(f"{kind}."):
                    _, at, name = key.split(".")
                    entries.setdefault(int(at), {})[name] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})

    def _states(self) -> list[tuple[str, dict[int, dict[str, Tensor]]]]:
        return [(name, optimizer.state_dict()["state"]) for name, optimizer in self._optimizers.items()]


def matrices(network: nn.Module) -> list[Tensor]:
    """The weights that mix channels: those of layers with at least `LEAST` on both sides, in the network's order."""
    found: list[Tensor] = []
    for layer in network.modules():
        if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1):
            weight = layer.weight
            if weight.requires_grad and min(weight.shape[:2]) >= LEAST:
                found.append(weight)
    return found
