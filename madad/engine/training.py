"""Training, the same for every method: one loop that can be killed at any moment and resumed to the same result.

All random numbers depend on (seed, step). The saved weights are the averaged ones with the lowest loss on fixed slices of the
healthy validation subjects, with noise levels and noise that are the same at every validation and for every seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Batch, Pair, Trainable
from madad.core.logs import progress, say, warn
from madad.core.seeds import seed_from, torch_generator
from madad.engine import devices
from madad.engine.checkpoint_lock import exclusive
from madad.engine.checkpoints import load_checkpoint, remove_checkpoint, save_checkpoint
from madad.engine.divergence import check_loss, check_outcome
from madad.engine.ema import averaged
from madad.engine.initial_weights import InitialWeights
from madad.engine.one_pass_fitting import fitted
from madad.engine.optimisers import OPTIMISERS
from madad.engine.outputs import Outcome, Record, write_outputs
from madad.engine.signals import Interruption
from madad.engine.step_losses import StepLosses
from madad.engine.training_data import Images, check_depth, read_images

# Puts synthetic lesions into images: (image, brain, generator) to the pairs.
Pairs = Callable[[Tensor, Tensor, torch.Generator], Pair]

VALIDATION_IMAGES = 128


def train(
    method: nn.Module,
    *,
    train_pack: Path,
    validation_pack: Path,
    options: dict,
    identity: dict,
    parts: dict[str, str],
    seed: int,
    run: Path,
    checkpoints: Path,
    device: str,
    kind: str = "slices",
    pairs: Pairs | None = None,
    initial: InitialWeights | None = None,
) -> None:
    """Train a method and write `model.safetensors`, `history.csv` and `train.json` into `run`.

    A method that is fitted in one pass (`madad.core.interfaces.Fitted`) and one without weights get the same files, with an
    empty history.

    Args:
        method: from `madad.methods.registry.build`.
        train_pack: pack whose healthy subjects are trained on.
        validation_pack: pack whose healthy subjects are validated on, those that no threshold is chosen on.
        options: complete training options, from `madad.configuration.cards.resolve`.
        identity: cohort, modality, method and seed as text, for the files.
        parts: fingerprint of the model of every part that the method uses, by role.
        seed: seed of all random numbers.
        run: folder for the results.
        checkpoints: folder for the checkpoint, which is removed when the results are written.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        kind: "slices" or "volumes".
        pairs: adds synthetic lesions to the images of a batch, for methods that learn from them.
        initial: weights to start from, in place of those of the method.

    Raises:
        UserError: no healthy slices, another process training in this folder, weights to start from that do not fit, or a
            training that diverged.
        SystemExit: 143 after SIGTERM and 130 after SIGINT, after the checkpoint is written.
    """
    devices.keep_freed_memory()
    with exclusive(Path(checkpoints)), devices.lease(device) as chosen, Interruption() as interruption:
        memory = chosen if pairs is None else torch.device("cpu")
        data, validation = read_images(train_pack, memory, kind), read_images(validation_pack, memory, kind, "checkpoint")
        record = Record.of(method, options, identity, parts, seed, data, validation, initial.about if initial else None)
        if hasattr(method, "fit"):
            _check(data, validation, train_pack, validation_pack, identity["cohort"])
            write_outputs(Path(run), record, fitted(method, data, seed, chosen), chosen)
            return
        if not any(weight.requires_grad for weight in method.parameters()):
            write_outputs(Path(run), record, Outcome(method.state_dict()), chosen)
            return
        _check(data, validation, train_pack, validation_pack, identity["cohort"])
        check_depth(data, train_pack)
        if initial:
            initial.load(method)
        training = Training(method, data, validation, options, seed, chosen, pairs)
        say(f"trains on {chosen} in {'bf16' if training.half else '32 bit'}, convolutions with the channels {training.channels}")
        training.run(Path(checkpoints), record.fingerprint, interruption, from_start=initial is not None)
        write_outputs(Path(run), record, training.outcome, chosen)
        remove_checkpoint(Path(checkpoints))


class Training:
    """The state of a training, as a checkpoint holds it, and its loop.

    Attributes:
        step: number of steps done.
        history: one row per validation, the first before the first step where the weights are trained already.
        best: step, validation loss and weights of the best model so far.
        losses: those of the steps since the last validation.
        seconds: time spent, including that before interruptions.
    """

    def __init__(
        self,
        method: nn.Module,
        data: Images,
        validation: Images,
        options: dict,
        seed: int,
        device: torch.device,
        pairs: Pairs | None = None,
    ) -> None:
        self.options, self.seed, self.device = options, seed, device
        self.data, self.validation, self.pairs = data, validation, pairs
        # lesions are drawn and inserted on the host, which does so while the device is busy with the step before
        self.drawing = device if pairs is None else torch.device("cpu")
        self.half = devices.uses_bfloat16(options["precision"], device)
        self.channels = devices.channels(method, device, trains=True)
        self.method = devices.move(method, device, trains=True).train()
        self.weights = [weight for weight in method.parameters() if weight.requires_grad]
        self.optimiser = OPTIMISERS[options["optimiser"]](
            self.weights, lr=options["learning_rate"], weight_decay=options["weight_decay"]
        )
        for part in _frozen(method):
            part.eval()
        self.average = averaged(method, options["ema_decay"]).eval()
        self.step, self.seconds, self.losses = 0, 0.0, StepLosses(options)
        self.history: list[dict] = []
        self.best: dict = {"step": 0, "validation_loss": math.inf, "weights": {}}

    def run(self, folder: Path, fingerprint: str, interruption: Interruption, from_start: bool = False) -> None:
        """Train to the last step, from the checkpoint in the folder if there is one.

        Args:
            folder: of the checkpoint.
            fingerprint: of the training.
            interruption: whether the process is to end.
            from_start: whether the weights before the first step may be the best, because they are trained already.
        """
        self._resume(folder, fingerprint)
        if not self.step and (from_start or not self.options["steps"]):
            self._validate()
        begun, saved, before = time.monotonic(), time.monotonic(), self.seconds
        steps = self.options["steps"]
        for step in progress(range(self.step + 1, steps + 1), "training", steps, self.step):
            self.step = step
            self._advance()
            validates = self.step % self.options["validate_every"] == 0 or self.step == steps
            if validates:
                self.losses.read()  # before the clock is read: only now has the device finished
            self.seconds = before + time.monotonic() - begun
            if validates:
                self._validate()
            due = time.monotonic() - saved >= self.options["checkpoint_every_s"]
            if interruption.exit_code is not None or (due and self.step < steps):
                save_checkpoint(folder, self._state(), fingerprint)
                saved = time.monotonic()
            if interruption.exit_code is not None:
                say(f"interrupted after step {self.step} of {steps}; run again to continue from there")
                raise SystemExit(interruption.exit_code)
        if self.history:
            last, best = self.history[-1]["loss"], self.best["validation_loss"]
            check_outcome(last, best, self.losses.start, self.options)

    @property
    def outcome(self) -> Outcome:
        """The best weights so far, with their history."""
        return Outcome(
            self.best["weights"], self.history, self.best["step"], self.best["validation_loss"], self.seconds, self.channels
        )

    def _advance(self) -> None:
        """Do one optimiser step, which depends only on the weights, the seed and the number of the step."""
        batch = self.data.draw(self.options["batch_size"], self.drawing, self.seed, "slices", self.step)
        batch = self._with_lesions(batch, self.seed, "pairs", self.step)
        torch.manual_seed(seed_from(self.seed, "layers", self.step))  # dropout has no generator of its own
        with draws.on_device():
            loss = self._loss(self.method, batch, torch_generator(self.seed, "loss", self.step))
        self.losses.add(self.step, loss)
        loss.backward()
        if self.options["gradient_clip"] > 0:
            nn.utils.clip_grad_norm_(self.weights, self.options["gradient_clip"])
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update_parameters(self.method)

    def _loss(self, method: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the loss of a batch, in mixed precision where the options and the device ask for it."""
        with torch.autocast(self.device.type, torch.bfloat16) if self.half else nullcontext():
            return cast(Trainable, method).training_loss(batch, generator)["loss"]

    def _with_lesions(self, batch: Batch, *coordinates: int | str) -> Batch:
        """Return the batch, with synthetic lesions drawn from the coordinates if the method learns from pairs."""
        if self.pairs is None:
            return batch
        pairs = self.pairs(batch["image"], batch["brain"], torch_generator(*coordinates))
        return cast(Batch, {name: draws.sent(images, self.device) for name, images in {**batch, **pairs}.items()})

    def _validate(self) -> None:
        """Add a row to the history and keep the weights if they are the best so far."""
        mean, loss = self.losses.mean(self.step), self._validation_loss()
        before = self.history[-1] if self.history else {"step": 0, "seconds": 0.0}
        slices = (self.step - before["step"]) * self.options["batch_size"]
        self.history.append(
            {
                "step": self.step,
                "loss": mean,
                "validation_loss": loss,
                "seconds": self.seconds,
                "slices_per_s": slices / max(self.seconds - before["seconds"], 1e-9),
            }
        )
        if len(self.validation):
            check_loss(loss, "validation loss", self.step, self.options)
        # Without validation data the loss is NaN and the latest weights are kept.
        if not loss >= self.best["validation_loss"]:
            weights = {name: value.detach().cpu().clone() for name, value in self.average.module.state_dict().items()}
            self.best = {"step": self.step, "validation_loss": loss, "weights": weights}

    @torch.no_grad()
    def _validation_loss(self) -> float:
        """Return the mean loss of the averaged weights on fixed slices with fixed noise; NaN without validation data."""
        if not len(self.validation):
            return math.nan
        rows = self.validation.spread(VALIDATION_IMAGES)
        total = 0.0
        for number, part in enumerate(rows.split(self.options["batch_size"])):
            batch = self._with_lesions(self.validation.batch(part, self.drawing), "validation pairs", number)
            loss = self._loss(self.average.module, batch, torch_generator("validation", number))  # of a copy of the method
            total += loss.item() * len(part)
        return total / len(rows)

    def _state(self) -> dict:
        self.losses.read()
        return {
            "method": self.method.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses.values,
            "history": self.history,
            "best": self.best,
            "start": self.losses.start,
        }

    def _resume(self, folder: Path, fingerprint: str) -> None:
        state = load_checkpoint(folder, fingerprint)
        if state is None:
            return
        self.method.load_state_dict(state["method"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        for key in ("step", "seconds", "history", "best"):
            setattr(self, key, state[key])
        self.losses.values, self.losses.start = state["losses"], state["start"]
        say(f"resumes after step {self.step} of {self.options['steps']}")


def _frozen(method: nn.Module) -> list[nn.Module]:
    """Return the trained parts of a method, whose dropout and batch statistics must stay in evaluation mode."""
    return [part for part in method.children() if list(part.parameters()) and not any(w.requires_grad for w in part.parameters())]


def _check(data: Images, validation: Images, train_pack: Path, validation_pack: Path, cohort: str) -> None:
    if not len(data):
        raise UserError(
            f"{train_pack}: no healthy subject with any brain to train on; "
            "check the split in the manifest and the quality table of the preprocessing"
        )
    if not len(validation):
        warn(
            f"{validation_pack}: no healthy validation subject; the last weights are saved instead of the best. Raise "
            f"cohorts.{cohort}.split.validation, or add healthy subjects"
        )
    elif validation.volume_shape != data.volume_shape:
        raise UserError(
            f"{validation_pack}: volumes of shape {validation.volume_shape}, but those for training have {data.volume_shape}"
        )
