"""A bit that flips in a file of a finished run is found by the next run, and the file is regenerated."""

import os
import random

import pytest
from test_runner import Pipeline, layers

from aebench.storage import md5

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="locks and sessions of Unix")]

SOURCES = ("source", "params.yaml", "dvc.yaml", ".gitignore", ".dvcignore")


def flip(file, rng):
    """Flip a bit of a file as a failing disk does: neither the size nor the time changes."""
    times, mode, content = file.stat(), file.stat().st_mode, bytearray(file.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(mode)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def cached(folder):
    """The files in DVC's cache, by their MD5; those of its run cache are not among them."""
    files = [file for file in (folder / ".dvc/cache/files/md5").rglob("*") if file.is_file()]
    return {file.parent.name + file.name: file for file in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    pipeline = Pipeline(tmp_path_factory.mktemp("finished") / "p", layers(3, 3))
    pipeline.run()
    return pipeline


def test_a_flipped_bit_in_any_output_is_found_and_the_output_is_made_again(finished):
    before, rng = finished.results(), random.Random(0)
    outputs = [name for name in before[0] if name not in SOURCES]
    assert len(outputs) == 14
    for name in outputs:
        flip(finished.folder / name, rng)
    output = finished.run()
    assert sum(f"note: {name} differed from dvc.lock: it was restored or regenerated" in output for name in outputs) == 5
    assert "note: so did 9 other files" in output
    assert finished.results() == before and finished.is_up_to_date()


def test_a_flipped_bit_in_any_file_of_the_cache_is_found_when_it_is_needed(finished):
    before, rng = finished.results(), random.Random(1)
    outputs = [name for name in before[0] if name not in SOURCES]
    for file in cached(finished.folder).values():
        flip(file, rng)
    for name in outputs:
        (finished.folder / name).unlink()
    finished.run()
    assert finished.results() == before and finished.is_up_to_date()
    assert {digest.partition(".")[0] for digest in cached(finished.folder)} == {
        md5(f) for f in cached(finished.folder).values()
    }


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.reliability) for seed in range(1, 20))])
def test_a_damaged_run_cache_restores_nothing_wrong(finished, seed):
    before, rng = finished.results(), random.Random(seed)
    for file in (finished.folder / ".dvc/cache/runs").rglob("*"):
        if file.is_file():
            flip(file, rng)
    for name in ("s00", "folder/a", "report"):
        (finished.folder / name).unlink()
    (finished.folder / "dvc.lock").unlink()
    finished.run()
    assert finished.results() == before and finished.is_up_to_date()


@pytest.mark.reliability
def test_many_flipped_bits_are_found(finished, tried):
    before, flips, rng = finished.results(), 20, random.Random(2)
    for _ in range(flips):
        digest, file = rng.choice(sorted(cached(finished.folder).items()))
        flip(file, rng)
        for name in (name for name in before[0] if name not in SOURCES):
            (finished.folder / name).unlink()
        finished.run()
        assert finished.results() == before and finished.is_up_to_date(), digest
    tried("flipped bits in DVC's cache", flips, "each found, and the file regenerated")
