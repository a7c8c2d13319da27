"""The command line: `segdend COMMAND`, also `python -m segdend_plugin`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from segdend_plugin import __version__
from segdend_plugin.errors import ConfigError, SegDendError, StoppedError

if TYPE_CHECKING:
    from segdend_plugin.engine.mpi import Ranks

USER_ERROR = 2
STOPPED = 75  # EX_TEMPFAIL of sysexits.h: try again
INTERRUPTED, BROKEN_PIPE = 130, 141  # as shells say of a process that SIGINT or SIGPIPE ended
CELL_HELP = "name of the catalogue, .swc or .asc file, allen:ID or neuromorpho:NAME"
REPAIR_HELP = "accept repairs of the file that change the cell"
SPEAK_FIRST = 2.0  # s that rank 0 has to report an error that all ranks share


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 2 for what the user can mend, 75 for a run to be resumed."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        with _spoken():
            command(options)
        sys.stdout.flush()
    except StoppedError as error:
        if _world()[0] == 0:
            print(f"segdend: {error}", file=sys.stderr, flush=True)
        return STOPPED
    except SegDendError as error:
        return _give_up(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it closes it
        return BROKEN_PIPE
    except KeyboardInterrupt:
        if _world()[1] > 1:
            raise  # abort_on_error ends the other ranks
        print("segdend: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


class _Speaker(logging.Handler):
    """Says on rank 0 what the library warns of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if _world()[0] == 0:
            _say([record.getMessage()])


@contextmanager
def _spoken() -> Iterator[None]:
    """Let warnings of the library appear on stderr as sentences, while a command runs."""
    logger, speaker = logging.getLogger("segdend_plugin"), _Speaker(logging.WARNING)
    logger.addHandler(speaker)
    try:
        with warnings.catch_warnings():
            usual = warnings.showwarning

            def show(
                message: Warning | str,
                category: type[Warning],
                filename: str,
                lineno: int,
                file: TextIO | None = None,
                line: str | None = None,
            ) -> None:
                if category is UserWarning:  # ours; others tell where they come from
                    logger.warning("%s", message)
                else:
                    usual(message, category, filename, lineno, file, line)

            warnings.showwarning = show
            yield
    finally:
        logger.removeHandler(speaker)


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
    from segdend_plugin.views import plots, report
    from segdend_plugin.views.progress import Bar

    if options.dry_run:
        graph, costs = run.dry(experiment, ranks.size)
        if ranks.is_root:
            print(f"{graph}\n\n{report.costs(costs)}")
        return
    bar = Bar(ranks.is_root and not options.quiet)
    if options.resume is None:
        summary, folder = run.train(experiment, options.out, bar)
    else:
        if ranks.is_root and is_finished(options.resume):
            _say([f"the run in {str(options.resume)!r} is finished: nothing is left to train."])
        summary, folder = run.resume(options.resume, bar)
    if ranks.is_root:
        plots.learning_curve([folder], folder / "learning.png")
        print(
            f"{summary.evaluated_on} error {100 * summary.test_error:.2f} % of {summary.test_examples} images, "
            f"{summary.train_images_per_second:.1f} training images/s; results in {folder}"
        )
        for cell, reduction in summary.reduction.items():
            print(
                f"{cell}: {reduction['states']} states follow {reduction['compartments']} compartments within "
                f"{reduction['largest_error']:.0e} of a unit drive"
            )


def _refuse_beside_resume(options: argparse.Namespace) -> None:
    given = {
        "CONFIG": options.config,
        "--set": options.set or None,
        "--out": options.out,
        "--seed": options.seed,
        "--dry-run": "" if options.dry_run else None,
    }
    for name, value in given.items():
        if options.resume is not None and value is not None:
            also = f"{name} {value}".strip()
            raise ConfigError(f"--resume {str(options.resume)!r} takes everything from that folder: leave {also} out.")


def _evaluate(options: argparse.Namespace) -> None:
    ranks = _start()
    from segdend_plugin.experiment import run
    from segdend_plugin.views.progress import Bar

    result = run.evaluate(options.folder, Bar(ranks.is_root and not options.quiet), options.set)
    if ranks.is_root:
        print(json.dumps(result, indent=2))


def _report(options: argparse.Namespace) -> None:
    from segdend_plugin.views import plots, report

    print(report.table(options.folders))
    if options.out is not None:
        plots.learning_curve(options.folders, options.out)


def _reproduce(options: argparse.Namespace) -> None:
    from segdend_plugin.campaign import jobs, reproduce
    from segdend_plugin.views import reproduce as view

    figure = reproduce.find(options.figure)
    out = options.out or Path("runs") / f"{figure.name}-{options.scale}"
    todo = reproduce.plan(figure, options.scale, out, options.data, options.set)
    if options.list:
        for job in todo:
            print(jobs.shown(job, options.ranks, options.launcher))
        return
    out.mkdir(parents=True, exist_ok=True)
    jobs.run(todo, options.jobs, _tell, ranks=options.ranks, how=options.launcher)
    rows = reproduce.collect(figure, todo)
    text = view.table(figure, options.scale, rows)
    reproduce.write(figure, options.scale, rows, out)
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    view.plot(figure, options.scale, rows, todo, out / "figure.png")
    print(f"{text}\n\n{out / 'figure.png'}")


