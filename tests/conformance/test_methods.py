"""What every method must fulfil, and every component as far as it is trained.

Parametrised over the cards, so that a new method is tested without further lines.
"""

from __future__ import annotations

import copy
import inspect
from contextlib import suppress
from pathlib import Path
from typing import Unpack, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
import yaml

from madad.configuration import cards
from madad.configuration.tracks import TRACKS
from madad.core.errors import UserError
from madad.core.io.hdf5 import Sample, write_pack
from madad.engine.model_files import load_model, load_weights, save_model
from madad.engine.training_data import read_images
from madad.evaluation.protocol.published_protocols import CHAINS
from madad.methods import registry

SLICES, SIDE = 5, 32
# Ways to another number; a card refuses some.
STEPS = (
    lambda number: 1,
    lambda number: number * 2,
    lambda number: number / 2,
    lambda number: number + 1,
    lambda number: number - 1,
)
NAMES = cards.names()
# Methods that learn to answer as a trained part does.
STUDENTS = ("reflect2",)
# Why the map of a slice depends on other slices of the volume, in methods of slices.
BY_VOLUME = {
    "intensity": "intensities are equalised over the volume, as published",
    "mhd": "distances are scaled by the volume's largest, and the similarity is in 3D, as published",
    "ssim_ens": "the similarity is in 3D, as published",
}
ALL = [*NAMES, *cards.components()]
TRAINED = [name for name in ALL if cards.load(name)["capabilities"]["trains"]]
FITTED = [name for name in NAMES if cards.load(name)["capabilities"]["fits"]]
ENCODING = [name for name in NAMES if cards.load(name)["capabilities"]["encodes"]]
OF_STAGE = [
    (name, key, schema["stage"]) for name in ALL for key, schema in cards.load(name)["parameters"].items() if "stage" in schema
]
OF_INFERENCE = [(name, key) for name, key, stage in OF_STAGE if stage == cards.INFERENCE]
OF_TRAINING = [(name, key) for name, key, stage in OF_STAGE if stage != cards.INFERENCE]
CHUNKED = [name for name in NAMES if "slices_per_pass" in cards.load(name)["parameters"]]


def build(name: str, seed: int = 0, **changes: object) -> torch.nn.Module:
    options = cards.tiny_whole(name)
    prepare = answering if name in STUDENTS else lambda role, part: None
    return registry.assemble({**options, "parameters": {**options["parameters"], **changes}}, seed, prepare).eval()


