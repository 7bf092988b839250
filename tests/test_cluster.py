"""Stages on a dask cluster: a scheduler and workers in processes of their own, in network namespaces where that works."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from project import BIN, ROOT, clone

pytest.importorskip("distributed")

from aebench.errors import InputError
from aebench.pipeline import cluster, remote, worker
from aebench.storage.lock import WITH_WALL_TIMES

COMPUTED = ["classify", "classify_stack", "evaluate", "evaluate_stack", "study"]
"""Stages that lead to all stages that compute."""
CLOSED = "tcp://127.0.0.1:9"


class Cluster:
    """A scheduler; `start` adds a worker. `folder` has their files."""

    def __init__(self, folder, stack):
        self.folder, self._stack, self.workers = folder, stack, {}
        self._start(
            ["scheduler", "--scheduler-file", str(folder / "scheduler.json"), "--port", "0", "--no-dashboard"], "scheduler"
        )
        wait_for((folder / "scheduler.json").exists)
        time.sleep(0.1)
        self.port = json.loads((folder / "scheduler.json").read_text())["address"].rpartition(":")[2]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def start(self, name, *options, prefix=(), host="127.0.0.1", code=ROOT):
        """Start a worker with one thread, and wait until the scheduler knows it."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder / name), *options]
        count = self._threads()
        self.workers[name] = self._start(
            ["worker", f"tcp://{host}:{self.port}", "--name", name, *options], name, prefix, {"PYTHONPATH": str(code)}
        )
        wait_for(lambda: self._threads() > count)

    def kill(self, name):
        self.workers[name].kill()
        self.workers.pop(name).wait()

    def stages(self, name):
        """The processes of stages that run on a worker."""
        return [process for process in psutil.process_iter(["cwd"]) if str(self.folder / name) in (process.info["cwd"] or "")]

    def _start(self, arguments, name, prefix=(), env=None):
        with (self.folder / f"{name}.log").open("w") as output:
            process = subprocess.Popen(
                [*prefix, str(BIN / "dask"), *arguments],
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def _threads(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(remote.SCHEDULER, self.address)
            with cluster.connected() as client:
                return sum(client.nthreads().values())


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@contextmanager
def namespace(name, network, hidden):
    """Yield the words before a command that runs it in a network of its own, without a folder, and the host's address there."""
    address = f"10.213.{network}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name eth0 netns {name}",
        f"ip addr add {address}.1/30 dev {name}",
        f"ip link set {name} up",
        f"ip -n {name} addr add {address}.2/30 dev eth0",
        f"ip -n {name} link set eth0 up",
        f"ip -n {name} link set lo up",
    ]
    hide = ["ip", "netns", "exec", name, "unshare", "-m", "sh", "-c", f'mount -t tmpfs none {hidden} && exec "$@"', "sh"]
    try:
        works = bool(shutil.which("ip")) and all(
            subprocess.run(command.split(), capture_output=True, check=False).returncode == 0 for command in commands
        )
        works = works and subprocess.run([*hide, "true"], capture_output=True, check=False).returncode == 0
        yield (hide, f"{address}.1") if works else ((), "127.0.0.1")
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture
def empty_cluster(tmp_path):
    """A scheduler without workers."""
    with ExitStack() as stack:
        folder = tmp_path / "cluster"
        folder.mkdir()
        yield Cluster(folder, stack)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone in which all stages that compute ran on this machine."""
    project = clone(tmp_path_factory.mktemp("local"), models="mean pca ae stacked")
    project.aebench("select", "--studies", "sweep")
    project.aebench("run", *COMPUTED)
    return project


def outputs(project):
    """Map the path of each result without wall times to its bytes."""
    files = [file for top in ("runs", "reports") for file in (project.folder / top).rglob("*") if file.is_file()]
    paths = [file.relative_to(project.folder) for file in files]
    return {path: (project.folder / path).read_bytes() for path in paths if not set(path.parts) & set(WITH_WALL_TIMES)}


def stage(project, name, *arguments, **options):
    """Run a stage as DVC does."""
    return project.run("python", "-m", f"stages.{name.partition('@')[0]}", *arguments, DVC_STAGE=name, **options)


def one_line(output, *texts):
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in output, output
    assert all(text in errors[0] for text in texts), errors


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(project, empty_cluster, tmp_path):
    """The workers share neither network nor folder with the client, where namespaces work; no file is sent twice to one."""
    folder = tmp_path / "remote"
    folder.mkdir()
    other = clone(folder, models="mean pca ae stacked")
    other.aebench("select", "--studies", "sweep")
    with ExitStack() as stack:
        for i in (1, 2):
            prefix, host = stack.enter_context(namespace(f"aebench{i}", i, folder))
            empty_cluster.start(f"w{i}", "--nthreads", str(i), prefix=prefix, host=host)
        output = other.aebench("run", "--scheduler", empty_cluster.address, *COMPUTED)
        assert "failed" not in output
        expected, actual = outputs(project), outputs(other)
        assert len(expected) > 30 and expected.keys() == actual.keys()
        assert not [str(path) for path in expected if expected[path] != actual[path]]
        other.run("dvc", "repro", "-s", "-f", "train@smoke-ae", AEBENCH_SCHEDULER=empty_cluster.address)
        assert outputs(other) == actual
        assert other.dvc_json("status", "--json", *COMPUTED) == {}, "the scheduler is not part of any hash"
        logs = [(empty_cluster.folder / f"{worker}.log").read_text() for worker in empty_cluster.workers]
    stored = len(list(empty_cluster.folder.glob("w?/**/aebench/*")))
    sent = sum(log.count("function 'store'") for log in logs)
    assert sent == stored and all("function 'store'" in log for log in logs)


@pytest.fixture
def long(project):
    """The clone with a training run of 5 to 20 s; its settings and results are restored after the test."""
    project.replace("conf/smoke.yaml", "epochs: 2", "epochs: 400")
    yield project
    project.run("git", "checkout", "-q", "--", ".")
    project.aebench("select", "--studies", "sweep")


def start(project, *arguments):
    environment = os.environ | {"PYTHONPATH": str(project.folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = ["python", "-c", "from aebench.cli import main; main()", "run", *arguments]
    return subprocess.Popen(
        command, cwd=project.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
def test_a_stage_of_a_killed_worker_runs_on_another_one_and_one_of_a_killed_client_stops(long, empty_cluster):
    for name in ("w1", "w2"):
        empty_cluster.start(name)
    arguments = ("--scheduler", empty_cluster.address, "train@smoke-ae")
    client = start(long, *arguments)
    wait_for(lambda: any(map(empty_cluster.stages, empty_cluster.workers)))
    first = next(filter(empty_cluster.stages, empty_cluster.workers))
    time.sleep(1)
    assert empty_cluster.stages(first), "the stage ended before its worker was killed"
    empty_cluster.kill(first)
    wait_for(lambda: not empty_cluster.stages(first))
    output = client.communicate(timeout=120)[0]
    assert client.returncode == 0 and "train@smoke-ae ran" in output, output
    assert "training:" in (long.folder / ".dvc/tmp/logs/train@smoke-ae.log").read_text()
    weights = long.folder / "runs/smoke/ae/weights.safetensors"
    actual = weights.read_bytes()
    long.run("dvc", "repro", "-s", "-f", "train@smoke-ae")
    assert weights.read_bytes() == actual

    long.replace("conf/smoke.yaml", "epochs: 400", "epochs: 401")
    client, (second,) = start(long, *arguments), empty_cluster.workers
    wait_for(lambda: empty_cluster.stages(second))
    client.send_signal(signal.SIGKILL)
    client.communicate()
    wait_for(lambda: not empty_cluster.stages(second), 20)


@pytest.mark.slow
def test_a_worker_must_have_the_same_code(project, empty_cluster, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(ROOT / "aebench", other / "aebench")
    changed = other / "aebench" / "models" / "pca.py"
    original = changed.read_text()
    changed.write_text(original + "\nVALUE = 1\n")
    empty_cluster.start("w1", code=other)
    call = ("train@smoke-pca", "smoke", "pca")
    output = stage(project, *call, status=1, AEBENCH_SCHEDULER=empty_cluster.address)
    one_line(output, "must have the code of this project, got another version of aebench.models.pca")
    changed.write_text(original + "# a comment\n")
    stage(project, *call, AEBENCH_SCHEDULER=empty_cluster.address)


@pytest.mark.slow
def test_a_resource_that_no_worker_offers_is_an_error_at_once(project, empty_cluster):
    empty_cluster.start("w1")
    project.replace("dvc.yaml", "    meta: {prefers: {gpu: 1}}\n", "    meta: {resources: {gpu: 1}}\n")  # of `train`
    try:
        begin, env = time.monotonic(), {"AEBENCH_SCHEDULER": empty_cluster.address}
        output = stage(project, "train@smoke-pca", "smoke", "pca", status=1, AEBENCH_WORKER_WAIT="600", **env)
        one_line(output, "resources of a worker must include gpu 1, got none")
        assert time.monotonic() - begin < 120, "it does not wait for a worker, for up to 600 s"
        empty_cluster.start("w2", "--resources", "GPU=1")
        stage(project, "train@smoke-pca", "smoke", "pca", AEBENCH_SCHEDULER=empty_cluster.address)
        assert list((empty_cluster.folder / "w2").glob("**/aebench/*"))
        assert not list((empty_cluster.folder / "w1").glob("**/aebench/*"))
    finally:
        project.run("git", "checkout", "-q", "--", "dvc.yaml")


@pytest.mark.slow
def test_without_a_worker_the_error_is_one_line(project, empty_cluster):
    output = project.aebench("run", "--scheduler", empty_cluster.address, status=1)
    one_line(output, empty_cluster.address, "must have a worker, got none in 25 s")
    env = {"AEBENCH_SCHEDULER": empty_cluster.address, "AEBENCH_WORKER_WAIT": "1"}
    one_line(stage(project, "train@smoke-pca", "smoke", "pca", status=1, **env), "must have a worker, got none in 1 s")


@pytest.mark.slow
@pytest.mark.parametrize("address", [CLOSED, "nonsense", "x://y"])
def test_without_a_scheduler_the_error_is_one_line(project, address):
    output = project.aebench("run", "--scheduler", address, status=1)
    one_line(output, f"must be the address of a running dask scheduler, got {address}")


@pytest.mark.slow
def test_definitions_are_those_of_dvc(project, monkeypatch):
    """Commands, inputs and outputs of all stages agree with dvc.lock."""
    from aebench.config import read_yaml

    monkeypatch.chdir(project.folder)
    entries = read_yaml(Path("dvc.lock"))["stages"]
    assert len(entries) > 15
    for name, entry in entries.items():
        definition = cluster.definition(name)
        assert definition["cmd"] == entry["cmd"]
        assert set(definition["deps"]) == {dep["path"] for dep in entry["deps"]}
        if name != "check":
            assert set(cluster._outs(definition)) == {out["path"] for out in entry["outs"]}


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    """A folder with a pipeline of one stage, which keeps its output."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("""
stages:
  go:
    matrix: {dataset: "${suite.datasets}", model: "${suite.models}"}
    cmd: python -m stages.go ${item.dataset} ${item.model}
    deps: ["data/${item.dataset}", "runs/code/${item.model}.json"]
    params: [suite.seeds, "conf/${item.dataset}.yaml": [training]]
    outs: ["runs/${item.dataset}/${item.model}": {persist: true}, runs/new]
""")
    Path("params.yaml").write_text("suite: {datasets: [a, a-b], models: [b-c, d], seeds: [0]}\n")
    for file in ("data/a-b/1", "conf/a-b.yaml", "conf/a.yaml", "runs/a-b/d/old", "runs/new", "stages/go.py", "stages/go.pyc"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(file)
    Path("runs/code").mkdir()
    Path("runs/code/d.json").write_text('{"stages.go": "1", "other.model": "2"}')


def test_a_job_has_the_inputs_of_its_stage(matrix):
    definition = cluster.definition("go@a-b-d")
    job = cluster._job("go@a-b-d", definition)
    assert job.arguments == ["-m", "stages.go", "a-b", "d"] and job.outs == ["runs/a-b/d", "runs/new"]
    files = {"data/a-b/1", "runs/code/d.json", "conf/a-b.yaml", "params.yaml", "runs/a-b/d/old", "stages/go.py"}
    assert set(job.files) == files
    assert job.code["other.model"] == "2" and "aebench.pipeline.worker" in job.code and "stages.go" not in job.code
    with pytest.raises(InputError, match=r"DVC_STAGE must be a stage of .*, got go@a-x"):
        cluster.definition("go@a-x")


def test_outputs_replace_those_of_an_earlier_run(matrix):
    cluster._write({"runs/a-b/d": {}, "runs/new": {}}, {"runs/a-b/d/1": b"1", "runs/new": b"2"})
    assert [file.name for file in Path("runs/a-b/d").iterdir()] == ["1"] and Path("runs/new").read_bytes() == b"2"


def test_a_stage_outside_of_dvc_is_an_error(monkeypatch):
    monkeypatch.setenv(remote.SCHEDULER, CLOSED)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(InputError, match="a stage must be started by `dvc repro` or `aebench run`"):
        remote.ran_on_cluster()
    monkeypatch.delenv(remote.SCHEDULER)
    assert not remote.ran_on_cluster()


def test_progress_bars_are_sent_once_per_message():
    assert worker.OVERWRITTEN.sub(b"", b"a\n\r 1%\r 2%\r 3%\nb\r\nc") == b"a\n\r\r\r 3%\nb\r\nc"
