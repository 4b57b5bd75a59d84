"""Finished work keeps its division into jobs: another number of shards is for work that is still to be done.

Which shard a subject or a lesion is in decides no result. Without this, another number would make all shards again, and with
them everything that is made of them.
"""

from __future__ import annotations

import os
import re

from madad.configuration import settings
from madad.configuration.schema import Options
from madad.workflow import paths


def adopt(config: Options, asked: Options, root: str) -> Options:
    """Return the configuration with the numbers of shards into which finished work is divided.

    A cohort for which no number is asked keeps a division only if it is as fine as the one that fits its size now, so that a
    cohort that has grown is divided anew.

    Args:
        config: from `madad.configuration.settings.resolve`.
        asked: the configuration as the user gave it.
        root: folder below which `results` lies, as in `madad.workflow.plan.Plan`.
    """
    cohorts, bank = dict(config["cohorts"]), config["anomalies"]["bank"]
    for name in settings.used_cohorts(config):
        wanted = cohorts[name]["shards"]
        fewest = 1 if (asked["cohorts"].get(name) or {}).get("shards") else wanted
        folder = os.path.dirname(_shard(name, cohorts[name]))
        cohorts[name] = {**cohorts[name], "shards": _chosen(wanted, fewest, root + folder, ".tsv")}
    pipelines = {cohorts[name]["pipeline"] for name in settings.used_cohorts(config)}
    folders = [os.path.dirname(paths.bank(pipeline, 1)[0]) for pipeline in sorted(pipelines)]
    bank = {**bank, "shards": _chosen(bank["shards"], 1, root + folders[0], ".h5")}
    return {**config, "cohorts": cohorts, "anomalies": {**config["anomalies"], "bank": bank}}


def kept(asked: Options, config: Options) -> list[str]:
    """Return sentences about the numbers of shards that were asked for and do not apply, with what to delete for them to apply.

    Args:
        asked: from `madad.configuration.settings.resolve`.
        config: from `adopt`.
    """
    pairs = [
        (
            f"cohorts.{name}.shards",
            of["shards"],
            config["cohorts"][name]["shards"],
            paths.shard_tables(name, of["pipeline"], 1)[0],
        )
        for name, of in asked["cohorts"].items()
    ]
    bank, pipeline = asked["anomalies"]["bank"]["shards"], config["cohorts"][settings.used_cohorts(config)[0]]["pipeline"]
    pairs.append(("anomalies.bank.shards", bank, config["anomalies"]["bank"]["shards"], paths.bank(pipeline, 1)[0]))
    return [
        f"{key}: the finished work stays divided into {used} jobs, not {number}, and is not made again; "
        f"to divide it anew, delete the files of {os.path.dirname(file)}"
        for key, number, used, file in pairs
        if number != used
    ]


def _shard(cohort: str, options: Options) -> str:
    return paths.shard_tables(cohort, options["pipeline"], 1)[0]


def _chosen(wanted: int, fewest: int, folder: str, ending: str) -> int:
    """Return the number of shards that are all there, the wanted one if it is among several, else the wanted number."""
    finished = [number for number in _finished(folder, ending) if number >= fewest]
    return wanted if wanted in finished or not finished else max(finished)


def _finished(folder: str, ending: str) -> list[int]:
    """Return the numbers n for which a folder holds all files `0-of-n` to `n-1-of-n`."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found: dict[int, set[int]] = {}
    for name in names:
        if match := re.fullmatch(rf"(\d+)-of-(\d+){re.escape(ending)}", name):
            found.setdefault(int(match[2]), set()).add(int(match[1]))
    return [number for number, shards in found.items() if shards >= set(range(number))]
