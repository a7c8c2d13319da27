"""Write the measured figures as tables into docs/performance.md, between its markers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import CASES, measure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def number(value: float) -> str:
    """Return a number at three significant digits, without an exponent where that is readable."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    digits = f"{value:.3g}"
    return f"{float(digits):,.0f}" if abs(float(digits)) >= 1000 else digits


def spread(found: Mapping[str, float], scale: float = 1.0) -> str:
    """Return ``median (low to high)``."""
    median, low, high = (number(scale * found[key]) for key in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def of_case(result: Mapping[str, Any]) -> str:
    """Return one case as Markdown: comparisons first, then single figures, then notes."""
    state = "quick run, not representative; " if result["quick"] else ""
    loads = " to ".join(f"{load:.1f}" for load in result["load_average"])
    lines = [
        f"### {result['case']}",
        "",
        f"{state}{result['date']} UTC, load average {loads}, {result['seconds']} s.",
        "",
    ]
    comparisons = [row for row in result["rows"] if "ratio" in row]
    figures = [row for row in result["rows"] if "value" in row]
    if comparisons:
        lines += ["| what | A | A: ms | B | B: ms | B / A | B / A, wall-clock |", "| --- " * 7 + "|"]
        for row in comparisons:
            a, b, ratio = row["here"], row["beside"], row["ratio"]
            times = [spread(side["cpu"], 1e3) for side in (a, b)]
            ratios = [spread(ratio["cpu"]), spread(ratio["wall"])]
            cells = [row["what"], a["name"], times[0], b["name"], times[1], *ratios]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    if figures:
        lines += ["| what | value | unit |", "| --- | --- | --- |"]
        lines += [f"| {row['what']} | {spread(row['value'])} | {row['unit']} |" for row in figures]
        lines.append("")
    for title, rows in result.get("tables", {}).items():
        head = list(rows[0])
        lines += [f"{title}:", "", "| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
        for row in rows:
            shown = [number(row[key]) if isinstance(row[key], float) else str(row[key]) for key in head]
            lines.append("| " + " | ".join(shown) + " |")
        lines.append("")
    return "\n".join(lines)


def machines(results: list[Mapping[str, Any]]) -> str:
    """Return the machine of each group of cases that shares one."""
    by_machine: dict[str, list[str]] = {}
    for result in results:
        words = "; ".join(f"{key} {value}" for key, value in result["machine"].items())
        by_machine.setdefault(words, []).append(result["case"])
    return "\n\n".join(f"Machine of {', '.join(cases)}: {words}." for words, cases in by_machine.items())


def between_markers(page: str, text: str) -> str:
    """Return a page with other text between its markers."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def main() -> None:
    """Write what lies in ``results`` into the page."""
    files = [measure.RESULTS / f"{case}.json" for case in CASES]
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    text = "\n\n".join([machines(results), *(of_case(result) for result in results)])
    PAGE.write_text(between_markers(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(f"{PAGE.name}: {len(results)} cases")


if __name__ == "__main__":
    main()
