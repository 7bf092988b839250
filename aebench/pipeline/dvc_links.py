"""Keep the files of models and data sets that params.yaml does not select.

DVC records each file that it writes or caches. `dvc checkout`, `dvc pull` and `dvc exp run` first delete the recorded files
that are not outputs of current stages. params.yaml determines the stages, so these are the files of every model and data set
outside the suite. Nothing else uses this record, and DVC offers no way to turn it off, so it is emptied and DVC's database is
told to ignore new entries. `aebench select`, `aebench run` and the stage `track` do this each time, as the database may be new.

`dvc exp run -S 'suite.datasets=[...]'` also deletes outputs of current stages that have no entry in dvc.lock, such as those of
a data set whose entries are archived. The first stage, `check`, restores these files from DVC's cache; DVC's run cache then
restores the other stages, and `pretrain` finds its layers.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCMError

from aebench.errors import InputError
from aebench.storage import atomic_write
from aebench.storage.lock import Lock

IGNORE_NEW_ENTRIES = "CREATE TRIGGER IF NOT EXISTS aebench BEFORE INSERT ON Cache BEGIN SELECT RAISE(IGNORE); END"


def keep_files() -> None:
    """Make DVC keep files outside the suite in the current folder. Does nothing in a folder without DVC.

    Raises `InputError` in a folder without Git, such as an unpacked archive of the project.
    """
    try:
        with suppress(NotDvcRepoError), Repo() as repo:
            keep_files_in(repo)
    except SCMError as error:
        raise InputError(f"the project must be cloned with Git (or run `git init` here), got: {error}") from None


def keep_files_in(repo: Repo) -> None:
    """Make DVC keep files outside the suite in an open repository."""
    links = getattr(repo.state, "links", None)  # None if DVC cannot write its database
    if links is not None:
        links.clear()
        with suppress(sqlite3.Error), closing(sqlite3.connect(Path(links.directory) / "cache.db")) as database:
            database.execute(IGNORE_NEW_ENTRIES)


def restore_files(datasets: Iterable[str]) -> None:
    """Write the missing files of data sets whose entries are archived, if DVC's cache has them."""
    with Repo() as repo:
        cached = repo.cache.local.oid_to_path
        for path, (_, md5) in Lock.read(datasets).written.items():
            if md5.endswith(".dir") and Path(cached(md5)).exists():
                files = {Path(path, file["relpath"]): file["md5"] for file in json.loads(Path(cached(md5)).read_text())}
            else:
                files = {Path(path): md5}
            for file, digest in files.items():
                if digest and not file.exists() and Path(cached(digest)).exists():
                    with atomic_write(file) as partial:
                        shutil.copyfile(cached(digest), partial)
