from __future__ import annotations

import json

from madad.reporting.layout.first_page import write_provenance


def test_provenance_shows_configuration_and_versions(tmp_path) -> None:
    known = {"configuration": {"preset": "toy", "methods": {"a": {}, "b": {}}, "secret": 1}, "environment": {"python": "3 < 4"}}
    (tmp_path / "p.json").write_text(json.dumps(known))
    write_provenance(tmp_path / "p.json", tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert "a, b" in text
    assert "3 &lt; 4" in text
    assert "secret" not in text
