"""Named changes to a model, as they are written and as data."""

from __future__ import annotations

from typing import Any

import pytest

from invr_core.errors import BadInput
from invr_core.models import registry
from invr_tasks.bench.variants import ABLATIONS, Variant, ablations, check_options, read_variant


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a:warm_start=False", {"warm_start": False}),
        ("a:channels=8,width=12", {"channels": 8, "width": 12}),
        ("a:anchor_size=(4, 8),channels=8", {"anchor_size": (4, 8), "channels": 8}),
        ("a: channels = 8 , warm_start = True", {"channels": 8, "warm_start": True}),
        ("a:learning_rate=1e-3,batch=8,loss=squared", {"learning_rate": 1e-3, "batch": 8, "loss": "squared"}),
        ("a:learning_rate=1", {"learning_rate": 1}),
    ],
)
def test_a_variant_is_a_name_and_its_options(text: str, options: dict[str, Any]) -> None:
    assert read_variant(text, "cwrnn") == Variant("cwrnn", "a", options)


@pytest.mark.parametrize("text", ["", "a", "a:", ":warm_start=False", "a:warm_start", "a:=3", "warm_start=False"])
def test_what_is_no_variant_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a variant; write NAME:field=value"):
        read_variant(text, "cwrnn")


def test_an_unknown_option_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(
        BadInput, match=r"cwrnn has no option 'warm_stat'; it has .*warm_start.*learning_rate, batch, loss"
    ):
        read_variant("a:warm_stat=False", "cwrnn")
    with pytest.raises(BadInput, match=r"hnerv has no option 'warm_start'; it has .*strides"):
        read_variant("a:warm_start=False", "hnerv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:channels=8.5", "channels is a int, got 8.5"),
        ("a:channels=many", "channels is a int, got 'many'"),
        ("a:channels=True", "channels is a int, got True"),
        ("a:warm_start=0", "warm_start is a bool, got 0"),
        ("a:learning_rate=fast", "learning_rate is a float, got 'fast'"),
        ("a:anchor_size=4", "anchor_size is a tuple.*got 4"),
        ("a:loss=none", "no loss 'none'; choose one of charbonnier, squared"),
    ],
)
def test_a_value_of_another_kind_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_variant(text, "cwrnn")


@pytest.mark.parametrize("model", ABLATIONS)
def test_every_ablation_that_comes_with_invr_is_one_of_its_model(model: str) -> None:
    config = registry.get(model)
    for name, options in ABLATIONS[model].items():
        assert name and options
        check_options(config, options)
        assert any(getattr(config(), key, None) != value for key, value in options.items())


def test_ablations_are_chosen_by_name() -> None:
    known = ABLATIONS["cwrnn"]
    assert [one.name for one in ablations("cwrnn", ["all"])] == list(known)
    assert ablations("cwrnn", ["uncoupled", "all"])[0] == Variant("cwrnn", "uncoupled", known["uncoupled"])
    assert ablations("cwrnn", []) == []
    with pytest.raises(BadInput, match="cwrnn has no ablation 'x'; there are: no warp"):
        ablations("cwrnn", ["x"])
    with pytest.raises(BadInput, match="hnerv has no ablation 'uncoupled'; there are: none"):
        ablations("hnerv", ["uncoupled"])
