"""Runs as an array job of Slurm: a list of tasks, and the script that `sbatch` takes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segdend_plugin.campaign.jobs import STOPPED, Job, Launcher, launcher

SCRIPT = """\
#!/bin/bash
# One task per run of {tasks}: its folder and its settings.
# Submitted again, it continues what is unfinished. Two minutes before its time is up, a run saves itself and queues
# again. Options of sbatch come before the script:
#   sbatch --time=4:00:00 --mem=4G --array=1-{count}%10 {script}
#SBATCH --job-name={name}
#SBATCH --array=1-{count}
#SBATCH --ntasks={ranks}
#SBATCH --output={log}
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
task=${{SLURM_ARRAY_TASK_ID:?}}
if ((task < 1 || task > {count})); then
    echo "SLURM_ARRAY_TASK_ID=$task: there are {count} tasks: submit with --array=1-{count}." >&2
    exit 2
fi
cd {here} || exit
eval "set -- $(sed -n "${{task}}p" {tasks})"
folder=$1
shift
if [ -f "$folder/summary.json" ]; then exit; fi
if [ -f "$folder/config.yaml" ]; then
    set -- --resume "$folder"
else
    set -- --out "$folder" "$@"
fi
{command} train --quiet "$@" &
run=$!
trap 'kill -USR1 $run' USR1 TERM
while
    wait $run
    status=$?
    kill -0 $run 2>/dev/null
do :; done
if ((status == {stopped})); then scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$task"; fi
exit $status
"""


def write(todo: Sequence[Job[Any]], name: str, out: Path, ranks: int = 1, how: Launcher = "mpiexec") -> Path:
    """Write `tasks.txt` and `array.sh` for runs, and return the latter.

    Parameters
    ----------
    todo
        The runs, finished ones among them: the number of a task does not change.
    name
        Of the array job.
    out
        Folder of the runs.
    ranks
        MPI ranks of each run.
    how
        What starts them.
    """
    out = out.absolute()
    logs = out / "slurm"
    tasks, script = out / "tasks.txt", out / "array.sh"
    lines = [
        shlex.join([str(job.folder.absolute()), *(word for setting in job.settings for word in ("--set", setting))])
        for job in todo
    ]
    text = SCRIPT.format(
        tasks=shlex.quote(str(tasks)),
        script=shlex.quote(str(script)),
        count=len(todo),
        name=shlex.quote(name),
        ranks=ranks,
        log=shlex.quote(f"{logs}/%a.log"),
        here=shlex.quote(str(Path.cwd())),
        command=shlex.join([*launcher(ranks, how), sys.executable, "-m", "segdend_plugin"]),
        stopped=STOPPED,
    )
    logs.mkdir(parents=True, exist_ok=True)  # Slurm makes no folders
    tasks.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    script.write_text(text, encoding="utf-8")
    return script