def answering(role: str, part: torch.nn.Module) -> None:
    """Give a part small weights, where an untrained one answers exactly 0 and there is nothing to learn from it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in part.parameters():
            torch.nn.init.normal_(weight, std=0.05)


def generator(*, seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def head() -> tuple[torch.Tensor, torch.Tensor]:
    """Return volume (S, 1, H, W) and brain (S, H, W): an ellipsoid with a smooth pattern; the first slice is empty."""
    z, y, x = torch.meshgrid(torch.arange(SLICES), torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    brain = ((y - 16) ** 2 / 144 + (x - 16) ** 2 / 100 < 1) & (z > 0)
    return ((0.5 + 0.3 * torch.sin(x / 4) * torch.cos(y / 5 + z)) * brain).unsqueeze(1), brain


def batch(name: str) -> dict[str, torch.Tensor]:
    volume, brain = head()
    image, brain = volume[1:], brain[1:].unsqueeze(1)
    data = cards.load(name)["training_data"]
    if data["kind"] == "volumes":  # (B, C, S, H, W)
        image, brain = (tensor.transpose(0, 1).unsqueeze(0) for tensor in (volume, volume > 0))
    if not data["pairs"]:
        return {"image": image, "brain": brain}
    lesion = brain & (torch.arange(SIDE) > 15) & (torch.arange(SIDE) < 20)
    pair = {"image": image * (1 - 0.5 * lesion.float()), "healthy": image, "lesion": lesion, "map": lesion.float()}
    return {**pair, "brain": brain}


def healthy(name: str) -> list[dict[str, torch.Tensor]]:
    """Return the data of a fit: several brains, one image per batch."""
    whole = batch(name)
    images = [{key: value[row : row + 1] for key, value in whole.items()} for row in range(len(whole["image"]))]
    return [{**one, "image": one["image"] * factor} for factor in (0.9, 1.0, 1.1) for one in images]


@torch.enable_grad()  # also where a test that needs no gradients asks first
def trained(name: str, steps: int) -> tuple[torch.nn.Module, list[float], set[str]]:
    """Return a method after a few steps on one batch, its losses and the weights that got a gradient."""
    method, data = build(name).train(), batch(name)
    optimiser = torch.optim.Adam(method.parameters(), lr=2e-3)
    losses, reached = [], set()
    for step in range(steps):
        loss = method.training_loss(data, generator(seed=step % 4))["loss"]
        loss.backward()
        reached |= {key for key, weight in method.named_parameters() if weight.grad is not None and weight.grad.any()}
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return method.eval(), losses, reached


def infer(method: torch.nn.Module, seed: int = 0) -> torch.Tensor:
    volume, brain = head()
    source = generator(seed=seed)
    with torch.no_grad():
        return method.anomaly_map(volume, method.reconstruct(volume, source), brain, source)


def with_noisy_weights(method: torch.nn.Module) -> torch.nn.Module:
    """Give the method other, fixed weights: networks that start at zero answer the same to any noise."""
    torch.manual_seed(0)
    for weight in method.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return method


class TwentySteps(dict):
    """Every method after twenty steps, trained at first use."""

    def __missing__(self, name: str) -> tuple[torch.nn.Module, list[float], set[str]]:
        self[name] = trained(name, 20)
        return self[name]


@pytest.fixture(scope="module")
def twenty_steps() -> dict:
    return TwentySteps()


def ready(name: str, twenty_steps: dict) -> torch.nn.Module:
    """Return the method with weights other than the initial ones, if it has any."""
    if name in TRAINED:
        return twenty_steps[name][0]
    method = build(name)
    if name in FITTED:
        method.fit(healthy(name), generator())
    torch.manual_seed(0)
    for weight in method.parameters():  # of its parts; networks that start at zero answer the same to any noise
        torch.nn.init.normal_(weight, std=0.05)
    return method


def constructor_parameters(method: type, depth: int = 0) -> list[inspect.Parameter]:
    """Return what a constructor takes, with what its `**` stands for: the keys of a TypedDict, or what its base class takes."""
    constructor = method.__mro__[depth].__init__
    found = []
    for parameter in list(inspect.signature(constructor).parameters.values())[1:]:
        annotation = get_type_hints(constructor).get(parameter.name)
        if parameter.kind is parameter.VAR_KEYWORD and get_origin(annotation) is Unpack:
            keys = get_args(annotation)[0].__required_keys__
            found += [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in sorted(keys)]
        elif parameter.kind is parameter.VAR_KEYWORD:
            found += constructor_parameters(method, depth + 1)
        elif depth == 0 or parameter.kind is not parameter.POSITIONAL_ONLY:  # which the method itself passes to its base class
            found.append(parameter)
    return found


@pytest.mark.parametrize("name", ALL)
def test_card_equals_signature(name: str) -> None:
    method, card = registry.load(name), cards.load(name)
    parameters = {parameter.name: parameter for parameter in constructor_parameters(method)}
    listed = [*card["requires"], *card["parameters"]]
    assert set(listed) <= set(parameters)
    assert all(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters.values())
    own = [key for key, p in inspect.signature(method).parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert own == [key for key in listed if key in own]
    for fixed in set(parameters) - set(listed):  # the method itself passes them to its base class
        with pytest.raises(TypeError, match=f"multiple values for .*'{fixed}'"):
            build(name, **{fixed: None})


@pytest.mark.parametrize("name", ALL)
def test_no_parameter_can_be_left_out(name: str) -> None:
    options = cards.tiny_whole(name)
    for key in options["parameters"]:
        fewer = {other: value for other, value in options["parameters"].items() if other != key}
        with pytest.raises((TypeError, KeyError), match=key):
            registry.assemble({**options, "parameters": fewer}, 0)


@pytest.mark.parametrize("name", ALL)
def test_card_is_complete(name: str) -> None:
    card = cards.load(name)
    assert card["name"] == name and card["track"] in TRACKS and card["spatial_dims"] in (2, 3)
    assert card["published_scoring"] in (None, *CHAINS)
    filled = ("title", "summary", "authors", "year", "venue", "code_licence")
    assert [key for key in filled if not card[key]] == []
    assert not card["doi"] or card["doi"].startswith("10."), "doi: 10.…, or an empty text for a method without a paper"
    assert set(card["capabilities"]) == set(cards.CAPABILITIES)
    assert not (card["capabilities"]["trains"] and card["capabilities"]["fits"])
    assert set(card["resources"]) == {"gpu", "threads", "mem_mb", "runtime_min"}
    assert isinstance(card["deviations"], list) and isinstance(card["requires"], dict)
    assert bool(card["training"]) == card["capabilities"]["trains"]
    for need in card["requires"].values():
        assert set(need) - {"same", "others"} == {"default", "optional", "capabilities", "overrides"}
        assert need["default"] in (*NAMES, *cards.components())


@pytest.mark.parametrize("name", ALL)
def test_every_setting_is_explained(name: str) -> None:
    card = cards.load(name)
    for schema in [*card["parameters"].values(), *card["training"].values()]:
        assert {"type", "unit", "default", "description", "source"} <= set(schema)
        assert schema["description"].endswith(".")
    assert {schema["stage"] for schema in card["parameters"].values() if "stage" in schema} <= {cards.INFERENCE, cards.TRAINING}
    assert not any("stage" in schema for schema in card["training"].values())


@pytest.mark.parametrize(("name", "key"), OF_TRAINING)
def test_no_weight_depends_on_a_setting_of_training(name: str, key: str) -> None:
    """Weights learned with another value must fit, as a training may start from them."""
    value = cards.tiny_whole(name)["parameters"][key]
    other = value + 1 if isinstance(value, int) else value / 2 + 0.01
    assert other != value
    one, two = build(name).state_dict(), build(name, **{key: other}).state_dict()
    assert {key: tensor.shape for key, tensor in one.items()} == {key: tensor.shape for key, tensor in two.items()}


@pytest.mark.parametrize("name", ALL)
def test_card_has_no_number_that_is_text(name: str) -> None:
    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for key, entry in value.items() if key != "enum" for text in texts(entry)]
        return [text for entry in value for text in texts(entry)] if isinstance(value, list) else [value] * isinstance(value, str)

    raw = yaml.safe_load(cards.path(name).read_text())
    assert not [
        text for text in texts([raw["parameters"], raw["training"], raw["tiny"]]) if text[:1].isdigit() and "e" in text[:4]
    ]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("modality", ["FLAIR", "T1w", "T2w", None])
def test_defaults_and_tiny_sizes_are_valid(name: str, modality: str | None) -> None:
    for resolved in (cards.resolve(name, {}, {}, modality), cards.tiny(name, modality)):
        again = cards.resolve(name, resolved["parameters"], resolved["training"], modality)
        assert again == resolved


@pytest.mark.parametrize("name", ALL)
def test_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="unknown key 'no_such_key'"):
        cards.resolve(name, {"no_such_key": 1}, {}, None)
    with pytest.raises(TypeError):
        build(name, no_such_key=1)


@pytest.mark.parametrize("name", TRAINED)
def test_loss_is_one_finite_number_with_gradients(name: str) -> None:
    loss = build(name).train().training_loss(batch(name), generator())["loss"]
    assert loss.shape == () and torch.isfinite(loss) and loss.requires_grad


@pytest.mark.parametrize("name", TRAINED)
def test_every_weight_gets_a_gradient(name: str, twenty_steps: dict) -> None:
    method, _, reached = twenty_steps[name]
    assert {key for key, weight in method.named_parameters() if weight.requires_grad} - reached == set()


@pytest.mark.parametrize("name", TRAINED)
def test_loss_falls(name: str, twenty_steps: dict) -> None:
    losses = twenty_steps[name][1]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])


@pytest.mark.parametrize("name", TRAINED)
def test_training_noise_comes_from_the_generator(name: str) -> None:
    def loss(source: torch.Generator) -> float:
        method = with_noisy_weights(build(name)).train()  # anew, because some take turns between networks
        return method.training_loss(batch(name), source)["loss"].item()

    sources = [generator(seed=seed) for seed in (0, 0, 1)]
    first, same, other = map(loss, sources)
    draws = not torch.equal(sources[0].get_state(), generator().get_state())  # a plain autoencoder learns without noise
    assert first == same and (first != other) == draws


def other_value(name: str, key: str) -> object:
    """Return another value of a parameter than that of the tiny sizes, valid together with their other values."""
    tiny, schema = cards.tiny(name), cards.load(name)["parameters"][key]
    value = tiny["parameters"][key]
    numbers = value if isinstance(value, list) else [value]
    changed = [[type(number)(step(number)) for number in numbers] for step in STEPS] if "enum" not in schema else []
    candidates = [*schema.get("enum", []), *(numbers if isinstance(value, list) else numbers[0] for numbers in changed)]
    for candidate in candidates:
        with suppress(UserError):
            if candidate != value:
                return cards.resolve(name, {**tiny["parameters"], key: candidate}, tiny["training"], None)["parameters"][key]
    raise AssertionError(f"{name}.{key}: no other value than {value} is accepted")


def learnt(method: torch.nn.Module, name: str) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Return all that a training depends on: losses of the first batch in both modes, and the state after a fit."""
    losses = []
    with_noisy_weights(method)
    if name in TRAINED:
        for mode in (True, False):
            torch.manual_seed(0)  # dropout has no generator of its own
            losses.append(method.train(mode).training_loss(batch(name), generator())["loss"].item())
    if name in FITTED:
        method.fit(healthy(name), generator())
    return losses, method.state_dict()


