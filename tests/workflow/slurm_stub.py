"""Stand-ins for SLURM's commands: `sbatch` runs the job on this machine and notes how it was called."""

from __future__ import annotations

import sys
from pathlib import Path

STUB = """#!{python}
import json, os, subprocess, sys
from pathlib import Path

state = Path({state!r})
name, arguments = Path(sys.argv[0]).name, sys.argv[1:]


def sbatch():
    number = str(len(list(state.glob("*.call"))) + 1)
    (state / f"{{number}}.call").write_text(json.dumps(arguments))
    wrapped = next((a.split("=", 1)[1] for a in arguments if a.startswith("--wrap=")), None)
    if wrapped is None:
        wrapped = arguments[arguments.index("--wrap") + 1]
    script = f"{{wrapped}}; test $? = 0 && echo COMPLETED > {{state}}/{{number}}.end || echo FAILED > {{state}}/{{number}}.end"
    with open(state / f"{{number}}.log", "w") as log:
        subprocess.Popen(["bash", "-c", script], stdout=log, stderr=log, start_new_session=True,
                         env={{**os.environ, "SLURM_JOB_ID": number}})
    print(number)


def states():
    for call in sorted(state.glob("*.call")):
        end = call.with_suffix(".end")
        print(f"{{call.stem}}|{{end.read_text().strip() if end.exists() else 'RUNNING'}}")


if name == "sbatch":
    sbatch()
elif name in ("sacct", "squeue"):
    states()
elif name == "srun":
    while arguments and arguments[0].startswith("-"):
        arguments.pop(0)
    sys.exit(subprocess.call(arguments))
elif name in ("sacctmgr", "sshare"):
    print("mylab")
"""


def install(folder: Path) -> tuple[Path, Path]:
    """Write the stand-ins. Returns the folder to put in front of PATH and the folder where calls are noted."""
    commands, state = folder / "bin", folder / "state"
    commands.mkdir(parents=True)
    state.mkdir()
    for name in ("sbatch", "sacct", "squeue", "scancel", "scontrol", "sacctmgr", "sshare", "sinfo", "srun"):
        (commands / name).write_text(STUB.format(python=sys.executable, state=str(state)))
        (commands / name).chmod(0o755)
    return commands, state
