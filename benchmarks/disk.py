"""Compare the forecast of a run's disk space with the bytes of a finished run.

    python -m benchmarks.disk PROJECT

PROJECT is the folder of a finished run; its provenance.json records the configuration. `models` also counts a checkpoint of the
largest model, which is deleted at the end of a run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from madad.configuration import disk_forecast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    results = parser.parse_args().project / "results"
    config = json.loads((results / "provenance.json").read_text())["configuration"]
    estimated, found = disk_forecast.estimate(config, results), disk_forecast.present(results)
    print(f"{'':14} {'estimate':>10} {'true':>10}  ratio")
    for part in (*disk_forecast.PARTS, "all"):
        guess, true = (sum(sizes.values()) if part == "all" else sizes[part] for sizes in (estimated, found))
        print(f"{part:14} {guess / 1e6:7.1f} MB {true / 1e6:7.1f} MB  {guess / true if true else float('nan'):.2f}")


if __name__ == "__main__":
    main()
