"""Which sequences of a run every cohort takes part with: those that are asked for and that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from madad.configuration import cohort_cards, cohort_names
from madad.configuration.schema import Options


def of(config: Options, cohort: str) -> list[str]:
    """Return the sequences of a cohort that the run uses, in the order of `modalities`.

    Args:
        config: with `modalities` of every cohort in use, from `complete`.
        cohort: its name.
    """
    return [modality for modality in config["modalities"] if modality in config["cohorts"][cohort]["modalities"]]


def complete(config: Options, names: list[str]) -> None:
    """Set `modalities` of cohorts that leave them open: the sequences that they have, or all where their files tell nothing.

    Args:
        config: changed in place.
        names: of the cohorts in use.
    """
    for cohort in (config["cohorts"][name] for name in names):
        if cohort["modalities"] is None:
            has = cohort_names.sequences(cohort) or config["modalities"]
            # A reader may know other names of a sequence: if none of the wanted ones is found, it decides.
            cohort["modalities"] = [m for m in config["modalities"] if m in has] or list(config["modalities"])


def reference(config: Options, pipeline: str, modality: str) -> str | None:
    """Return the cohort whose training images fit the intensities of a sequence; None if no cohort that is trained on has it.

    Args:
        config: complete.
        pipeline: name of the pipeline.
        modality: the sequence.
    """
    chosen = config["pipelines"][pipeline]["reference"]
    trained = [name for name in config["train_on"] if config["cohorts"][name]["pipeline"] == pipeline]
    able = [name for name in [chosen, *trained] if name and modality in of(config, name)]
    return able[0] if able else None


def problems(config: Options, testsets: Mapping[str, str]) -> Iterator[str]:
    """Yield one sentence for every sequence that no cohort has, and every cohort that shares none with those it is run with.

    Args:
        config: with the `modalities` of all cohorts.
        testsets: cohort of every test set.
    """
    cohorts = config["cohorts"]
    trained = {name: set(of(config, name)) for name in config["train_on"] if name in cohorts}
    tested = {name: set(of(config, cohort)) for name, cohort in testsets.items() if cohort in cohorts}
    known = {*trained, *(cohort for cohort in testsets.values() if cohort in cohorts)}
    for modality in config["modalities"]:
        if known and not any(modality in cohorts[name]["modalities"] for name in known):
            having = "; ".join(f"{name}: {', '.join(cohorts[name]['modalities'])}" for name in sorted(known))
            yield f"modalities: no cohort in use has {modality} (they have {having})"
    for key, mine, others in (("train_on", trained, tested), ("test_on", tested, trained)):
        for name, own in mine.items():
            if others and not any(own & other for other in others.values()):
                opposite = "; ".join(f"{other}: {', '.join(sorted(has))}" for other, has in others.items())
                yield f"{key}: {name} ({', '.join(sorted(own))}) shares no sequence with {opposite}; leave it out"
    for name in sorted(known):
        yield from _own_problems(name, cohorts[name])


def _own_problems(name: str, cohort: Options) -> Iterator[str]:
    facts = cohort_cards.card(cohort["kind"])
    if missing := sorted(set(cohort["modalities"]) - set(facts.get("modalities", cohort["modalities"]))):
        has = ", ".join(facts["modalities"])
        yield f"cohorts.{name}.modalities: {facts['title']} has no {', '.join(missing)}; it has {has}"


def left_out(config: Options, names: list[str]) -> Iterator[str]:
    """Yield one line for every cohort that takes part with only some of the run's sequences.

    Args:
        config: complete.
        names: of the cohorts in use.
    """
    trained = {modality for name in config["train_on"] for modality in of(config, name)}
    for name in names:
        own = of(config, name)
        if missing := [modality for modality in config["modalities"] if modality not in own]:
            yield f"{name}: takes part with {', '.join(own)}; it has no {', '.join(missing)}"
        if untrained := [modality for modality in own if modality not in trained]:
            yield f"{name}: nothing is trained on {', '.join(untrained)}, so nothing is tested on it"
