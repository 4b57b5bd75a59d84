"""The training loop: files, refusals, and what may and may not change a result."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from madad.core.errors import UserError
from madad.engine.model_files import load_model, read_metadata
from madad.engine.training import Pairs, train
from madad.engine.training_data import read_images
from tests.engine import toy

HEADER = ["step", "loss", "validation_loss", "seconds", "slices_per_s"]


def run(
    folder: Path,
    method: torch.nn.Module | None = None,
    where: str = "run",
    seed: int = 0,
    kind: str = "slices",
    pairs: Pairs | None = None,
    **changes: object,
) -> Path:
    packs = {"train_pack": folder / "train.h5", "validation_pack": folder / "validation.h5"}
    if not packs["train_pack"].exists():
        toy.packs(folder)
    train(
        method or toy.denoiser(),
        **packs,
        options={**toy.OPTIONS, **changes},
        identity=toy.IDENTITY,
        parts={},
        seed=seed,
        run=folder / where,
        checkpoints=folder / "checkpoints" / where,
        device="cpu",
        kind=kind,
        pairs=pairs,
    )
    return folder / where


def history(folder: Path) -> list[dict]:
    with open(folder / "history.csv") as stream:
        return list(csv.DictReader(stream))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("trained"))


def test_history(trained: Path) -> None:
    rows = history(trained)
    assert list(rows[0]) == HEADER
    assert [int(row["step"]) for row in rows] == [5, 10, 12]
    assert all(float(row[key]) > 0 for row in rows for key in HEADER)
    assert float(rows[-1]["validation_loss"]) < float(rows[0]["validation_loss"])


def test_record(trained: Path) -> None:
    record = json.loads((trained / "train.json").read_text())
    assert record["identity"] == toy.IDENTITY and record["parameters"] == {"width": 4}
    assert record["data"]["training"]["subjects"] == 3 and record["data"]["training"]["images"] == 12
    assert record["parameter_count"] == sum(weight.numel() for weight in toy.denoiser().parameters())
    assert record["steps"] == 12 and record["best_step"] in (5, 10, 12)
    assert record["seconds"] > 0 and record["peak_memory_mb"] > 1 and record["environment"]["torch"]
    assert record["threads"] >= 1
    assert record["precision"] == "32" and record["channels"] == "last"


def test_best_step_is_the_lowest_validation_loss(trained: Path) -> None:
    record = json.loads((trained / "train.json").read_text())
    best = min(history(trained), key=lambda row: float(row["validation_loss"]))
    assert record["best_step"] == int(best["step"])
    assert record["best_validation_loss"] == pytest.approx(float(best["validation_loss"]))


def test_model_says_what_it_is(trained: Path) -> None:
    metadata = read_metadata(trained / "model.safetensors")
    assert metadata["method"] == "denoiser" and metadata["modality"] == "FLAIR" and metadata["parameters"] == {"width": 4}
    assert metadata["image_shape"] == list(toy.SHAPE) and len(metadata["fingerprint"]) == 16
    assert set(load_file(trained / "model.safetensors")) == set(toy.denoiser().state_dict())


def test_checkpoint_is_gone_in_the_end(trained: Path) -> None:
    assert not (trained.parent / "checkpoints" / "run").exists()


def test_same_seed_same_bits_and_another_seed_others(trained: Path) -> None:
    torch.manual_seed(99)  # whatever happened before
    assert weights(run(trained.parent, where="again")) == weights(trained)
    assert (
        load_file(run(trained.parent, where="other", seed=1) / "model.safetensors")["layers.0.weight"]
        .ne(load_file(trained / "model.safetensors")["layers.0.weight"])
        .any()
    )


def test_checkpoints_cannot_change_a_result(trained: Path) -> None:
    assert weights(run(trained.parent, where="often", checkpoint_every_s=0.0)) == weights(trained)


class Turning(toy.Denoiser):
    """After five steps something happens to the training loss; the validation loss stays what it is."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.calls = factor, 0

    def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
        self.calls += self.training
        loss = super().training_loss(batch, generator)["loss"]
        return {"loss": loss * self.factor if self.calls > 5 else loss}


