"""The command-line interface: everything that is not a stage of the pipeline."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aebench import config, storage
from aebench.errors import InputError, one_line, unknown
from aebench.pipeline import remote

if TYPE_CHECKING:
    from aebench.pipeline.runner import Outcome

app = typer.Typer(help="A benchmark of the autoencoder family.", no_args_is_help=True, add_completion=False)
Names = Annotated[str | None, typer.Option(help="Names, separated by spaces or commas.")]
Seeds = Annotated[str | None, typer.Option(help="Integers, separated by spaces or commas.")]
NONE = "none"
PIPELINE = ["adjustText", "dvc", "matplotlib", "mlflow", "openTSNE", "pandas", "pooch", "psutil", "tabulate"]
"""Modules of the extra `pipeline`; the models, the estimators and `load` do not need them."""
LONGEST_SEED = 16
"""Digits of the largest seed, 2^53."""
LISTS = ("--models", "--metrics")
INTERRUPTED = 130
"""The exit status after Ctrl-C, as in shells."""
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of a full or read-only disk."""
WRONG_PATH = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
NamesOrNone = Annotated[str | None, typer.Option(help=f"Names, separated by spaces or commas, or {NONE}.")]


def main() -> None:
    """Run the command line; an `InputError` is printed in one line, with exit status 1."""
    with one_line():
        try:
            app(_joined(sys.argv[1:]))
        except ModuleNotFoundError as missing:
            if missing.name not in PIPELINE:
                raise
            raise InputError(f"this command needs {missing.name}, which the extra `pipeline` of aebench installs") from None
        except OSError as error:
            if error.errno not in UNWRITABLE + WRONG_PATH:
                raise
            constraint = "a valid path" if error.errno in WRONG_PATH else "readable, writable and on a disk with free space"
            raise InputError(f"{error.filename or 'the project'} must be {constraint}, got: {error.strerror}") from None


@app.command()
def select(
    datasets: Names = None,
    models: Names = None,
    seeds: Seeds = None,
    studies: NamesOrNone = None,
    papers: NamesOrNone = None,
) -> None:
    """Write the data sets, models, seeds, studies and papers to run to params.yaml; the results of all others are kept."""
    from aebench import papers as published
    from aebench.pipeline import selection

    changes = {"datasets": _names(datasets), "models": _names(models), "seeds": _numbers(_names(seeds))}
    changes = {field: values for field, values in changes.items() if values}
    for field, text in {"studies": studies, "papers": papers}.items():
        if text:
            changes[field] = [] if _names(text) == [NONE] else _names(text)
    for paper in changes.get("papers", []):
        published.file(paper, "--papers")
    suite = selection.select(changes)
    selected = f"{suite.datasets} x {suite.all_models} x seeds {suite.seeds}; studies {suite.studies}; papers {suite.papers}"
    typer.echo(f"params.yaml: {selected}")


@app.command()
def run(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages, or groups such as train; default: all.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Stages at a time; default: one per core.")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(envvar=remote.SCHEDULER, help="Compute on the workers of this dask scheduler, e.g. tcp://host:8786."),
    ] = None,
) -> None:
    """Run the pipeline, independent stages in parallel, and print the comparison of models."""
    from aebench import data
    from aebench.pipeline import dvc_workspace, precheck, runner

    if scheduler:
        os.environ[remote.SCHEDULER] = scheduler
    suite = config.suite()
    for dataset in suite.datasets:
        config.models(dataset, suite)
    precheck.check(suite, bool(os.environ.get(remote.SCHEDULER)))
    outcome = runner.run(suite.datasets, targets or [], jobs)
    for note in [note for dataset in suite.datasets for note in data.notes(dataset)]:
        typer.echo(f"note: {note}", err=True)
    _finish(outcome)
    if not targets:
        table()
        typer.echo(f"report: {Path('reports/index.html').absolute()}        MLflow: {dvc_workspace.make_ui()}")


@app.command()
def workspace(folder: Annotated[Path, typer.Argument(help="The folder, which Git ignores.")] = Path("own")) -> None:
    """Create a folder for a selection of your own; the results published with the project stay unchanged."""
    from aebench.pipeline import dvc_workspace

    dvc_workspace.create(folder)
    typer.echo(f"{folder}: choose what to run with `cd {folder} && aebench select`, then run it there with `aebench run`")


