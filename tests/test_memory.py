"""Seeds that do not fit into memory at once are trained in groups, with the same results."""

import numpy as np
import pytest
import torch
from family import PIXELS, images, make_ensemble, random_images, settings, small_settings

from aebench.data import limits
from aebench.errors import InputError
from aebench.models import Images
from aebench.training import memory
from aebench.training.checkpoint import Checkpoint
from aebench.training.minimise import TrainingLoop, minimise
from aebench.training.parallel import parallel_map, side_by_side

SEEDS = (0, 1, 2, 3, 4)
SETTINGS = settings(epochs=12, learning_rate=0.1, patience=3, schedule="cosine")


def groups_of(monkeypatch, count):
    """Let `count` seeds fit into memory."""
    monkeypatch.setattr("aebench.training.minimise.seeds_at_once", lambda *_: count)


def trained(kind, data):
    ensemble = make_ensemble(kind, SEEDS)
    return ensemble, minimise(ensemble, data, SETTINGS)


@pytest.mark.parametrize("kind", ["vanilla", "denoising", "contractive/hutchinson", "variational"])
@pytest.mark.parametrize("by_seed", [False, True])
def test_groups_give_the_same_weights_and_history_bit_for_bit(kind, by_seed, monkeypatch):
    data = Images(torch.stack([random_images(112, seed=s) for s in SEEDS]), images().validation) if by_seed else images()
    expected, history = trained(kind, data)
    groups_of(monkeypatch, 2)
    ensemble, grouped = trained(kind, data)
    assert all(torch.equal(value, ensemble.state[name]) for name, value in expected.state.items())
    assert ensemble.seeds == list(SEEDS)
    assert all(np.array_equal(values, grouped.terms[name], equal_nan=True) for name, values in history.terms.items())
    assert (grouped.best.tolist(), grouped.updates.tolist()) == (history.best.tolist(), history.updates.tolist())
    assert kind == "variational" or len(set(history.updates.tolist())) > 1  # some seeds stop early


def test_an_interrupted_group_is_resumed_and_finished_groups_are_not_repeated(tmp_path, monkeypatch):
    expected, _ = trained("denoising", images())
    groups_of(monkeypatch, 2)
    epochs, run_epoch = [], TrainingLoop.run_epoch

    def count(self):
        if len(epochs) == fatal:
            raise KeyboardInterrupt
        epochs.append(tuple(self.seeds))
        run_epoch(self)

    monkeypatch.setattr(TrainingLoop, "run_epoch", count)
    path = tmp_path / "checkpoint.safetensors"
    fatal, first = 15, make_ensemble("denoising", SEEDS)
    with pytest.raises(KeyboardInterrupt):
        minimise(first, images(), SETTINGS, Checkpoint(path, "x", seconds=0))
    done, fatal = list(epochs), -1
    assert len(set(done)) >= 2
    ensemble = make_ensemble("denoising", SEEDS)
    minimise(ensemble, images(), SETTINGS, Checkpoint(path, "x", seconds=0))
    assert all(torch.equal(value, ensemble.state[name]) for name, value in expected.state.items())
    assert done[0] not in epochs[len(done) :]
    assert not list(tmp_path.iterdir())


def test_a_run_resumed_with_other_groups_starts_again_and_leaves_no_checkpoint(tmp_path, monkeypatch):
    expected, _ = trained("vanilla", images())
    path, run_epoch = tmp_path / "checkpoint.safetensors", TrainingLoop.run_epoch

    def interrupted(self):
        if self.epoch == 4:
            raise KeyboardInterrupt
        run_epoch(self)

    for first, second in ((3, 2), (2, 5), (5, 2)):
        with monkeypatch.context() as patch:
            groups_of(patch, first)
            patch.setattr(TrainingLoop, "run_epoch", interrupted)
            with pytest.raises(KeyboardInterrupt):
                minimise(make_ensemble("vanilla", SEEDS), images(), SETTINGS, Checkpoint(path, "x", seconds=0))
        assert list(tmp_path.iterdir())
        groups_of(monkeypatch, second)
        ensemble = make_ensemble("vanilla", SEEDS)
        minimise(ensemble, images(), SETTINGS, Checkpoint(path, "x", seconds=0))
        assert all(torch.equal(value, ensemble.state[name]) for name, value in expected.state.items())
        assert not list(tmp_path.iterdir())


