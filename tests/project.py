"""A user's clone in a temporary folder: the repository's files, committed, with the data set smoke selected."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ONE_OF_EACH = ("mean", "raw", "random", "pca", "ae", "dae", "sae", "cae", "vae", "stacked")
"""Models of conf/smoke.yaml, one of each kind."""
ALWAYS = {"check", "index", "track"}
"""Stages that depend on all of conf/ and take a few seconds."""
CONF = ALWAYS | {"report@smoke"}
"""Stages that depend on all of conf/smoke.yaml."""


def copy_settings(folder):
    """Copy the repository's settings, conf/ and params.yaml, to a folder."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "params.yaml", folder)


def write_skeleton(folder):
    """Write a project with a repository, settings and the folders of the code, but without code and results, to a folder."""
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for name in ("aebench", "stages", "conf/papers", ".dvc/plots", "reports/papers"):
        (folder / name).mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n    autostage = false\n['remote \"r\"']\n    url = elsewhere\n")
    for name in ("dvc.yaml", "params.yaml", "reports/papers/README.md", "conf/smoke.yaml", "conf/digits.yaml"):
        shutil.copy(ROOT / name, folder / name)


class Project:
    """Runs commands in a clone, with the clone's own `aebench` and `stages`."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *command, status=0, **env):
        """Run a command and check its exit status (None: any). Returns stdout followed by stderr."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PATH": f"{BIN}:{os.environ['PATH']}"} | env
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert status is None or done.returncode == status, f"{command} gave {done.returncode}:\n{output}"
        return output

    def aebench(self, *arguments, **options):
        return self.run("python", "-c", "from aebench.cli import main; main()", *arguments, **options)

    def dvc_json(self, *arguments):
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
        done = subprocess.run(["dvc", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def changed(self):
        """Names of the stages that the next run would run."""
        return set(self.dvc_json("status", "--json"))

    def repro(self, **options):
        """Run `dvc repro`. Returns the names of the stages that ran, in order."""
        output = self.run("dvc", "repro", **options)
        return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]

    def replace(self, file, old, new):
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1))

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "state", "--allow-empty")


def clone(folder, models="mean raw random pca pca_2d ae ae_2d dae", seeds="0 1", datasets="smoke"):
    """Copy the repository's current files to `folder` and commit them to a new repository there."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        generated = name == "dvc.lock" or (name.startswith("reports/") and name != "reports/papers/README.md")
        if (ROOT / name).is_file() and not generated:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    project = Project(folder)
    project.run("git", "init", "-q")
    project.aebench("select", "--datasets", datasets, "--models", models, "--seeds", seeds)
    project.commit()
    return project


def finished_clone(folder, models):
    """A clone in which every stage has run once, and which is committed; `first_output` is what the run printed."""
    project = clone(folder, models=" ".join(models))
    project.first_output = project.aebench("run")
    project.commit()
    return project
