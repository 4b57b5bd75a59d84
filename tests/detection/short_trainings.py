"""Results of trainings of a few steps on a toy pack, by the command that the workflow calls, without Snakemake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from madad.cli import main as cli
from madad.configuration import settings
from madad.core.provenance import write_json
from madad.workflow import methods as workflow_methods
from madad.workflow.plan import Plan
from tests.engine import toy


@dataclass(frozen=True)
class Study:
    """A configuration and the folder of its results."""

    results: Path
    plan: Plan

    def run(self, method: str, seed: int = 0) -> dict[str, str]:
        return {"cohort": "phantom", "modality": "FLAIR", "method": method, "seed": str(seed)}

    def folder(self, method: str, seed: int = 0) -> Path:
        return self.results / f"runs/phantom/FLAIR/{method}/seed{seed}"

    def options(self, method: str) -> str:
        return workflow_methods.training_options(self.plan, self.run(method))

    def train(self, method: str) -> int:
        """Train a method and return the exit status."""
        parts = [str(self.folder(part) / "model.safetensors") for _, part in sorted(self.plan.entries[method]["parts"].items())]
        run = [text for key, value in self.run(method).items() for text in (f"--{key}", value)]
        packs = [text for split in ("train", "validation") for text in (f"--{split}", str(self.results / f"packs/{split}.h5"))]
        places = ["--run", str(self.folder(method)), "--checkpoints", str(self.results / "checkpoints" / method)]
        machine = ["--device", "cpu", "--threads", "1"]
        return cli.main(["stage", "train", *run, "--options", self.options(method), *packs, "--parts", *parts, *places, *machine])


def study(results: Path, seed: int = 0, **changes: object) -> Study:
    """Return a study of phantoms with this seed, with packs and the record of its configuration; nothing is trained yet."""
    config = settings.resolve(
        {
            "preset": "smoke",
            "cohorts": {"phantom": {"kind": "phantom", "seed": seed}},
            "train_on": ["phantom"],
            "test_on": ["phantom"],
            "modalities": ["FLAIR"],
            "methods": ["ddpm", "ldm"],
            **changes,
        }
    )
    (results / "packs").mkdir(parents=True, exist_ok=True)
    names = {"train": ["sub-1", "sub-2", "sub-3"], "validation": ["sub-4"]}
    for split, subjects in names.items():
        toy.write(results / f"packs/{split}.h5", [f"{subject}-{seed}" for subject in subjects], split)
    write_json(results / "provenance.json", {"configuration": config, "environment": {}})
    return Study(results, Plan.of(config))
