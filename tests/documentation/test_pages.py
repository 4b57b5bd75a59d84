"""The documentation names what exists: files, headings, modules, commands, make targets."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRACKED = set(
    subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True).stdout.split()
)
PAGES = sorted(
    ROOT / name for name in TRACKED if re.fullmatch(r"([^/]+|(docs|profiles|\.github)/.+)\.md", name) and (ROOT / name).is_file()
)
# Pages that the build of the site writes, which also checks the links to them.
GENERATED = re.compile(r"docs/reference/(configuration/\w+|commands|api/.+)\.\w+")
FOLDERS = {str(parent) for name in TRACKED for parent in Path(name).parents}
# `madad/…` and the like in backticks; of a path with a placeholder, such as madad/methods/<name>.py, the folder counts.
NAMED = re.compile(r"`((?:madad|docs|rules|tests|benchmarks|examples|studies|presets|profiles|schemas|report|envs)/[^` ]*)`")
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", text, re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if file.is_relative_to(ROOT) and GENERATED.fullmatch(str(file.relative_to(ROOT))):
            continue
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            broken.append(target)
    assert not broken


@pages
def test_named_files_exist(page: Path) -> None:
    found = {name.partition("::")[0] for name in NAMED.findall(page.read_text())}
    named = {re.sub(r"[^/]*[<>*{}…].*", "", name).rstrip("/") for name in found}
    assert not named - TRACKED - FOLDERS


@pages
def test_named_modules_exist(page: Path) -> None:
    text = page.read_text()
    modules = set(re.findall(r"python -m ((?:madad|benchmarks|tests)[\w.]*)", text)) | set(
        re.findall(r"^from (madad[\w.]*)", text, re.M)
    )
    assert not [module for module in modules if importlib.util.find_spec(module) is None]


@pages
def test_named_targets_exist(page: Path) -> None:
    assert not set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.M)) - TARGETS


@pages
def test_named_presets_and_profiles_exist(page: Path) -> None:
    text = page.read_text()
    assert not [name for name in re.findall(r"preset[=:] ?([a-z]\w*)", text) if not (ROOT / "presets" / f"{name}.yaml").is_file()]
    files = re.findall(r"(?:--configfile|--workflow-profile) ((?:examples|studies|profiles)/\S+?)[`\s]", text)
    assert not [name for name in files if not (ROOT / name).exists()]


def test_continuous_integration_calls_targets_of_the_makefile() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert set(workflow["jobs"]["make"]["strategy"]["matrix"]["target"]) <= TARGETS
