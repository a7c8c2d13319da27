"""Run cases in turn, each in a process of its own, and write the table: ``python -m benchmarks [CASE ...]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import CASES, table


def main() -> int:
    """Run what the command line asks for; a case that fails does not stop the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions of less work, to see that all runs")
    asked = parser.parse_args()
    if unknown := set(asked.cases) - set(CASES):
        parser.error(f"unknown case {sorted(unknown)[0]!r}: choose from {', '.join(CASES)}")
    start = time.perf_counter()
    failed = []
    for case in asked.cases or CASES:
        command = [sys.executable, "-m", f"benchmarks.{case}", *(["--quick"] if asked.quick else [])]
        if subprocess.run(command, cwd=Path(__file__).resolve().parents[1], check=False).returncode:
            failed.append(case)
    table.main()
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes{', failed: ' + ', '.join(failed) if failed else ''}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
