"""`aebench ...`: what is not a stage."""

from typing import Annotated

import typer

from aebench import params
from aebench.errors import InputError, one_line

app = typer.Typer(help="A benchmark of the autoencoder family.", no_args_is_help=True, add_completion=False)
Names = Annotated[str | None, typer.Option(help="Names, separated by spaces or commas.")]


def main() -> None:
    """The console script: a user's mistake is one line and exit status 1."""
    with one_line():
        app()


@app.command()
def select(datasets: Names = None, models: Names = None, seeds: Names = None) -> None:
    """Write what is to run into params.yaml; finished stages of anything else stay valid."""
    changes = {"datasets": _names(datasets), "models": _names(models), "seeds": _numbers(_names(seeds))}
    wanted = params.select({field: values for field, values in changes.items() if values})
    typer.echo(f"params.yaml: {wanted.datasets} x {wanted.models} x seeds {wanted.seeds}")


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
        typer.echo(f"data set {name}: {', '.join(params.dataset(name).models)}")
    for title, names in {"kinds of model": MODELS, "data sources": SOURCES, "metrics": METRICS}.items():
        typer.echo(f"{title}: {', '.join(names)}")


def _names(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def _numbers(names: list[str]) -> list[int]:
    for name in names:
        if not name.isdecimal():
            raise InputError(f"--seeds must be integers of at least 0, got {name!r}")
    return [int(name) for name in names]
