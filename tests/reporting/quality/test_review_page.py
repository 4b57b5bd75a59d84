"""The page on which a person judges images: order, limits, links, and that it works alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from madad.configuration.data_options import Quality
from madad.core.io.manifest import Row, write_table
from madad.data.preprocessing import quality_columns, quality_control
from madad.reporting.quality.review_page import write_page


def image(root: Path, subject: str, modality: str = "T1w", **other: str) -> Row:
    picture = root / "results/preprocessed/mine/standard/subjects" / subject / f"{subject} {modality}.png"
    known = {"subject": subject, "split": "train", "group": "healthy", "modality": modality, "site": "Graz", "age": "41.4"}
    measures = {"brain_volume_ml": "1400", "template_dice": "0.95", "status": "ok", "picture": str(picture)}
    return {**dict.fromkeys(quality_columns.COLUMNS, ""), **known, **measures, **other}


def page(root: Path, rows: list[Row], exclude: tuple[str, ...] = (), **options: object) -> str:
    chosen = {**Quality.model_validate(options).model_dump(), "exclude": list(exclude), "keep": []}
    folder = root / "results/quality/mine"
    write_table(root / "shard.tsv", rows, quality_columns.COLUMNS)
    quality_control.judge([root / "shard.tsv"], chosen, "mine", folder / "standard.tsv", folder / "standard.json")
    entries = [{"subject": "sub-99", "path": "sub-99.nii.gz", "reason": "the file is truncated"}]
    write_table(root / "results/cohorts/mine/excluded.tsv", entries, ("subject", "path", "reason"))
    out = root / "results/quality/index.html"
    excluded = [root / "results/cohorts/mine/excluded.tsv"]
    lists = {"exclude": {"mine": list(exclude)} if exclude else {}, "keep": {}}
    write_page([folder / "standard.tsv"], [folder / "standard.json"], excluded, lists, out)
    return out.read_text()


def subjects(text: str) -> list[str]:
    return re.findall(r'data-subject="([^"]+)"', text)


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    usual = [image(tmp_path, f"sub-{number:02d}", template_dice=str(0.94 + 0.001 * number)) for number in range(12)]
    rows = [
        *usual,
        image(tmp_path, "sub-20", template_dice="0.80"),
        image(tmp_path, "sub-21", brain_volume_ml="500"),
        image(tmp_path, "sub-22", status="failed", reason="n4: no voxel left", picture="", template_dice="", brain_volume_ml=""),
        image(tmp_path, "sub-23"),
    ]
    return page(tmp_path, rows, ("sub-23",), limits={"brain_volume_ml": {"exclude": [600, None]}})


def test_worst_state_comes_first_then_the_farthest(mixed: str) -> None:
    assert subjects(mixed)[:6] == ["sub-22", "sub-99", "sub-21", "sub-23", "sub-20", "sub-00"]
    assert len(subjects(mixed)) == 17


def test_reasons_and_limits_are_shown(mixed: str) -> None:
    assert "n4: no voxel left" in mixed and "the file is truncated" in mixed and "by hand (quality.exclude)" in mixed
    head = re.search(r"<thead>.*?</thead>", mixed, re.S).group()
    for limit in ("exclude &lt; 600", "flag &lt; 900", "flag &gt; 2200", "flag &lt; 0.88"):
        assert f"<small>{limit}</small>" in head
    assert '<div class="bad">500</div>' in mixed and '<div class="doubtful">0.800</div>' in mixed


def test_links_are_relative_and_lead_to_the_pictures(mixed: str) -> None:
    sources = set(re.findall(r'<img src="([^"]+)"', mixed))
    assert "../preprocessed/mine/standard/subjects/sub-20/sub-20%20T1w.png" in sources
    assert all(source.startswith("../preprocessed/") for source in sources) and len(sources) == 15
    assert mixed.count('loading="lazy"') == 15
    assert "no picture" in mixed
    assert "http" not in mixed and "//cdn" not in mixed


def test_lists_of_the_config_are_there_to_begin_with(mixed: str) -> None:
    told = json.loads(re.search(r'<script type="application/json" id="lists">(.*?)</script>', mixed, re.S).group(1))
    assert told == {"exclude": {"mine": ["sub-23"]}, "keep": {}}


def test_misspelt_names_in_the_lists_are_told(tmp_path: Path) -> None:
    text = page(tmp_path, [image(tmp_path, "sub-01")], ("01", "other"))
    assert "no image belongs to &#39;01&#39;, did you mean &#39;sub-01&#39;?" in text
    assert "no image belongs to &#39;other&#39;</div>" in text


def test_images_of_a_subject_stand_in_one_row(tmp_path: Path) -> None:
    rows = [image(tmp_path, "sub-01", modality) for modality in ("T1w", "FLAIR")]
    rows += [image(tmp_path, "sub-02", modality, template_dice=dice) for modality, dice in (("T1w", "0.95"), ("FLAIR", "0.5"))]
    text = page(tmp_path, rows)
    assert subjects(text) == ["sub-99", "sub-02", "sub-01"]
    assert 'data-state="flagged ok"' in text and text.count("<figure") == 5
    assert '<td class="number" data-key="0.5">' in text


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    text = page(tmp_path, [image(tmp_path, "sub-01", status="failed", reason="<script>alert('&\"</script>", picture="")])
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


def test_a_thousand_subjects_stay_light(tmp_path: Path) -> None:
    rows = [image(tmp_path, f"sub-{number:04d}", modality) for number in range(1000) for modality in ("T1w", "T2w", "FLAIR")]
    assert len(page(tmp_path, rows)) < 5_000_000


def test_nothing_yet_is_a_page_as_well(tmp_path: Path) -> None:
    write_page([], [], [], {"exclude": {}, "keep": {}}, tmp_path / "index.html")
    assert "0 subjects" in (tmp_path / "index.html").read_text()