def turning(factor: float) -> Turning:
    torch.manual_seed(0)
    return Turning(factor)


def test_best_weights_are_published_not_the_last(tmp_path: Path) -> None:
    unlearning = run(tmp_path, turning(-1.0), where="unlearning", ema_decay=0.0)
    short = run(tmp_path, turning(1.0), where="short", steps=5, ema_decay=0.0)
    assert json.loads((unlearning / "train.json").read_text())["best_step"] == 5
    published, expected = (load_file(folder / "model.safetensors") for folder in (unlearning, short))
    assert all(torch.equal(published[name], expected[name]) for name in expected)


def test_checkpoint_of_another_run_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(UserError, match="the loss is nan at step 6"):
        run(tmp_path, turning(math.nan), checkpoint_every_s=0.0)
    assert (tmp_path / "checkpoints" / "run" / "checkpoint.pt").exists()
    changed = run(tmp_path, learning_rate=5e-3)
    assert "of other options, data or code" in capsys.readouterr().err
    assert weights(changed) == weights(run(tmp_path, where="fresh", learning_rate=5e-3))


def test_damaged_checkpoint_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "checkpoints" / "run"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut off")
    (folder / ".123-checkpoint.pt").write_bytes(b"half")
    damaged = run(tmp_path)
    assert "the checkpoint is damaged" in capsys.readouterr().err
    assert weights(damaged) == weights(run(tmp_path, where="fresh"))
    assert not folder.exists()


def test_loss_that_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at step \d+; lower training.learning_rate"):
        run(tmp_path, learning_rate=1e30, gradient_clip=0.0, steps=50)


def test_a_loss_far_above_its_start_leaves_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"times that at the start; lower training.learning_rate"):
        run(tmp_path, learning_rate=1e4, gradient_clip=0.0)
    assert not list(tmp_path.rglob("model.safetensors"))


def test_no_healthy_training_subject(tmp_path: Path) -> None:
    toy.write(tmp_path / "train.h5", ["sub-1"], "train", group="patient")
    toy.write(tmp_path / "validation.h5", ["sub-4"], "validation")
    with pytest.raises(UserError, match=r"train.h5: no healthy subject"):
        run(tmp_path)


def test_empty_training_pack(tmp_path: Path) -> None:
    toy.write(tmp_path / "train.h5", [], "train")
    toy.write(tmp_path / "validation.h5", ["sub-4"], "validation")
    with pytest.raises(UserError, match=r"train.h5: no healthy subject"):
        run(tmp_path)


def test_packs_on_two_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.write(tmp_path / "train.h5", ["sub-1"], "train")
    monkeypatch.setattr(toy, "SHAPE", (6, 32, 32))
    toy.write(tmp_path / "validation.h5", ["sub-4"], "validation")
    with pytest.raises(UserError, match=r"validation.h5: volumes of shape \(6, 32, 32\)"):
        run(tmp_path)


