"""From a method's name to its class. A module is imported only when its method is asked for."""

from __future__ import annotations

import importlib
import inspect

import torch
from torch import nn

from madad import cards
from madad.seeds import seed_from

names = cards.names


def load(name: str) -> type[nn.Module]:
    """The class of a method: the one class in its module that has the verbs.

    Raises:
        UserError: no such method.
    """
    cards.load(name)
    module = importlib.import_module(f"madad.methods.{name}")
    own = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__ and _is_method(c)]
    if len(own) != 1:
        raise TypeError(f"{module.__file__}: one class with the verbs of a method is needed, found {len(own)}")
    return own[0]


def build(name: str, parameters: dict, seed: int) -> nn.Module:
    """A method with its initial weights.

    Args:
        name: the method.
        parameters: complete hyper-parameters, from `madad.cards.resolve`.
        seed: the weights depend on it and on nothing else; the global random state is left alone.

    Returns:
        the method; `hyperparameters` holds what it was built with, for the files the engine writes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_from("initial weights", seed))
        method = load(name)(**parameters)
    method.hyperparameters = dict(parameters)
    return method


def _is_method(candidate: type) -> bool:
    return issubclass(candidate, nn.Module) and all(
        hasattr(candidate, v) for v in ("training_loss", "reconstruct", "anomaly_map")
    )