@app.command()
def table(
    dataset: Annotated[str | None, typer.Argument(help="A data set with a report; default: those of the suite.")] = None,
    models: Names = None,
    metrics: Names = None,
    caption: Annotated[str | None, typer.Option(help="The caption of a LaTeX table, in LaTeX.")] = None,
    label: Annotated[str | None, typer.Option(help="The label of a LaTeX table.")] = None,
) -> None:
    """Print the comparison of models; with options, a LaTeX table of chosen models and metrics, in the order given."""
    from aebench.reporting import terminal

    rows, columns, reports = _names(models), _names(metrics), terminal.reports()
    for names in (rows, columns):  # `--models pca ae digits`: the last name is the data set
        if dataset is None and len(names) > 1 and names[-1] in reports:
            dataset = names.pop()
    if dataset and dataset not in reports:
        raise terminal.no_report(dataset, reports)
    if rows or columns or caption or label:
        from aebench.reporting.tables import selection

        chosen = dataset or config.suite().datasets[0]
        typer.echo(selection.latex(chosen, rows, columns, caption or "", label or ""), nl=False)
        return
    for name in [dataset] if dataset else config.suite().datasets:
        typer.echo(f"\n{name}: test set, mean ± 95 % interval over seeds\n")
        typer.echo(terminal.comparison(name) + "\n")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="<dataset>/<model>, <place>:<dataset>/<model>, or <place>.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The model or the place that is subtracted.")],
) -> None:
    """Compare two models, or all models of two places, in every main metric: difference, 95 % interval and paired test.

    A place is a DVC experiment, a Git revision, another folder, or `workspace`, the current results.
    """
    from aebench.pipeline import dvc_revisions
    from aebench.reporting.tables import contrast

    typer.echo(contrast.report(first, second, dvc_revisions.folder_of))


@app.command()
def sweep(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The data set.")],
    model: Annotated[str, typer.Argument(help="A model of conf/<dataset>.yaml.")],
    setting: Annotated[str, typer.Argument(metavar="SETTING", help="A setting and its values: key=value,value,...")],
    seeds: Seeds = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Stages at a time; default: one per core.")] = None,
) -> None:
    """Train and evaluate a model with several values of one setting: a table, a figure with intervals, and runs in MLflow."""
    from contextlib import chdir

    from aebench.pipeline import sweep as sweeping

    chosen = sweeping.parse(dataset, model, setting)
    folder, home = sweeping.prepare(chosen, _numbers(_names(seeds)))
    with chdir(folder):
        _finish(sweeping.run(chosen, jobs))
        typer.echo(sweeping.report(chosen, home))


@app.command("list")
def list_names() -> None:
    """List the data sets with their models, the papers, the kinds of model, the data sources and the metrics."""
    from aebench import papers
    from aebench.data import SOURCES
    from aebench.evaluation.metrics import METRICS
    from aebench.models import MODELS

    for name in sorted(path.stem for path in config.CONF.glob("*.yaml")):
        conf = config.dataset(name)
        studies = f"; studies: {', '.join(conf.studies)}" if conf.studies else ""
        typer.echo(f"data set {name}: {', '.join(conf.all_models)}{studies}")
    typer.echo(f"papers: {', '.join(papers.names())}")
    for title, names in {"kinds of model": MODELS, "data sources": SOURCES, "metrics": METRICS}.items():
        typer.echo(f"{title}: {', '.join(names)}")


@app.command()
def tune(dataset: str, models: Names = None) -> None:
    """Compare the learning rates under `search` in conf/<dataset>.yaml by each model's validation loss."""
    from aebench.training import tuning

    suite, known = config.suite(), config.dataset(dataset, "DATASET").all_models
    if missing := [name for name in _names(models) if name not in known]:
        raise unknown("--models", missing[0], known)
    if not storage.split_file(dataset, "train").exists():
        prepare = f"`aebench run prepare@{dataset}`, after `aebench select --datasets {dataset}` if params.yaml lists others"
        raise InputError(f"the data set {dataset} must be prepared first: run {prepare}")
    tuning.recorded(dataset)  # a damaged file is reported before the search, not after it
    file = None
    for model in dict.fromkeys(_names(models) or [name for name in suite.all_models if name in known]):
        if trials := list(tuning.search(dataset, model)):
            file = tuning.write(dataset, trials)
            typer.echo(tuning.summary(trials))
    if file is None:
        raise InputError("--models must include a model that is trained by gradient descent: the others have no learning rate")
    typer.echo(f"wrote {file}; to use a rate, write it into {config.conf_file(dataset)}")


@app.command("check-model")
def check_model(
    names: Annotated[list[str] | None, typer.Argument(help="Models, <dataset>:<model> or kinds; default: the suite.")] = None,
) -> None:
    """Check the terms, gradients, signs and shapes of models; the exit status is 1 if a check fails."""
    from tabulate import tabulate

    from aebench import testing
    from aebench.testing.names import named
    from aebench.training.device import configure_device

    configure_device("cpu", threads=1)
    reports = [testing.report(settings, path, name) for name, settings, path in named(names or [])]
    rows = [row for report in reports for row in report.rows]
    typer.echo(tabulate(rows, ["model", "term", *testing.CHECKS], "simple", disable_numparse=True))
    problems = [f"{report.name}: {problem}" for report in reports for problem in report.problems]
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(bool(problems))


