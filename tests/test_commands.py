"""Tests of the commands of stages: output, status, signals and GPUs."""

import os
import signal
import subprocess
import threading
import time

import pytest

from aebench.pipeline import commands as module
from aebench.pipeline.commands import Commands, log, reason

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stages have sessions of their own on Unix only")


@pytest.fixture
def shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return []


def commands(shown, **options):
    return Commands(lambda stage: shown.append((stage, None)), lambda stage, line: shown.append((stage, line)), **options)


def run(runner, command, stage="train@a-b"):
    return runner.execute(stage, ["sh", "-c", command], {"env": dict(os.environ)})


def test_output_goes_to_a_file_and_its_last_line_to_the_display(shown):
    assert run(commands(shown), "echo one; sleep 0.2; printf 'x\\r 50%%|## | 1/2 loss 3\\r'; echo oops >&2; printf end") == 0
    assert log("train@a-b").read_bytes() == b"one\nx\r 50%|## | 1/2 loss 3\roops\nend"
    assert shown[0] == ("train@a-b", None) and shown[1] == ("train@a-b", "one") and shown[-1] == ("train@a-b", "end")


def test_a_line_written_in_parts_is_shown_as_a_whole(shown):
    run(commands(shown), "printf 'epoch '; sleep 0.2; printf '7 of 9'")
    assert shown[-1][1] == "epoch 7 of 9"


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [
        ("echo working; echo 'error: rate must be above 0, got -1'; exit 1", 1, "rate must be above 0, got -1"),
        ("echo Traceback; echo 'ValueError: no'; exit 1", 1, "ValueError: no"),
        ("exit 3", 3, "exit status 3"),
        ("exit 255", 255, "exit status 255"),
        ("echo 'error: no'; exit 255", 255, "no"),
        ("kill -9 $$", 137, "killed by SIGKILL, which the system sends when memory runs out"),
        ("kill -15 $$", 143, "killed by SIGTERM"),
        ("sh -c 'kill -11 $$'; exit $?", 139, "killed by SIGSEGV"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(shown, command, status, why):
    runner = commands(shown)
    assert run(runner, command) == status == runner.statuses["train@a-b"]
    assert reason("train@a-b", status).endswith(why) and "\n" not in reason("train@a-b", status)


def test_stop_ends_commands_and_the_processes_that_they_started(shown, tmp_path):
    runner, statuses = commands(shown), []
    command = f"sleep 600 & echo $! > {tmp_path}/child; wait"
    thread = threading.Thread(target=lambda: statuses.append(run(runner, command)))
    thread.start()
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        time.sleep(0.01)
    runner.stop()
    thread.join(10)
    assert statuses == [128 + signal.SIGKILL]
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.05)
    assert not alive(child)
    assert run(runner, f"touch {tmp_path}/late") == 137 and not (tmp_path / "late").exists()


def alive(process):
    command = ["ps", "-o", "stat=", "-p", str(process)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_each_stage_on_a_gpu_gets_a_free_one(shown, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    runner = commands(shown, gpus=["2", "5"], on_gpu={"g1": 1, "g2": 1, "both": 2, "other": 0})
    meet = threading.Barrier(2, timeout=10)
    seen = {}

    def use(stage):
        meet.wait()
        run(runner, "echo gpu $CUDA_VISIBLE_DEVICES; sleep 0.3", stage)
        seen[stage] = log(stage).read_text().split()[1]

    threads = [threading.Thread(target=use, args=[stage]) for stage in ("g1", "g2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen.values()) == ["2", "5"]
    assert run(runner, '[ -z "$CUDA_VISIBLE_DEVICES" ]', "other") == 0
    assert run(runner, '[ "$CUDA_VISIBLE_DEVICES" = 2,5 ]', "both") == 0  # both are free again


@pytest.mark.parametrize("order", [["g1", "g2"], ["g2", "g1"]])
def test_gpus_are_given_in_their_order_whichever_was_free_first(shown, monkeypatch, order, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    runner = commands(shown, gpus=["5", "2"], on_gpu={"g1": 1, "g2": 1, "both": 2})

    def use(stage):
        end = tmp_path / stage
        run(runner, f"echo $CUDA_VISIBLE_DEVICES; until [ -e {end} ]; do sleep 0.02; done", stage)

    threads = {stage: threading.Thread(target=use, args=[stage]) for stage in ("g1", "g2")}
    for stage, gpu in (("g1", "5"), ("g2", "2")):
        threads[stage].start()
        while (stage, gpu) not in shown:
            time.sleep(0.01)
    for stage in order:
        (tmp_path / stage).touch()
        threads[stage].join()
    assert run(runner, '[ "$CUDA_VISIBLE_DEVICES" = 5,2 ]', "both") == 0


def test_visible_gpus_are_those_of_the_environment_or_of_the_driver(monkeypatch, tmp_path):
    from aebench.pipeline import runner

    monkeypatch.setattr(runner, "GPUS", tmp_path / "gpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runner.visible_gpus() == []
    for name in ("0000:01", "0000:02"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert runner.visible_gpus() == ["0", "1"]
    for value, expected in (("3, 1", ["3", "1"]), ("", []), ("-1", []), ("GPU-8f", ["GPU-8f"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert runner.visible_gpus() == expected
    assert module.LOGS.parts[0] == ".dvc"