@pytest.mark.parametrize(("name", "key"), OF_INFERENCE)
def test_no_training_depends_on_a_setting_of_inference(name: str, key: str) -> None:
    (losses, weights), (same_losses, same) = (
        learnt(build(name, **changes), name) for changes in ({}, {key: other_value(name, key)})
    )
    assert losses == same_losses and weights.keys() == same.keys()
    assert all(torch.equal(value, same[key]) for key, value in weights.items())


@pytest.mark.parametrize("name", NAMES)
def test_verbs_are_those_of_the_card(name: str) -> None:
    able = cards.load(name)["capabilities"]
    assert (hasattr(registry.load(name), "fit"), hasattr(registry.load(name), "encode")) == (able["fits"], able["encodes"])


@pytest.mark.parametrize("name", FITTED)
def test_fit_learns_the_same_again_and_can_go_through_the_data_twice(name: str) -> None:
    method, again = build(name), build(name)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    method.fit(healthy(name), generator())
    again.fit(healthy(name), generator())
    again.fit(healthy(name), generator())
    learnt = method.state_dict()
    assert any(value.shape != before[key].shape or not torch.equal(value, before[key]) for key, value in learnt.items())
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in learnt.items())


@pytest.mark.parametrize("name", ENCODING)
def test_codes_are_one_vector_a_slice_or_a_volume(name: str, twenty_steps: dict) -> None:
    volume, _ = head()
    with torch.no_grad():
        codes = ready(name, twenty_steps).encode(volume)
    assert codes.ndim == 2 and len(codes) in (1, SLICES) and torch.isfinite(codes).all() and codes.std() > 0