@app.command()
def judge(
    load: Annotated[str, typer.Argument(help="<module>:<function> that returns a fitted object with encode or transform.")],
    dataset: Annotated[str, typer.Option("--data", help="The data set.")] = "digits",
    name: Annotated[str, typer.Option(help="Name of the model in the table.")] = "external",
    csv: Annotated[Path | None, typer.Option(help="File for every metric of every model.")] = None,
) -> None:
    """Evaluate a model that was trained elsewhere, and print it below the models of the report."""
    from aebench.errors import check_names
    from aebench.reporting import judge as judging
    from aebench.reporting import terminal

    check_names([name], "--name")
    if csv and (csv.is_dir() or not csv.absolute().parent.is_dir()):
        raise InputError(f"--csv must be a file in a folder that exists, got {csv}")
    judgement = judging.judge(load, dataset, name)
    typer.echo(f"{terminal.plain(judgement.table)}\n\n{judgement.note}")
    if csv:
        judgement.frame.to_csv(csv, index=False)
    entry = "".join(f"\n    {key}: {json.dumps(value)}" for key, value in judgement.settings.items())
    typer.echo(f"for all tables and figures, add it to {config.conf_file(dataset)}:models\n  {name}:{entry}")


@app.command()
def verify(manuscripts: Annotated[list[Path] | None, typer.Argument(help="LaTeX files that quote numbers.")] = None) -> None:
    """List the numbers in reports and manuscripts that are stale, mixed or edited; the exit status is 1 if there are any."""
    from aebench.pipeline import audit

    verified, lines = audit.verify(manuscripts or [])
    typer.echo("\n".join(lines))
    raise typer.Exit(not verified)


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="<dataset>/<model>, trained by the pipeline.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    seed: Annotated[int | None, typer.Option(help="Default: the first seed whose training did not fail.")] = None,
    to: Annotated[str, typer.Option(help="folder; torch or onnx also write an encoder and a decoder.")] = "folder",
    value_range: Annotated[
        tuple[float, float] | None, typer.Option(help="Values of black and white; default: those of the data set.")
    ] = None,
) -> None:
    """Write one seed of a trained model, with a model card, to a folder that aebench.load reads anywhere."""
    from aebench.estimators import export as exporting
    from aebench.estimators import files

    if to not in exporting.FORMATS:
        raise unknown("--to", to, exporting.FORMATS)
    exporting.export(name, folder, seed, to, value_range)
    argument = f"./{folder}" if files.is_trained(str(folder)) else str(folder)
    typer.echo(f"wrote {folder}: aebench.load({argument!r})")


@app.command("new-model")
def new_model(name: str, dataset: str = "digits") -> None:
    """Write a module with a new model that passes check-model, and add the model to conf/<dataset>.yaml."""
    from aebench import scaffold

    file = scaffold.new_model(name, dataset)
    typer.echo(f"wrote aebench/models/{file.name} and added the model {name} to conf/{dataset}.yaml; next:")
    typer.echo(f"  aebench check-model {dataset}:{name}")
    typer.echo(f"  make reproduce DATASETS={dataset} MODELS={name}")
    typer.echo("  make test")


@app.command("new-data")
def new_data(
    name: str,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="CSV, npz or IDX files, or folders of pictures.")],
    label: Annotated[str | None, typer.Option(help="The column of the labels in a CSV file.")] = None,
    title: Annotated[str | None, typer.Option(help="The title in reports; default: NAME in words.")] = None,
) -> None:
    """Look at the files of a data set and write conf/NAME.yaml, with untuned settings."""
    from aebench.scaffold import data_set

    written = data_set.new_data(name, paths, label, title)
    for guess in written.guesses:
        typer.echo(f"  {guess}")
    typer.echo(f"wrote {written.file}; correct any wrong guesses there; next:")
    typer.echo(f'  make reproduce DATASETS={name} SEEDS="0 1 2"')
    typer.echo(f"  cd own && aebench tune {name}   (optional; then write the rates into the file and run it again)")


def _finish(outcome: "Outcome") -> None:
    """Say what failed; exit if anything did, or if the run was interrupted."""
    for line in outcome.lines():
        typer.echo(line, err=True)
    if outcome.failures or outcome.interrupted:
        raise typer.Exit(INTERRUPTED if outcome.interrupted else 1)


def _joined(arguments: list[str]) -> list[str]:
    """Let lists of `aebench table` be written without quotation marks: `--models pca ae` is `--models "pca ae"`."""
    if arguments[:1] != ["table"]:
        return arguments
    joined: list[str] = []
    for argument in arguments:
        if len(joined) > 1 and joined[-2] in LISTS and not argument.startswith("-"):
            joined[-1] += f" {argument}"
        else:
            joined.append(argument)
    return joined


def _names(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def _numbers(names: list[str]) -> list[int]:
    for name in names:
        if not name.isdecimal() or len(name) > LONGEST_SEED:
            raise InputError(f"--seeds must be integers from 0 to {2**53}, got {name!r}")
    return [int(name) for name in names]
