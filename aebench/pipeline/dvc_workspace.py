"""A workspace: a separate folder in which a subset of the suite runs. The project's tracked files stay unchanged.

    own/aebench, stages, conf, dvc.yaml                         links to those of the project
    own/params.yaml                                             the selection
    own/dvc.lock, data/, runs/, reports/, docs/, mlflow.db      results

The project's params.yaml, dvc.lock, reports/ and docs/lecture.md belong to the results that are published with it. A workspace
is a DVC project without Git that has these files for itself, shares DVC's cache, so that nothing is computed twice, and is
ignored by Git. Commands run in it as in the project; relative paths of data files are those of the project.
"""

import os
import shlex
import shutil
from pathlib import Path

from dvc.repo import Repo

from aebench import config, storage
from aebench.errors import InputError

LINKED = ("aebench", "stages", "conf", "dvc.yaml")
COPIED = (config.SUITE_FILE, storage.REPORTS / "papers" / "README.md")
"""The first selection, and a file that makes the folder of papers exist, on which the stage `index` depends."""
DVC = Path(".dvc")


def project() -> Path:
    """The folder of the project: the current folder or, if that is a workspace, the one to which its links lead."""
    if not Path(LINKED[0]).exists():
        raise InputError(f"this command must be run in the project's folder or in a workspace, got {Path.cwd()}")
    return Path(LINKED[0]).resolve().parent


def make_ui() -> str:
    """The command, in the project's folder, that shows the MLflow store of the current folder, a project or a workspace."""
    folder = os.path.relpath(Path.cwd(), project())
    return "make ui" if folder == "." else f"make ui FOLDER={shlex.quote(folder)}"


def create(folder: Path, own_settings: bool = False) -> None:
    """Make `folder` a workspace of the project in the current folder; one that exists keeps its selection and results.

    With `own_settings`, conf is not linked. Raises `InputError` if the current folder is not a project, or `folder` has other
    content.
    """
    if missing := [name for name in (*LINKED, DVC) if not Path(name).exists()]:
        raise InputError(f"aebench workspace must be run in the project's folder, got {Path.cwd()} without {missing[0]}")
    if Path(LINKED[0]).is_symlink():
        raise InputError(f"aebench workspace must be run in the project's folder, got the workspace {Path.cwd()}")
    if folder.exists() and not (folder / DVC).is_dir() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"FOLDER must be new, empty or a workspace, got {folder}")
    if (folder / DVC).is_dir() and not (folder / LINKED[0]).is_symlink():
        raise InputError(f"FOLDER must be another folder than that of a project, got {folder}")
    (folder / DVC).mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    linked = [name for name in LINKED if not (own_settings and name == str(config.CONF))]
    links = {folder / name: Path(name) for name in linked} | {folder / DVC / "plots": DVC / "plots"}
    for link, target in links.items():
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target.resolve(), link.parent.resolve()))
    for file in COPIED:
        if not (folder / file).exists():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file)
    with Repo() as repo, (folder / DVC / "config").open("w") as file:
        settings = (DVC / "config").read_text().partition("['")[0].rstrip()
        cache = os.path.relpath(repo.cache.local_cache_dir, (folder / DVC).resolve())
        file.write(f"{settings}\n    no_scm = true\n[cache]\n    dir = {cache}\n")
