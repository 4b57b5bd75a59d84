"""The methods of a configuration, the trained parts that they use, and the runs that follow.

An entry, for every name that is trained or run:
`base` the published method or component behind it; `parts` the names of the entries its card requires, by role; `part_seeds` the
seeds of those that have one of their own, by role;
`seeded` whether it runs once per seed or only once; `modalities` those it supports; `options` by modality what
`madad.methods.registry.assemble` builds it from and the engine trains it with; `track` the labels that it and its parts see;
`resources` what a job that trains or applies it requests; `weights_from` the entry whose weights it reuses, where one that
differs in its settings of inference alone is trained already, or None; `initial_weights` what its training starts from, as in the
configuration, or None where nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from madad.configuration import cards, initial_weights, part_choice, sequences
from madad.configuration.schema import Options, coerce, unknown
from madad.configuration.tracks import TRACKS
from madad.core.errors import UserError
from madad.core.provenance import content_hash


def resolve(config: Options, sizes: Options, problems: list[str]) -> Options:
    """Return the entries of all methods of a configuration and of all parts they need, parts first.

    Args:
        config: complete except for its methods.
        sizes: `parameters`, `training` and `resources` of the preset, by base.
        problems: every problem found is added, one line each.
    """
    experiments = _Experiments(config["method_options"], config["modalities"], config["seeds"], sizes, problems)
    for name in config["methods"]:
        if experiments.base(name) in cards.components():
            problems.append(f"methods: {name} is a component that methods use, not a method to compare")
        experiments.add(name, "methods")
    used = dict(experiments.entries)
    _share_weights(used, config["initial_weights"])
    known = list(dict.fromkeys([*config["methods"], *config["method_options"], *part_choice.known()]))
    problems += initial_weights.problems(config["initial_weights"], used, known)
    for name in config["method_options"]:  # an error in an unused entry is reported before anyone relies on it
        experiments.add(name, "method_options")
    for modality in config["modalities"]:
        if used and not any(modality in entry["modalities"] for entry in used.values()):
            names = ", ".join(config["methods"])
            problems.append(
                f"modalities: none of the methods ({names}) supports {modality}; their cards list the sequences they support"
            )
    return used


def runs(config: Options, kind: str) -> list[dict[str, str]]:
    """Return every valid combination of training cohort, modality, method and seed.

    A method that is not trained and uses no part that is trained per seed runs once, with the first seed. One that works on
    volumes is left out of cohorts of single slices (`left_out`).

    Args:
        config: from `madad.configuration.settings.resolve`.
        kind: "methods" for what is compared, "parts" for what is only used by them.
    """
    return [
        dict(cohort=cohort, modality=modality, method=name, seed=str(seed))
        for name, entry in config[kind].items()
        for cohort in config["train_on"]
        for modality in sequences.of(config, cohort)
        if modality in entry["modalities"] and not _lacks_volumes(config, entry, cohort, modality)
        for seed in (config["seeds"] if entry["seeded"] else config["seeds"][:1])
    ]


def left_out(config: Options) -> list[str]:
    """Return one sentence for every cohort of single slices, with the methods that work on volumes and are not run on it."""
    sentences = []
    for cohort in config["train_on"]:
        for modality in sequences.of(config, cohort):
            names = [name for name, entry in config["methods"].items() if _lacks_volumes(config, entry, cohort, modality)]
            if names:
                sentences.append(f"{cohort} {modality}: single slices, so {', '.join(names)} is left out: volumes are needed")
    return sentences


def _lacks_volumes(config: Options, entry: Options, cohort: str, modality: str) -> bool:
    shape = config["pipelines"][config["cohorts"][cohort]["pipeline"]]["shape"]
    data = entry["options"].get(modality, {}).get("data", {})
    # What only measures voxels, as a threshold does, takes a slice for a volume.
    trains = cards.load(entry["base"])["capabilities"]["trains"]
    own = trains and bool(shape) and shape[2] == 1 and data.get("kind") == "volumes"
    return own or any(_lacks_volumes(config, entries(config)[part], cohort, modality) for part in entry["parts"].values())


def entries(config: Options) -> Options:
    """Entries of everything that is trained or run: the methods, and the parts that only stand beneath."""
    return {**config["methods"], **config["parts"]}


def part_runs(config: Options, run: dict[str, str]) -> list[dict[str, str]]:
    """Return the runs that a run takes its parts from, in the order of their roles."""
    known, first = entries(config), str(config["seeds"][0])
    parts, fixed = known[run["method"]]["parts"], known[run["method"]]["part_seeds"]
    return [
        {**run, "method": name, "seed": str(fixed.get(role, run["seed"])) if known[name]["seeded"] else first}
        for role, name in sorted(parts.items())
    ]


def beneath(config: Options, name: str) -> list[str]:
    """Names of everything that an entry stands on, directly or not, each once."""
    direct = entries(config)[name]["parts"].values()
    return list(dict.fromkeys(found for part in direct for found in (part, *beneath(config, part))))


def noise_laws(config: Options) -> Options:
    """Return the parameters `noise_…` of methods trained with noise of a resolution and magnitude; empty if all are equal."""
    chosen = {name: next(iter(entry["options"].values()))["parameters"] for name, entry in config["methods"].items()}
    laws = {
        name: {key: value for key, value in parameters.items() if key.startswith("noise_")}
        for name, parameters in chosen.items()
        if {"noise_kind", "noise_resolution", "noise_magnitude"} <= set(parameters)
    }
    return laws if len({tuple(sorted(law.items())) for law in laws.values()}) > 1 else {}


def of_training(options: Options) -> Options:
    """Return the options of one modality without the parameters that the training does not depend on."""
    return {**options, "parameters": cards.of_training(options["base"], options["parameters"])}


def _share_weights(entries: Options, initial: dict[str, str]) -> None:
    """Set `initial_weights` and `weights_from` of every entry.

    Of those with the same training the one named after its card, or else the first name, is trained.
    """
    trainings: dict[str, str] = {}
    leaders: dict[str, str] = {}
    for name in sorted(entries, key=lambda name: (name != entries[name]["base"], name)):
        entry, able = entries[name], cards.load(entries[name]["base"])["capabilities"]
        training = content_hash([entry["base"], {m: of_training(options) for m, options in entry["options"].items()}])
        leader = leaders.setdefault(training, name)
        start = initial_weights.of_entry(initial, name, leader if leader != name else None, entries)
        entry["initial_weights"] = start
        trained = trainings.setdefault(f"{training} {start}", name) if able["trains"] or able["fits"] else name
        entry["weights_from"] = None if trained == name else trained


@dataclass
class _Experiments:
    given: Options  # `method_options`
    modalities: list[str]
    seeds: list[int]
    sizes: Options
    problems: list[str]
    entries: Options = field(default_factory=dict)

    def base(self, name: str) -> str:
        return self.given.get(name, {}).get("base", name)

    def add(self, name: str, where: str, above: tuple[str, ...] = ()) -> None:
        """Add the entry of a name after those of its parts; add nothing if there is a problem."""
        base = self.base(name)
        if name in self.entries:
            return
        if base not in part_choice.known():
            others = [other for other in self.given if other != name]
            self.problems.append(unknown(where, "method", base, [*part_choice.known(), *others]))
        elif name in above:
            chain = " needs ".join([*above, name])
            self.problems.append(f"method_options.{name}.parts: {chain}; a method cannot be a part of itself")
        else:
            parts = self.parts(name)
            for role, part in parts.items():
                self.add(part, f"method_options.{name}.parts.{role}", (*above, name))
            entry = self.entry(name, base, parts) if all(part in self.entries for part in parts.values()) else None
            self.entries |= {name: entry} if entry else {}

    def parts(self, name: str) -> dict[str, str]:
        """Return the names of the entries that a method uses, by role."""
        requires, wanted = cards.load(self.base(name))["requires"], self.given.get(name, {}).get("parts", {})
        where = f"method_options.{name}.parts"
        for role in [role for role in wanted if role not in requires]:
            none = f"{where}: {name} uses no parts; leave it out"
            self.problems.append(unknown(where, "role", role, requires) if requires else none)
        parts = {}
        for role, need in requires.items():
            part = wanted.get(role, None if need["optional"] else need["default"])
            if part is None and need["optional"]:
                continue
            if part is None:
                self.problems.append(f"{where}.{role}: cannot be null; leave it out for {need['default']}")
            elif not part_choice.suits(self.base(part), need):
                self.problems.append(f"{where}.{role}: '{part}' cannot be used here; choose {part_choice.in_words(need)}")
            else:
                parts[role] = part
        return parts

    def entry(self, name: str, base: str, parts: dict[str, str]) -> Options | None:
        card = cards.load(base)
        beneath = {role: self.entries[part] for role, part in parts.items()}
        accepted = [card["modalities"] or self.modalities, *(entry["modalities"] for entry in beneath.values())]
        options = self.options(name, base)
        if options is None:
            return None
        options = {m: own for m, own in options.items() if all(m in modalities for modalities in accepted)}
        fixed = self.given.get(name, {}).get("part_seeds", {})
        seeded = [role for role, entry in beneath.items() if entry["seeded"]]
        self.problems += part_choice.seed_problems(f"method_options.{name}.part_seeds", fixed, parts, seeded, self.seeds)
        for modality, chosen in options.items():
            used = {role: _part(parts[role], entry, modality, card["requires"][role]) for role, entry in beneath.items()}
            used |= {role: {**used[role], "seed": seed} for role, seed in fixed.items() if role in used}
            chosen |= {"base": base, "parts": used, "data": cards.shown(base, chosen["parameters"])}
            self.problems += _misfits(name, chosen, card["requires"])
        trained = base in cards.names() and card["capabilities"]["trains"]
        track = _stated_track(base, options) or card["track"]
        tracks = [track, *(entry["track"] for entry in beneath.values())]
        return {
            "base": base,
            "parts": parts,
            "part_seeds": fixed,
            "track": max(tracks, key=TRACKS.index),
            "seeded": trained or bool(set(seeded) - set(fixed)),
            "modalities": list(options),
            "options": options,
            "resources": {**card["resources"], **self.resources(name, base)},
        }

    def section(self, section: str, name: str, base: str) -> Options:
        """Return one kind of options from the preset, updated by the configuration."""
        return {**self.sizes.get(base, {}).get(section, {}), **self.given.get(name, {}).get(section, {})}

    def resources(self, name: str, base: str) -> Options:
        """Return the resources that differ from the card's.

        Those of the preset apply to its own sizes; other sizes use those of the card or of the configuration.
        A choice between names, such as a kind of noise, is not a size.
        """
        given, card = self.given.get(name, {}), cards.load(base)
        chosen = [card[section].get(key, {}) for section in ("parameters", "training") for key in given.get(section, {})]
        other_sizes = any("enum" not in option for option in chosen)
        return given.get("resources", {}) if other_sizes else self.section("resources", name, base)

    def options(self, name: str, base: str) -> Options | None:
        """Return complete parameters and training options for every modality; None if they are not valid."""
        card = cards.load(base)
        own = {
            section: coerce(self.section(section, name, base), {"properties": card[section]})
            for section in ("parameters", "training")
        }
        try:
            return {modality: cards.resolve(base, **own, modality=modality) for modality in self.modalities}
        except UserError as error:
            self.problems += [f"method_options.{name}{line.removeprefix(base)}" for line in str(error).splitlines()]
            return None


def _misfits(name: str, options: Options, requires: Options) -> Iterator[str]:
    """Yield where a method and its parts disagree."""
    for role, part in options["parts"].items():
        where = f"method_options.{name}.parts.{role}"
        for key in requires[role].get("same", []):
            mine, its = options["parameters"][key], part["parameters"][key]
            if mine != its:
                yield f"{where}: {key} is {mine} in {name}, but {its} in {part['method']}; set the same in the parameters of both"
        try:
            cards.resolve(part["base"], {**part["parameters"], **part["overrides"]}, {}, None)
        except UserError as error:
            yield f"{where}: {name} uses {part['method']} with {part['overrides']}, but {error}"


def _stated_track(base: str, options: Options) -> str | None:
    """Return the labels that a method made elsewhere saw, which no card can know."""
    chosen = next(iter(options.values()), None) if base in cards.elsewhere() else None
    return chosen["parameters"]["track"] if chosen else None


def _part(name: str, entry: Options, modality: str, need: Options) -> Options:
    """Return what a method gets to know about one part: how it was built, and what is set differently for this use."""
    options = {key: value for key, value in entry["options"][modality].items() if key != "training"}
    return {**options, "method": name, "overrides": cards.overrides(need, options["parameters"])}
