"""LPIPS, a learned distance of pictures, where the weights of its backbone are at hand.

The package `lpips` brings its own small heads; the backbone (AlexNet's convolutions, trained on ImageNet) is a download
of 233 MB that is never started behind the user's back.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from invr_core.errors import BadFile, BadInput, InvrError, Unsupported

SOURCE = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
SMALLEST = 31
"""The shortest side, in pixels, of a frame that the backbone can take in."""


def lpips_status(weights: Path | None = None) -> str:
    """One line: whether LPIPS is ready, and if not, why not and what to do.

    Args:
        weights: file with the backbone; None to look in PyTorch's cache of downloads.

    Example:
        >>> lpips_status(Path("nowhere.pth"))
        "LPIPS is not available: no file nowhere.pth; give the path of torchvision's AlexNet weights"
    """
    try:
        path = backbone_path(weights)
        Lpips(path)
    except (BadInput, Unsupported) as reason:
        return f"LPIPS is not available: {reason}"
    return f"LPIPS is ready (AlexNet from {path})"


def lpips_if_ready(weights: Path | None = None) -> tuple[Lpips | None, str]:
    """LPIPS if it can be had, and a line that says so or why not.

    Args:
        weights: as for `Lpips`.
    """
    try:
        return Lpips(weights), "LPIPS is ready"
    except InvrError as reason:
        return None, f"LPIPS is left out: {reason}"


def backbone_path(weights: Path | None = None) -> Path:
    """Where the weights of the backbone are.

    Args:
        weights: file to use; None to look in PyTorch's cache of downloads.

    Raises:
        BadFile: if they are not there; the message says how to get them.
    """
    if weights is not None:
        if not weights.is_file():
            raise BadFile(f"no file {weights}; give the path of torchvision's AlexNet weights")
        return weights
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    found = sorted(cache.glob("alexnet-owt-*.pth"))
    if not found:
        raise BadFile(
            f"no AlexNet weights (alexnet-owt-*.pth) in {_shortened(cache)}; to get them once (233 MB), run: "
            f"python -c \"import torch; torch.hub.load_state_dict_from_url('{SOURCE}', weights_only=True)\""
        )
    return found[-1]


class Lpips:
    """The distance itself: 0 for equal pictures, larger the more different they look.

    Args:
        weights: file with the backbone; None to look in PyTorch's cache of downloads.

    Raises:
        BadFile: if the weights are missing, unreadable or not AlexNet's.
        Unsupported: if the package `lpips` cannot be imported.

    Source: R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018;
        version 0.1, AlexNet.
    """

    def __init__(self, weights: Path | None = None) -> None:
        self.network = _network(_convolutions(backbone_path(weights)))

    def __call__(self, frames: Tensor, truth: Tensor) -> list[float]:
        """Distances of frames, one by one.

        Args:
            frames: (n, 3, H, W) float32 in [0, 1]; sides of at least `SMALLEST`.
            truth: the same shape.

        Returns:
            n numbers.

        Raises:
            BadInput: if the frames are too small or have not 3 channels.
        """
        if frames.shape[1] != 3 or min(frames.shape[-2:]) < SMALLEST:
            raise BadInput(f"LPIPS needs 3 channels and sides of at least {SMALLEST}, got {tuple(frames.shape[1:])}")
        with torch.no_grad():
            distances: Tensor = self.network(frames, truth, normalize=True)
        return [float(distance) for distance in distances.flatten()]


def _convolutions(path: Path) -> dict[str, Tensor]:
    """The tensors ``features.N.weight`` and ``.bias`` of a file as torchvision publishes it."""
    try:
        # The one place that reads a .pth file, because that is how AlexNet is published. `weights_only` admits
        # tensors and containers alone: nothing in the file is executed.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:
        raise BadFile(f"{path} cannot be read as weights ({type(cause).__name__}); download it again") from cause
    if not isinstance(state, dict):
        raise BadFile(f"{path} holds no weights by name; give the path of torchvision's AlexNet weights")
    return {name: value for name, value in state.items() if str(name).startswith("features.")}


def _network(state: dict[str, Tensor]) -> nn.Module:
    """LPIPS with its own heads on the given backbone, in evaluation mode."""
    allow_torchvision()
    try:
        lpips = import_module("lpips")
    except (ImportError, RuntimeError) as cause:
        raise Unsupported(
            f"the package lpips cannot be imported ({cause}); reinstall it with constraints.txt"
        ) from cause
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        network: nn.Module = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    backbone = network.get_submodule("net")
    wanted = {name: f"features.{name.split('.', 1)[1]}" for name in backbone.state_dict()}
    missing = sorted(source for source in wanted.values() if source not in state)
    if missing:
        raise BadFile(f"the weights lack {missing[0]}: they are not those of torchvision's AlexNet")
    try:
        backbone.load_state_dict({name: state[source] for name, source in wanted.items()})
    except RuntimeError as cause:
        raise BadFile("the weights have other shapes than torchvision's AlexNet; download them again") from cause
    return network.eval()


_declared: list[torch.library.Library] = []
"""Keeps the declarations of `allow_torchvision` alive."""


def allow_torchvision() -> None:
    """Let torchvision be imported where its compiled operators do not fit the installed torch.

    A torchvision built for CUDA beside a torch without it fails at import, because the operators `nms` and `qnms` do
    not exist. Nothing here calls them: they are declared, and only where they are missing.
    """
    try:
        import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        if not _declared:
            library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                library.define(schema)
            _declared.append(library)
    except ImportError:
        return


def _shortened(path: Path) -> str:
    """A path for a reader: the home folder as ``~``."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