@pytest.mark.parametrize("name", NAMES)
def test_map(name: str, twenty_steps: dict) -> None:
    _, brain = head()
    anomaly_map = infer(ready(name, twenty_steps))
    assert anomaly_map.shape == brain.shape and anomaly_map.dtype == torch.float32
    assert torch.isfinite(anomaly_map).all() and (anomaly_map[~brain] == 0).all() and anomaly_map[brain].any()


@pytest.mark.parametrize("name", NAMES)
def test_reconstruction_is_there_as_the_card_says(name: str, twenty_steps: dict) -> None:
    volume, _ = head()
    with torch.no_grad():
        reconstruction = ready(name, twenty_steps).reconstruct(volume, generator())
    assert (reconstruction is not None) == cards.load(name)["capabilities"]["reconstructs"]
    assert reconstruction is None or reconstruction.shape[-4:] == volume.shape  # several, where it draws several


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_map_and_another_seed_as_the_card_says(name: str, twenty_steps: dict) -> None:
    method = ready(name, twenty_steps)
    assert torch.equal(infer(method), infer(method))
    assert torch.equal(infer(method), infer(method, seed=1)) != cards.load(name)["capabilities"]["stochastic"]


def shown(name: str, intensity: float) -> float:
    """Return the mean of what a method's first network, or its U-Net on images, is shown of a constant head, over noises."""
    method, seen = build(name), []
    if name in FITTED:
        method.fit(healthy(name), generator())
    on_images = hasattr(method, "unet") and not {"autoencoder", "model"} & set(cards.load(name)["requires"])
    watched = [method.unet] if on_images else list(method.modules())[1:]

    def look(module: torch.nn.Module, arguments: tuple) -> None:
        seen.extend(image[:, 0].mean().item() for image in arguments[:1] if not seen and image.ndim > 3)

    for module in watched:
        module.register_forward_pre_hook(look)
    volume, means = torch.full((SLICES, 1, SIDE, SIDE), intensity), []
    for seed in range(8):
        source = generator(seed=seed)
        with torch.no_grad():
            method.anomaly_map(volume, method.reconstruct(volume, source), volume[:, 0] > 0, source)
        means.extend(seen)
        seen.clear()
    return float(np.mean(means)) if means else float("nan")


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_shown_the_declared_range(name: str) -> None:
    """A network trained on [-1, 1] and shown [0, 1] runs without an error; released baselines have done so for years.

    Noise and masks scale both ends alike, so that their ratio tells the one range from the other.
    """
    dark, bright = shown(name, 0.25), shown(name, 0.75)
    if np.isnan(dark) or name in ("mhd", "ssim_ens", "rank_mean", "albu_dissimilarity"):
        pytest.skip("has no network, or only those of other methods")
    slope = 2 * (bright - dark)
    low, high = cards.load(name)["network_range"]
    assert (dark - slope / 4) / slope == pytest.approx(low / (high - low), abs=0.15)


