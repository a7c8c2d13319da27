"""The command line: `segdend COMMAND`, also `python -m segdend_plugin`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segdend_plugin import __version__
from segdend_plugin.errors import ConfigError, SegDendError

if TYPE_CHECKING:
    from segdend_plugin.engine.mpi import Ranks

USER_ERROR = 2
INTERRUPTED = 130
SPEAK_FIRST = 2.0  # s that rank 0 has to report an error that all ranks share


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 2 for anything that the user can mend."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except SegDendError as error:
        return _give_up(error)
    except KeyboardInterrupt:
        if _world()[1] > 1:
            raise  # abort_on_error ends the other ranks
        print("segdend: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _give_up(error: SegDendError) -> int:
    """Say what is wrong once, and end all ranks: the error may have happened on this one alone."""
    rank, size = _world()
    if rank > 0:
        time.sleep(SPEAK_FIRST)  # where every rank has the same error, rank 0 says it and ends the job
    print(f"segdend: {error}", file=sys.stderr, flush=True)
    if size > 1:
        from segdend_plugin.engine import mpi

        mpi.abort(USER_ERROR)
    return USER_ERROR


def _train(options: argparse.Namespace) -> None:
    from segdend_plugin.experiment import config

    ranks = _start()
    _refuse_beside_resume(options)
    overrides = {} if options.seed is None else {"seed": options.seed}
    experiment = config.load(options.config, options.set, **overrides)
    from segdend_plugin.experiment import run
    from segdend_plugin.experiment.folder import is_finished
    from segdend_plugin.views import plots
    from segdend_plugin.views.progress import Bar

    bar = Bar(ranks.is_root and not options.quiet)
    if options.resume is None:
        summary, folder = run.train(experiment, options.out, bar)
    else:
        if ranks.is_root and is_finished(options.resume):
            print(
                f"segdend: the run in {str(options.resume)!r} is finished: nothing is left to train.", file=sys.stderr
            )
        summary, folder = run.resume(options.resume, bar)
    if ranks.is_root:
        plots.learning_curve([folder], folder / "learning.png")
        print(
            f"{summary.evaluated_on} error {100 * summary.test_error:.2f} % of {summary.test_examples} images, "
            f"{summary.train_images_per_second:.1f} training images/s; results in {folder}"
        )
        for cell, reduction in summary.reduction.items():
            print(
                f"{cell} reduced from {reduction['full_compartments']} to {reduction['compartments']} compartments, "
                f"responses within {100 * reduction['largest_error']:.1f} % up to 100 Hz"
            )


def _refuse_beside_resume(options: argparse.Namespace) -> None:
    given = {"CONFIG": options.config, "--set": options.set or None, "--out": options.out, "--seed": options.seed}
    for name, value in given.items():
        if options.resume is not None and value is not None:
            raise ConfigError(
                f"--resume {str(options.resume)!r} takes everything from that folder: leave {name} {value} out."
            )


def _evaluate(options: argparse.Namespace) -> None:
    ranks = _start()
    from segdend_plugin.experiment import run
    from segdend_plugin.views.progress import Bar

    result = run.evaluate(options.folder, Bar(ranks.is_root))
    if ranks.is_root:
        print(json.dumps(result, indent=2))


def _report(options: argparse.Namespace) -> None:
    from segdend_plugin.views import plots, report

    print(report.table(options.folders))
    if options.out is not None:
        plots.learning_curve(options.folders, options.out)


def _reproduce(options: argparse.Namespace) -> None:
    from segdend_plugin.experiment import reproduce
    from segdend_plugin.views import reproduce as view

    figure = reproduce.find(options.figure)
    out = options.out or Path("runs") / f"{figure.name}-{options.scale}"
    jobs = reproduce.jobs(figure, options.scale, out, options.data, options.set)
    if options.list:
        for job in jobs:
            print(shlex.join(["segdend", *reproduce.command(job)[3:]]))
        return
    out.mkdir(parents=True, exist_ok=True)
    reproduce.run(jobs, options.jobs, lambda line: print(line, file=sys.stderr, flush=True))
    rows = reproduce.collect(figure, jobs)
    text = view.table(figure, options.scale, rows)
    reproduce.write(figure, options.scale, rows, out)
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    view.plot(figure, options.scale, rows, jobs, out / "figure.png")
    print(f"{text}\n\n{out / 'figure.png'}")


def _compile(options: argparse.Namespace) -> None:
    from segdend_plugin.engine import mechanisms

    print(mechanisms.build())


def _morphology_list(options: argparse.Namespace) -> None:
    from segdend_plugin.cells.catalogue import CATALOGUE

    width = max(map(len, CATALOGUE))
    for entry in CATALOGUE.values():
        print(f"{entry.name:{width}}  {entry.description}")


def _morphology_info(options: argparse.Namespace) -> None:
    from segdend_plugin.cells import source
    from segdend_plugin.views import report

    _say(source.load(options.cell, options.repair).lines())
    print(json.dumps(report.morphology(options.cell, options.repair), indent=2))


def _morphology_plot(options: argparse.Namespace) -> None:
    from segdend_plugin.cells import morphology, source
    from segdend_plugin.views import morphology as view

    found = source.load(options.cell, options.repair)
    _say(found.lines())
    view.plot(found.morphology, morphology.regions(found.morphology), options.out)
    print(options.out)


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"segdend: {line}", file=sys.stderr)


def _start() -> Ranks:
    """Start MPI before anything imports NEURON, and let an error on one rank end all of them."""
    from segdend_plugin.engine import mpi

    ranks = mpi.start()
    mpi.abort_on_error()
    return ranks


def _world() -> tuple[int, int]:
    """Return rank and size of a job that has started MPI, otherwise 0 and 1."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or not mpi.Is_initialized():
        return 0, 1
    return int(mpi.COMM_WORLD.Get_rank()), int(mpi.COMM_WORLD.Get_size())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segdend", description="Teach networks of realistic neurons with segregated dendrites, in NEURON."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a network and write the results into a folder")
    train.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="description; default: the embedded digits")
    train.add_argument("--set", action="append", default=[], metavar="key.path=value", help="change one key")
    train.add_argument("--out", type=Path, metavar="DIR", help="folder of the results; default: the next runs/NNN")
    train.add_argument("--seed", type=int, metavar="N", help="seed of all random streams")
    train.add_argument("--resume", type=Path, metavar="DIR", help="continue the interrupted run in this folder")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(command=_train)

    evaluate = commands.add_parser("evaluate", help="classify the held-out images with the weights of a run")
    evaluate.add_argument("folder", type=Path, metavar="DIR")
    evaluate.set_defaults(command=_evaluate)

    report = commands.add_parser("report", help="compare runs: a table, and a figure of their learning curves")
    report.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    report.add_argument("--out", type=Path, metavar="X.png", help="figure")
    report.set_defaults(command=_report)

    again = commands.add_parser("reproduce", help="train what a figure of the paper compares, and compare it")
    again.add_argument(
        "figure",
        metavar="FIGURE",
        help="layers, jitter, coordination, alignment, fields, sparse, symmetric or coupling",
    )
    again.add_argument(
        "--scale", choices=("quick", "hour", "full"), default="quick", help="minutes, hours, or the paper"
    )
    again.add_argument("--data", type=Path, metavar="MNIST.npz", help="without it, the embedded 8x8 digits")
    again.add_argument(
        "--set", action="append", default=[], metavar="key.path=value", help="change one key of all runs"
    )
    again.add_argument("--out", type=Path, metavar="DIR", help="default: runs/FIGURE-SCALE; what is there is continued")
    again.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time, a process each")
    again.add_argument("--list", action="store_true", help="print the runs as commands instead")
    again.set_defaults(command=_reproduce)

    build = commands.add_parser("compile", help="build the NMODL mechanisms ahead of time and print the library")
    build.set_defaults(command=_compile)

    cells = commands.add_parser("morphology", help="the shipped reconstructions, or your own")
    actions = cells.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="the catalogue").set_defaults(command=_morphology_list)
    info = actions.add_parser("info", help="sizes and electrical segregation, as JSON")
    _cell_arguments(info)
    info.set_defaults(command=_morphology_info)
    plot = actions.add_parser("plot", help="draw a cell")
    _cell_arguments(plot)
    plot.add_argument("--out", type=Path, required=True, metavar="X.png")
    plot.set_defaults(command=_morphology_plot)
    return parser


def _cell_arguments(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "cell", metavar="CELL", help="name of the catalogue, .swc or .asc file, allen:ID or neuromorpho:NAME"
    )
    action.add_argument("--repair", action="store_true", help="accept repairs of the file that change the cell")


if __name__ == "__main__":
    sys.exit(main())
