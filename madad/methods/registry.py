"""Build a method or component and its parts by name. A module is imported only when its class is requested."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import nn

from madad.configuration import cards
from madad.core import plugins
from madad.core.seeds import seed_from

VERBS = ("training_loss", "reconstruct", "anomaly_map")

Prepare = Callable[[str, nn.Module], None]


def load(name: str) -> type[nn.Module]:
    """Return the class of a method or component: the only class in its module that has the required methods.

    Raises:
        UserError: no such method.
    """
    package = importlib.import_module(plugins.PACKAGE).__path__
    package.extend(str(folder) for folder in plugins.folders() if str(folder) not in package)
    module = importlib.import_module(cards.module(name))
    verbs = VERBS if name in cards.names() else VERBS[:1]
    own = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__ and _has(c, verbs)]
    if len(own) != 1:
        raise TypeError(f"{module.__file__}: one class with {', '.join(verbs)} is needed, found {len(own)}")
    return own[0]


def build(name: str, parameters: dict, seed: int, parts: dict[str, nn.Module | None] | None = None) -> nn.Module:
    """Build a method with its initial weights.

    Args:
        name: the method.
        parameters: complete hyper-parameters, from `madad.configuration.cards.resolve`.
        seed: of the weights, which depend on nothing else; the global random state does not change.
        parts: a module for every role of the card's `requires`, None for an optional part that is not used.

    Returns:
        the method; `hyperparameters` holds what it was built with, and `trained_with` the part that its weights depend on,
        for the files that the engine writes.
    """
    parts = parts or {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_from("initial weights", seed))
        method: Any = load(name)(**parts, **parameters)
    beneath = _beneath({role: part.hyperparameters for role, part in parts.items() if part is not None})
    method.hyperparameters = {**parameters, **beneath}
    method.trained_with = {**cards.of_training(name, parameters), **beneath}
    return method


def assemble(options: dict, seed: int, prepare: Prepare = lambda role, part: None) -> nn.Module:
    """Build a method with its trained parts, which are frozen.

    Args:
        options: `base`, `parameters` and `parts`, from `madad.configuration.experiments`.
        seed: of the initial weights.
        prepare: called with the role of every part before the method is built, to load its weights.
    """
    parts: dict[str, nn.Module | None] = {}
    for role in cards.load(options["base"])["requires"]:
        used = options["parts"].get(role)
        parts[role] = part = assemble(as_used(used), seed) if used else None
        if part is not None:
            prepare(role, part)
            part.requires_grad_(False)
    return build(options["base"], options["parameters"], seed, parts)


def as_used(part: dict) -> dict:
    """Return the options of a part with the overrides of the method that uses it."""
    return {**part, "parameters": {**part["parameters"], **part["overrides"]}}


def trained_with(options: dict) -> dict:
    """Return what the weights of a method depend on, as `build` records it, without building the method."""
    return {**cards.of_training(options["base"], options["parameters"]), **_used(options["parts"])}


def hyperparameters(options: dict) -> dict:
    """Return what a method is built with, as `build` records it, without building the method."""
    return {**options["parameters"], **_used(options["parts"])}


def _used(parts: dict) -> dict:
    return _beneath({role: hyperparameters(as_used(part)) for role, part in parts.items()})


def _beneath(parts: dict) -> dict:
    return {"parts": parts} if parts else {}


def _has(candidate: type, verbs: tuple[str, ...]) -> TypeGuard[type[nn.Module]]:
    return issubclass(candidate, nn.Module) and all(hasattr(candidate, verb) for verb in verbs)
