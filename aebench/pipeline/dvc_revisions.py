"""The results of DVC experiments and Git revisions, from Git and from DVC's cache or remote; no file of the project changes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import NoSCMError, RevError
from dvc_data.index import DataIndexDirError
from scmrepo.exceptions import SCMError

from aebench import config, storage
from aebench.errors import InputError, did_you_mean
from aebench.reporting.tables import contrast


@contextmanager
def folder_of(place: str) -> Iterator[Path]:
    """Yield the folder called `place`, or else a temporary one with settings and results of the experiment or revision.

    Raises `InputError` if there is no such place.
    """
    if place == contrast.HERE or Path(place, config.CONF).is_dir():
        with contrast.folder_of(place) as folder:
            yield folder
        return
    with TemporaryDirectory() as name:
        _copy(place, Path(name))
        yield Path(name)


def _copy(revision: str, target: Path) -> None:
    """Copy params.yaml, conf/ and the tables of results of a revision to a folder; tables that it lacks are left out."""
    try:
        with Repo(rev=revision) as repo:
            settings = [name for name in repo.dvcfs.ls(f"/{config.CONF}", detail=False) if name.endswith(".yaml")]
            for name in (f"/{config.SUITE_FILE}", *settings):
                _write(target / name.lstrip("/"), repo.dvcfs.read_bytes(name))
            suite = config.suite(target / config.SUITE_FILE)
            for folder in (storage.run_folder(dataset, model) for dataset in suite.datasets for model in suite.all_models):
                for file in (folder / name for name in contrast.TABLES):
                    with suppress(FileNotFoundError):
                        _write(target / file, repo.dvcfs.read_bytes(f"/{file.as_posix()}"))
    except RevError:
        raise _unknown(revision) from None
    except (DvcException, SCMError, DataIndexDirError, OSError) as error:
        got = " ".join(str(error).split())
        raise InputError(f"{revision} must be a revision of the project with results that DVC can read, got: {got}") from None


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _unknown(place: str) -> InputError:
    """The error for a place that is neither a folder nor a revision."""
    known = [contrast.HERE]
    with Repo() as repo, suppress(NoSCMError):  # a workspace has no experiments
        found = repo.experiments.ls(all_commits=True)
        known += [name for experiments in found.values() for name, _ in experiments] + repo.scm.list_branches()
    return InputError(f"A and B must be {contrast.FORM}, got {place!r}{did_you_mean(place, known)}")
