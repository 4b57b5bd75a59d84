"""A page in headless Chromium, where it is installed: what a script finds there, and what is printed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever the page asks a network for fails
)
RESULT = re.compile(r'<pre id="result-of-test">(.*?)</pre>', re.S)


def command() -> list[str]:
    """The browser with its options; skips the test where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("needs Chromium")
    return [found, *FLAGS]


def evaluate(page: Path, script: str, width: int = 1280, library: str = "") -> Any:
    """What the body of an async function returns in a page, as JSON."""
    told = f"""<script>{library}</script><script>
    (async () => {{ {script} }})().catch((error) => `failed: ${{error}} ${{error.stack}}`).then((found) => {{
      const told = Object.assign(document.createElement("pre"), {{ id: "result-of-test", textContent: JSON.stringify(found) }});
      document.body.append(told);
    }});</script>"""
    copy = page.with_name(f"{page.stem}_tested.html")
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{told}</body>"), encoding="utf-8")
    options = [f"--window-size={width},900", "--virtual-time-budget=20000", "--dump-dom", copy.as_uri()]
    done = subprocess.run([*command(), *options], capture_output=True, text=True, timeout=120, check=False)
    found = RESULT.search(done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


def printed(page: Path) -> str:
    """The text of a page printed as PDF; skips the test without a tool that reads it."""
    if not shutil.which("pdftotext"):
        pytest.skip("needs pdftotext")
    pdf = page.with_suffix(".pdf")
    options = ["--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()]
    subprocess.run([*command(), *options], capture_output=True, timeout=120, check=True)
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True).stdout


def axe() -> str:
    """The source of axe-core where npm has it, in the project or globally; skips the test where it is not."""
    roots = [Path("node_modules")]
    if npm := shutil.which("npm"):
        roots.append(Path(subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()))
    for root in roots:
        if (root / "axe-core/axe.min.js").is_file():
            return (root / "axe-core/axe.min.js").read_text(encoding="utf-8")
    pytest.skip("needs axe-core: npm install --global axe-core")
