"""Metrics of a perfect representation, descriptions of metrics, representations of models, and throughput."""

import numpy as np
import pytest
import torch
from family import PIXELS
from representations import CPU, PERFECT, trained

from aebench.errors import InputError
from aebench.evaluation import throughput
from aebench.evaluation.metrics import METRICS, joined, sparsity
from aebench.evaluation.representation import represent, views
from aebench.evaluation.settings import Evaluation
from aebench.storage import Split


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.perfect is not None])
def test_a_perfect_representation_scores_the_perfect_value(name):
    assert METRICS[name].measure(PERFECT) == pytest.approx(METRICS[name].perfect, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_described(name):
    metric = METRICS[name]
    assert metric.meaning.endswith(".") and metric.title and metric.unit and metric.decimals >= 0
    assert (metric.better is None) == (metric.perfect is None) or name == "cross_entropy"  # at best the entropy of the pixels
    assert metric.perfect is None or (metric.perfect > 0) == (metric.better == "higher")


def test_a_name_that_two_questions_use_is_refused(monkeypatch):
    monkeypatch.setitem(sparsity.METRICS, "active_units", METRICS["active_units"])
    with pytest.raises(InputError, match=r"density\.py must be new names, got 'active_units' as in metrics/sparsity\.py"):
        joined("METRICS")


def test_each_seed_is_represented_on_clean_images():
    model, ensemble = trained("denoising", hidden=[4], latent_dim=2, level=1.0)
    x, y = torch.rand(10, PIXELS).numpy(), np.arange(10) % 3
    splits = (Split(x, y), Split(x[:2], y[:2])), Split(x[:4], y[:4])
    representations = [represent(each) for each in views(model, *splits, Evaluation(contraction={"images": 3}), CPU)]
    for replica, r in zip(ensemble.replicas(), representations, strict=True):
        torch.testing.assert_close(r.codes, replica("encode", torch.from_numpy(x[:4])))
        torch.testing.assert_close(r.reconstructions, replica("decode", r.codes))
        assert r.reference_codes.shape == (12, 2) and r.validation_count == 2
        assert r.contraction.norms.shape == (3,)
    assert not torch.equal(representations[0].codes, representations[1].codes)


def test_throughput_is_measured_in_images_per_second():
    model, _ = trained("vanilla")
    rates = throughput.throughput(model, torch.rand(50, PIXELS))
    assert set(rates) == {"encode", "decode"}
    assert all(rate > 100 for rate in rates.values())