def _sweep(options: argparse.Namespace) -> None:
    from segdend_plugin.campaign import jobs, runs, slurm, sweep
    from segdend_plugin.experiment.folder import is_finished
    from segdend_plugin.views import sweep as view

    file = sweep.find(options.sweep)
    description = sweep.load(file)
    out = options.out or Path("runs") / file.stem
    todo = runs.plan(description, out, options.data, options.set)
    if options.list:
        for job in todo:
            print(jobs.shown(job, options.ranks, options.launcher))
        return
    failure = None
    if not options.collect:
        runs.check(todo)
    if options.slurm:
        print(f"{len(todo)} runs: sbatch {slurm.write(todo, file.stem, out, options.ranks, options.launcher)}")
        return
    if not options.collect:
        try:
            jobs.run(todo, options.jobs, _tell, ranks=options.ranks, how=options.launcher, keep_going=True)
        except SegDendError as error:
            if not any(is_finished(job.folder) for job in todo):
                raise
            failure = error
    rows = runs.collect(description, todo)
    text = view.table(description, rows)
    runs.write(description, rows, out)
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    view.plot(description, rows, out / "figure.png")
    print(f"{text}\n\n{out / 'figure.png'}")
    if failure is not None:
        raise failure


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _compile(options: argparse.Namespace) -> None:
    from segdend_plugin.engine import mechanisms

    print(mechanisms.build(portable=options.portable))


def _morphology_list(options: argparse.Namespace) -> None:
    from segdend_plugin.cells.files.catalogue import CATALOGUE

    width = max(map(len, CATALOGUE))
    for entry in CATALOGUE.values():
        print(f"{entry.name:{width}}  {entry.description}")


def _morphology_info(options: argparse.Namespace) -> None:
    from segdend_plugin.cells.files import source
    from segdend_plugin.engine.layered import LUMPED
    from segdend_plugin.experiment import config
    from segdend_plugin.views import electrotonics, report

    experiment = config.load(settings=[*options.set, *(["cable.repair=true"] if options.repair else [])])
    cells = []
    for cell in options.cells:
        if cell != LUMPED:
            _say(source.load(cell, experiment.cable.repair).lines())
        cells.append(report.morphology(cell, experiment))
    known = [summary for summary, _ in cells]
    print(json.dumps(known[0] if len(known) == 1 else known, indent=2) if options.json else electrotonics.table(known))
    if options.plot is not None:
        shapes = [(summary["name"], measured) for summary, measured in cells if measured is not None]
        electrotonics.plot(shapes, options.plot)


def _morphology_plot(options: argparse.Namespace) -> None:
    from segdend_plugin.cells import morphology
    from segdend_plugin.cells.files import source
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
    train.add_argument("--dry-run", action="store_true", help="show the network and what it would cost; train nothing")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(command=_train)

    evaluate = commands.add_parser("evaluate", help="classify the held-out images with the weights of a run")
    evaluate.add_argument("folder", type=Path, metavar="DIR")
    evaluate.add_argument("--set", action="append", default=[], metavar="key.path=value", help="change one key")
    evaluate.add_argument("--quiet", action="store_true", help="no progress bar")
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
        "--set",
        action="append",
        default=[],
        metavar="key.path=value",
        help="change one key of all runs that the figure does not compare",
    )
    again.add_argument("--out", type=Path, metavar="DIR", help="default: runs/FIGURE-SCALE; what is there is continued")
    again.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time, a process each")
    _add_launching(again)
    again.add_argument("--list", action="store_true", help="print the runs as commands instead")
    again.set_defaults(command=_reproduce)

    sweep = commands.add_parser("sweep", help="train a grid over keys and seeds, and compare the runs")
    sweep.add_argument("sweep", metavar="SWEEP.yaml", help="description, or the name of a shipped sweep")
    sweep.add_argument("--data", type=Path, metavar="MNIST.npz", help="images of all runs")
    sweep.add_argument(
        "--set", action="append", default=[], metavar="key.path=value", help="change one key of all runs"
    )
    sweep.add_argument("--out", type=Path, metavar="DIR", help="default: runs/SWEEP; what is there is continued")
    sweep.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time, a process each")
    _add_launching(sweep)
    instead = sweep.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="print the runs as commands instead")
    instead.add_argument("--slurm", action="store_true", help="write an array job for sbatch instead")
    instead.add_argument("--collect", action="store_true", help="train nothing: table and figure of what is finished")
    sweep.set_defaults(command=_sweep)

    build = commands.add_parser("compile", help="build the NMODL mechanisms ahead of time and print the library")
    build.add_argument("--portable", action="store_true", help="for any processor of this architecture, slower")
    build.set_defaults(command=_compile)

    cells = commands.add_parser("morphology", help="the shipped reconstructions, or your own")
    actions = cells.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="the catalogue").set_defaults(command=_morphology_list)
    info = actions.add_parser("info", help="sizes, impedances, attenuation and segregation of cells, side by side")
    info.add_argument("cells", nargs="+", metavar="CELL", help="three_compartment, or " + CELL_HELP)
    info.add_argument("--repair", action="store_true", help=REPAIR_HELP)
    info.add_argument("--json", action="store_true", help="everything, as JSON: an object, of several cells a list")
    info.add_argument("--plot", type=Path, metavar="X.png", help="draw it, over frequency and along the dendrites")
    info.add_argument(
        "--set", action="append", default=[], metavar="key.path=value", help="change one key, as for train"
    )
    info.set_defaults(command=_morphology_info)
    plot = actions.add_parser("plot", help="draw a cell")
    plot.add_argument("cell", metavar="CELL", help=CELL_HELP)
    plot.add_argument("--repair", action="store_true", help=REPAIR_HELP)
    plot.add_argument("--out", type=Path, required=True, metavar="X.png")
    plot.set_defaults(command=_morphology_plot)
    return parser


def _add_launching(command: argparse.ArgumentParser) -> None:
    command.add_argument("--ranks", type=int, default=1, metavar="N", help="MPI ranks of each run")
    launchers = ("mpiexec", "srun")
    command.add_argument("--launcher", choices=launchers, default="mpiexec", help="starts them; srun: within Slurm")


if __name__ == "__main__":
    sys.exit(main())
