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
from pathlib import Path

from configobj import ConfigObj
from dvc.config import Config
from dvc.repo import Repo

from aebench import config, storage
from aebench.errors import InputError

LINKED = ("aebench", "stages", "conf", "dvc.yaml")
COPIED = (config.SUITE_FILE, storage.REPORTS / "papers" / "README.md")
"""The first selection, and a file that makes the folder of papers exist, on which the stage `index` depends."""
DVC = Path(".dvc")
LEFT_OUT = ("remote", "machine", "db")
"""Sections of .dvc/config that a workspace lacks: results are shared from the project's folder."""


def project() -> Path:
    """The folder of the project: the current folder or, if that is a workspace, the one to which its links lead."""
    if not Path(LINKED[0]).exists():
        raise InputError(f"this command must be run in the project's folder or in a workspace, got {Path.cwd()}")
    return Path(LINKED[0]).resolve().parent


def make_ui(folder: Path = Path()) -> str:
    """The command, in the project's folder, that shows the MLflow store of `folder`, a project or a workspace."""
    name = os.path.relpath(folder, project())
    return "make ui" if name == "." else f"make ui FOLDER={shlex.quote(name)}"


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
    _write(folder / ".gitignore", b"*\n")
    linked = [name for name in LINKED if not (own_settings and name == str(config.CONF))]
    for name in (*linked, DVC / "plots"):
        set_link(folder / name, Path(name))
    for file in COPIED:
        if not (folder / file).exists():
            _write(folder / file, file.read_bytes())
    _write(folder / DVC / "config", _dvc_settings(folder))


def set_link(link: Path, target: Path) -> None:
    """Make `link` a relative symbolic link to `target`; one that is right is not replaced, since a run may be using it."""
    path = os.path.relpath(target.resolve(), link.parent.resolve())
    if not link.is_symlink() or str(link.readlink()) != path:
        link.unlink(missing_ok=True)
        link.symlink_to(path)


def _dvc_settings(folder: Path) -> bytes:
    """The content of .dvc/config in a workspace: the settings of the project, without its remotes, and its cache."""
    with Repo() as repo:
        cache = os.path.relpath(repo.cache.local_cache_dir, (folder / DVC).resolve())
    settings = {name: section for name, section in Config.load_file(DVC / "config").items() if name not in LEFT_OUT}
    core = {key: value for key, value in settings.get("core", {}).items() if key != "remote"}
    settings |= {"core": core | {"no_scm": "true"}, "cache": settings.get("cache", {}) | {"dir": cache}}
    return "\n".join([*ConfigObj(settings).write(), ""]).encode()


def _write(file: Path, content: bytes) -> None:
    """Write a file, unless it has this content."""
    if not file.exists() or file.read_bytes() != content:
        with storage.atomic_write(file) as partial:
            partial.write_bytes(content)