@pytest.mark.parametrize("name", NAMES)
def test_a_slice_is_judged_without_the_other_slices(name: str, twenty_steps: dict) -> None:
    """A maximum, a percentile or a blur over a batch would make a map depend on what else is in it."""
    card = cards.load(name)
    if name in BY_VOLUME or card["spatial_dims"] == 3 or card["training_data"]["kind"] == "volumes":
        pytest.skip(BY_VOLUME.get(name, "a method of volumes"))
    method, (volume, brain), maps = ready(name, twenty_steps), head(), []
    other = volume.clone()
    other[-1] = (1 - volume[-1]) * brain[-1]
    for each in (volume, other):
        source = generator()
        with torch.no_grad():
            maps.append(method.anomaly_map(each, method.reconstruct(each, source), brain, source))
    assert torch.allclose(maps[0][:-1], maps[1][:-1], atol=1e-5)


@pytest.mark.parametrize("name", CHUNKED)
def test_slices_of_a_pass_do_not_change_the_map(name: str, twenty_steps: dict) -> None:
    weights = ready(name, twenty_steps).state_dict()
    maps = []
    for size in (1, 3, 64):
        method = build(name, slices_per_pass=size)
        load_weights(method, weights)
        maps.append(infer(method))
    assert torch.allclose(maps[0], maps[2], atol=1e-5) and torch.allclose(maps[1], maps[2], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_same_map(name: str, twenty_steps: dict, tmp_path: Path) -> None:
    method, fresh = ready(name, twenty_steps), build(name, seed=1)
    save_model(tmp_path / "model.safetensors", method.state_dict(), {"method": name})
    load_model(fresh, tmp_path / "model.safetensors", {"method": name})
    assert torch.equal(infer(method), infer(fresh))


@pytest.mark.parametrize("name", NAMES)
def test_input_is_left_alone(name: str, twenty_steps: dict) -> None:
    method, (volume, brain), data = copy.deepcopy(ready(name, twenty_steps)), head(), batch(name)
    copies = volume.clone(), brain.clone(), {key: value.clone() for key, value in data.items()}
    method.training_loss(data, generator())
    with torch.no_grad():
        method.anomaly_map(volume, method.reconstruct(volume, generator()), brain, generator())
    assert torch.equal(volume, copies[0]) and torch.equal(brain, copies[1])
    assert all(torch.equal(data[key], copies[2][key]) for key in data)


@pytest.mark.parametrize("name", NAMES)
def test_no_lesion_mask_reaches_training(name: str, tmp_path: Path) -> None:
    """Check that the engine offers image and brain alone, and that the method needs nothing else."""
    if cards.load(name)["track"] not in ("none", "healthy"):
        pytest.skip("its track sees labels")
    volume, brain = (tensor.squeeze(1).numpy() for tensor in head())
    sample = Sample("sub-1", "healthy", volume, brain, brain)
    write_pack(tmp_path / "train.h5", iter([sample]), affine=np.eye(4), modality="FLAIR", cohort="c", split="train")
    offered = read_images(tmp_path / "train.h5", torch.device("cpu")).draw(2, torch.device("cpu"), 0)
    assert set(offered) == {"image", "brain"}
    build(name).training_loss(batch(name), generator())  # a third key would be a KeyError


@pytest.mark.parametrize("name", NAMES)
def test_volume_without_brain_gives_an_empty_map(name: str, twenty_steps: dict) -> None:
    volume, brain = torch.zeros(SLICES, 1, SIDE, SIDE), torch.zeros(SLICES, SIDE, SIDE, dtype=torch.bool)
    method = ready(name, twenty_steps)
    with torch.no_grad():
        anomaly_map = method.anomaly_map(volume, method.reconstruct(volume, generator()), brain, generator())
    assert (anomaly_map == 0).all()