def test_the_number_of_seeds_follows_from_the_memory_of_one_seed(monkeypatch):
    ensemble = make_ensemble("vanilla", SEEDS)
    needed = memory.bytes_per_seed(ensemble, images(), SETTINGS)
    for available, expected in ((None, 5), (100 * needed, 5), (2.6 * needed / memory.SHARE, 2), (0, 1)):
        monkeypatch.setattr(memory, "available_bytes", lambda device, available=available: available)
        assert memory.seeds_at_once(ensemble, images(), SETTINGS) == expected


def test_the_memory_of_a_seed_counts_weights_batches_and_noise():
    few, many = (memory.bytes_per_seed(make_ensemble("vanilla", hidden=[h]), images(), SETTINGS) for h in (16, 1600))
    weights = 4 * 2 * 16 * 1584 + 4 * 2 * 1584 * 4
    assert many - few > 4 * weights
    small, large = (settings(epochs=1, batch_size=b) for b in (8, 112))
    ensemble = make_ensemble("denoising")
    assert memory.bytes_per_seed(ensemble, images(), large) > memory.bytes_per_seed(ensemble, images(), small)
    assert memory.bytes_per_seed(ensemble, images(), large) > memory.bytes_per_seed(make_ensemble("vanilla"), images(), large)


def test_the_limit_of_the_control_group_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "CGROUP", tmp_path)
    monkeypatch.setattr(limits, "MEMINFO", tmp_path / "meminfo")
    cpu = torch.device("cpu")
    assert memory.available_bytes(cpu) is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 8 kB\n")
    assert memory.available_bytes(cpu) == 8192
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available_bytes(cpu) == 8192
    (tmp_path / "memory.max").write_text("3000\n")
    assert memory.available_bytes(cpu) == 2000
    (tmp_path / "memory.stat").write_text("anon 300\nfile 700\nactive_file 400\ninactive_file 300\nshmem 0\n")
    assert memory.available_bytes(cpu) == 2700  # the page cache counts as free


def test_computations_side_by_side_share_the_memory(monkeypatch):
    ensemble = make_ensemble("vanilla", range(8))
    needed = memory.bytes_per_seed(ensemble, images(), settings())
    monkeypatch.setattr(memory, "available_bytes", lambda device: 8 * needed / memory.SHARE)
    seen = []
    for number in (1, 2, 4, 100):
        monkeypatch.setenv("AEBENCH_CONCURRENT_JOBS", str(number))
        seen.append(memory.seeds_at_once(ensemble, images(), settings()))
    assert seen == [8, 4, 2, 1]
    monkeypatch.setenv("AEBENCH_CONCURRENT_JOBS", "3")
    assert set(parallel_map(_side_by_side, range(4), 2)) == {6} and side_by_side() == 3
    assert set(parallel_map(_side_by_side, range(2), 10_000)) == {6}  # not more processes than items
    assert set(parallel_map(_side_by_side, range(1), 10_000)) == {3} and list(parallel_map(_side_by_side, [], 10_000)) == []


def _side_by_side(_):
    return side_by_side()


@pytest.mark.parametrize("kind", ["vanilla", "contractive", "variational", "pca", "stacked", "random_encoder", "mean_image"])
def test_the_size_of_a_model_is_that_of_its_weights(kind, monkeypatch):
    size = sum(value[0].nbytes for value in make_ensemble(kind, [0]).state.values())
    monkeypatch.setattr(memory, "available_bytes", lambda device: 3 * size / memory.SHARE)
    memory.check_size(small_settings(kind), PIXELS, "models.x", copies=3)
    with pytest.raises(InputError, match=r"^models\.x \(one seed\) must fit into memory \(.* may be used\), got "):
        memory.check_size(small_settings(kind), PIXELS, "models.x", copies=4)


def test_counting_weights_draws_no_random_numbers():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    memory.check_size(small_settings("vanilla"), PIXELS, "models.x")
    assert torch.equal(before, torch.get_rng_state())
