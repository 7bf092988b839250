"""`aebench ...`: what is not a stage."""

from pathlib import Path
from typing import Annotated

import typer

from aebench import params
from aebench.errors import InputError, one_line, unknown

app = typer.Typer(help="A benchmark of the autoencoder family.", no_args_is_help=True, add_completion=False)
Names = Annotated[str | None, typer.Option(help="Names, separated by spaces or commas.")]


def main() -> None:
    """The console script: a user's mistake is one line and exit status 1."""
    with one_line():
        app()


@app.command()
def select(datasets: Names = None, models: Names = None, seeds: Names = None) -> None:
    """Write what is to run into params.yaml; finished stages of anything else stay valid."""
    from aebench import pipeline

    changes = {"datasets": _names(datasets), "models": _names(models), "seeds": _numbers(_names(seeds))}
    wanted = params.select({field: values for field, values in changes.items() if values})
    pipeline.settle(wanted.datasets)
    typer.echo(f"params.yaml: {wanted.datasets} x {wanted.rows} x seeds {wanted.seeds}")


@app.command()
def reproduce() -> None:
    """Run the pipeline (`dvc repro`) and print the comparison."""
    from aebench import pipeline

    wanted = params.suite()
    for dataset in wanted.datasets:
        params.rows(dataset, wanted)
    status = pipeline.reproduce()
    if status:
        raise typer.Exit(status)
    table()
    typer.echo("report: reports/index.html        MLflow: make ui")


@app.command()
def table() -> None:
    """Print the comparison of each data set of the suite."""
    from aebench.reporting import tables

    for dataset in params.suite().datasets:
        typer.echo(f"\n{dataset}: test set, mean ± 95 % interval over seeds\n")
        typer.echo(tables.terminal(dataset) + "\n")


@app.command("list")
def list_names() -> None:
    """List the known data sets, their rows, and the kinds of model, data source and metric."""
    from aebench.data import SOURCES
    from aebench.metrics import METRICS
    from aebench.models import MODELS

    for name in sorted(path.stem for path in params.CONF.glob("*.yaml")):
        typer.echo(f"data set {name}: {', '.join(params.dataset(name).rows)}")
    for title, names in {"kinds of model": MODELS, "data sources": SOURCES, "metrics": METRICS}.items():
        typer.echo(f"{title}: {', '.join(names)}")


@app.command()
def tune(dataset: str, models: Names = None) -> None:
    """Try the learning rates of conf/<dataset>.yaml:search on every row, alike, on validation images alone."""
    from aebench import tuning

    rows = params.rows(dataset, params.suite())
    if missing := [name for name in _names(models) if name not in rows]:
        raise unknown("--models", missing[0], rows)
    trials = []
    for row in _names(models) or rows:
        if tried := list(tuning.trials(dataset, row)):
            typer.echo(tuning.line(tried))
            trials += tried
    typer.echo(f"wrote {tuning.write(dataset, trials)}; the best rates are for you to put into {params.conf_file(dataset)}")


@app.command()
def certify(
    names: Annotated[list[str] | None, typer.Argument(help="Kinds, rows or <data set>:<row>; none: every kind.")] = None,
) -> None:
    """Prove terms, gradients, units and signs of models against independent calculations; exit status 1 if one is wrong."""
    from aebench import certification
    from aebench.training import place

    place("cpu", threads=1)
    certificates = certification.certify(names or [])
    typer.echo(certification.table(certificates))
    certification.require(certificates)
    typer.echo(f"certified: {len(certificates)} of {len(certificates)}")


@app.command()
def verify(papers: Annotated[list[Path] | None, typer.Argument(help="LaTeX files that quote numbers.")] = None) -> None:
    """Say which printed numbers are stale, mix revisions or were altered, and which papers quote them; exit status 1 if any."""
    from aebench import verification

    verdict = verification.verify(papers or [])
    for line in verdict.lines():
        typer.echo(line)
    raise typer.Exit(not verdict.sound)


@app.command("new-model")
def new_model(name: str, dataset: str = "digits") -> None:
    """Write a chapter file to start from, certified as it is, and its row in a data set's parameters."""
    from aebench import scaffold

    file = scaffold.new_model(name, dataset)
    typer.echo(f"wrote aebench/models/{file.name} and the row {name} of conf/{dataset}.yaml; next:")
    typer.echo(f"  aebench certify {dataset}:{name}")
    typer.echo(f"  make reproduce DATASETS={dataset} MODELS={name}")
    typer.echo("  make test")


def _names(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def _numbers(names: list[str]) -> list[int]:
    for name in names:
        if not name.isdecimal():
            raise InputError(f"--seeds must be integers of at least 0, got {name!r}")
    return [int(name) for name in names]
