"""A model of three numbers, to look into the training loop with; a clip that moves; .invr files as others write."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from invr_core.errors import BadFile
from invr_core.fitted import Fitted
from invr_core.models.base import Geometry, ModelConfig, Network, Recipe
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation, squared
from invr_core.query import Query
from invr_core.storage import checksum, load, save
from invr_core.testing import MovingDisc
from invr_core.video import Video


class FlatNetwork(Network):
    """One colour at all instants. ``before`` is called in each rendering."""

    before: ClassVar[Callable[[FlatNetwork], None]]

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.size = geometry.size
        self.colour = torch.nn.Parameter(torch.zeros(3))

    def start(self, observation: Observation, generator: torch.Generator) -> None:
        with torch.no_grad():
            self.colour.uniform_(0.4, 0.6, generator=generator)

    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        FlatNetwork.before(self)
        return self.colour.view(1, 3, 1, 1).expand(len(times), 3, *self.size)


@dataclass(frozen=True)
class Flat(ModelConfig):
    name: ClassVar[str] = "flat"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=0.05, batch=2, warmup=0.1, epochs=(3, 30))

    def solve(self, geometry: Geometry) -> Flat:
        return self

    def build(self, geometry: Geometry) -> FlatNetwork:
        return FlatNetwork(geometry)


class Toy:
    """The model of three numbers, clips for it, and what it has learnt."""

    model = Flat()
    network = FlatNetwork

    def before(self, call: Callable[[FlatNetwork], None]) -> None:
        """Call this before each rendering."""
        FlatNetwork.before = call

    def clip(self, value: float = 0.5, frames: int = 6) -> Observation:
        """Frames of one grey."""
        return Observation(Video.of(torch.full((frames, 3, 4, 4), value)), distance=squared)

    def colour(self, rep: Fitted) -> Tensor:
        """(3,) what is shown."""
        assert isinstance(rep.network, FlatNetwork)
        return rep.network.colour.detach()


@pytest.fixture
def toy() -> Iterator[Toy]:
    FlatNetwork.before = lambda network: None
    yield Toy()
    FlatNetwork.before = lambda network: None


@pytest.fixture
def disc_clip() -> Video:
    times = torch.linspace(0, 1, 6, dtype=torch.float64)
    return Video.of(MovingDisc((16, 24))(Query(times)), times)


# ------------------------------------------------------------------------- .invr files
class Forger:
    """Writes .invr files as we do, and as a stranger might."""

    geometry = Geometry((0.0, 0.1, 1 / 3), (0.0, 0.5), (9, 14))

    def small(self, geometry: Geometry = geometry) -> Fitted:
        """A network of a few hundred numbers."""
        config = HNeRV(strides=(2, 2), width=6.5, lower_width=4, embedding=4).solve(geometry)
        network = config.build(geometry).eval().requires_grad_(False)
        generator = torch.Generator().manual_seed(1)
        for value in network.state_dict().values():
            value.uniform_(-0.3, 0.3, generator=generator)
        return Fitted(network, config, geometry, {"seed": 3, "psnr": 31.25, "nested": {"list": [1, None, True, "ü"]}})

    def parts_of(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The header of a file, and its tensors."""
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["invr"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def forge(self, path: Path, header: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
        """A file as a stranger would write it: whatever it says, its checksum is right."""
        content = json.dumps({key: value for key, value in header.items() if key != "checksum"}, sort_keys=True)
        if "checksum" in header:
            header = {**header, "checksum": checksum(content, tensors)}
        path.write_bytes(serialise(tensors, {"invr": json.dumps(header)}))
        return path

    def raw(self, path: Path, header: bytes, data: bytes = b"") -> Path:
        """A safetensors file of these bytes."""
        path.write_bytes(struct.pack("<Q", len(header)) + header + data)
        return path

    def refused(self, path: Path | str) -> str:
        """In one line, which names the file: that line."""
        with pytest.raises(BadFile) as caught:
            load(path)
        message = str(caught.value)
        assert "\n" not in message and len(message) < 700 and str(path) in message
        return message

    def survives(self, path: Path) -> bool:
        """Whether a file loads; if it does, it answers; if not, it says so as it should."""
        try:
            rep = load(path)
        except BadFile as refusal:
            assert "\n" not in str(refusal)
            return False
        picture = rep(Query(torch.tensor([rep.span[0]])))
        assert tuple(picture.shape) == (1, 3, *rep.size) and bool(torch.isfinite(picture).all())
        return True


@pytest.fixture(scope="session")
def forger() -> Forger:
    return Forger()


@pytest.fixture(scope="session")
def good(forger: Forger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("storage") / "good.invr"
    save(forger.small(), path)
    return path