def test_no_validation_subject_publishes_the_last_weights(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    toy.write(tmp_path / "train.h5", ["sub-1"], "train")
    toy.write(tmp_path / "validation.h5", [], "validation")
    folder = run(tmp_path)
    warning = capsys.readouterr().err
    assert "no healthy validation subject" in warning and "Raise cohorts.toy.split.validation" in warning
    record = json.loads((folder / "train.json").read_text())
    assert record["best_step"] == 12 and record["best_validation_loss"] is None
    assert [row["validation_loss"] for row in history(folder)] == ["", "", ""]


def test_method_with_nothing_to_learn(tmp_path: Path) -> None:
    folder = run(tmp_path, toy.Nothing())
    assert (folder / "history.csv").read_text() == ",".join(HEADER) + "\n"
    assert load_file(folder / "model.safetensors") == {}
    record = json.loads((folder / "train.json").read_text())
    assert record["steps"] == 0 and record["parameter_count"] == 0 and record["image_shape"] == list(toy.SHAPE)


class Average(toy.Nothing):
    """Learns at one go: the mean image, and what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.empty(0))
        self.shown: list[torch.Tensor] = []

    def fit(self, data: Iterable[dict], generator: torch.Generator) -> None:
        assert not torch.is_grad_enabled() and len(list(data)) == len(list(data))
        self.shown = [batch["image"] for batch in data]
        time.sleep(0.002)
        self.mean = torch.cat(self.shown).mean(0) + torch.rand(1, generator=generator)


@pytest.mark.parametrize(("kind", "count", "shape"), [("slices", 12, (1, 1, 16, 16)), ("volumes", 3, (1, 1, *toy.SHAPE))])
def test_method_that_learns_at_one_go(tmp_path: Path, kind: str, count: int, shape: tuple[int, ...]) -> None:
    method = Average()
    folder = run(tmp_path, method, kind=kind)
    images = read_images(tmp_path / "train.h5", torch.device("cpu"), kind).image
    assert len(method.shown) == count and method.shown[0].shape == shape and torch.equal(torch.cat(method.shown), images)
    assert (folder / "history.csv").read_text() == ",".join(HEADER) + "\n"
    record = json.loads((folder / "train.json").read_text())
    assert record["steps"] == 0 and record["seconds"] >= 0.002 and record["data"]["training"]["images"] == count
    fresh = Average()
    load_model(fresh, folder / "model.safetensors", {"method": "denoiser", "image_shape": list(toy.SHAPE)})
    assert torch.equal(fresh.mean, method.mean)
    assert weights(run(tmp_path, Average(), "again", kind=kind)) == weights(folder)
    assert weights(run(tmp_path, Average(), "other", seed=1, kind=kind)) != weights(folder)


def test_nothing_to_learn_from_at_one_go(tmp_path: Path) -> None:
    toy.write(tmp_path / "train.h5", ["sub-1"], "train", group="patient")
    toy.write(tmp_path / "validation.h5", ["sub-4"], "validation")
    with pytest.raises(UserError, match=r"train.h5: no healthy subject"):
        run(tmp_path, Average(), kind="volumes")


def test_bfloat16_is_really_used(tmp_path: Path) -> None:
    seen = set()
    method = toy.denoiser()
    method.layers[0].register_forward_hook(lambda layer, inputs, output: seen.add(output.dtype))
    run(tmp_path, method, precision="bf16", steps=2)
    assert torch.bfloat16 in seen
    assert next(method.parameters()).dtype == torch.float32


def test_synthetic_lesions_reach_the_loss_and_come_from_coordinates(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    class Watching(toy.Denoiser):
        def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
            seen.append(batch["image"] - batch["healthy"])
            return super().training_loss(batch, generator)

    def pairs(image: torch.Tensor, brain: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"image": image + torch.rand(1, generator=generator), "healthy": image}

    toy.packs(tmp_path)
    for where in ("one", "two"):
        torch.manual_seed(0)
        run(tmp_path, Watching(), where, pairs=pairs, steps=5, validate_every=5)
    half = len(seen) // 2
    assert all(torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True))
    assert len({round(float(change.mean()), 5) for change in seen[:5]}) == 5


def test_methods_of_volumes_get_volumes(tmp_path: Path) -> None:
    shapes: list[tuple[int, ...]] = []

    class Whole(toy.Denoiser):
        def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
            shapes.append(tuple(batch["image"].shape))
            return {"loss": self.layers(batch["image"][:, :, 2]).abs().mean()}

    torch.manual_seed(0)
    run(tmp_path, Whole(), kind="volumes", steps=2, batch_size=2)
    assert shapes[0] == (2, 1, *toy.SHAPE)


def test_frozen_parts_neither_learn_nor_count_batches(tmp_path: Path) -> None:
    class Standing(toy.Denoiser):
        def __init__(self) -> None:
            super().__init__()
            self.part = toy.denoiser(seed=5).requires_grad_(False)

        def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
            assert not self.part.training or not self.training
            return super().training_loss({**batch, "image": self.part.layers(batch["image"])}, generator)

    method = Standing()
    before = {key: value.clone() for key, value in method.part.state_dict().items()}
    folder = run(tmp_path, method)
    published = load_file(folder / "model.safetensors")
    assert all(torch.equal(published[f"part.{key}"], value) for key, value in before.items())
    assert json.loads((folder / "train.json").read_text())["parameter_count"] == 2 * sum(
        w.numel() for w in toy.denoiser().parameters()
    )
