"""The library behind float32 products is chosen by the processor and the accuracy of its products; precision is a choice."""

import os
import subprocess
import sys

import pytest
import torch
from family import KINDS, VARIANTS, fitted, images, make_ensemble, model_class, random_images, settings

from aebench.errors import InputError
from aebench.training import device
from aebench.training.minimise import minimise
from aebench.training.seed_group import SeedGroup


@pytest.fixture(autouse=True)
def default_products():
    device.one_dnn_is_better.cache_clear()
    yield
    torch.set_float32_matmul_precision("highest")
    device.one_dnn_is_better.cache_clear()


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """A function that pretends that the processor is of a vendor, with a relative error of oneDNN's products."""

    def pretend(vendor, error=3e-7):
        (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {vendor}\nmodel name\t: Abacus 3000\n" if vendor else "")
        monkeypatch.setattr(device, "CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(device, "product_error", lambda precision: error)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")

    return pretend


@pytest.mark.parametrize(
    ("vendor", "error", "blas", "chosen"),
    [
        ("AuthenticAMD", 3e-7, "auto", "medium"),
        ("AuthenticAMD", 3e-7, "default", "highest"),
        ("AuthenticAMD", 3e-3, "auto", "highest"),  # oneDNN would use bfloat16
        ("GenuineIntel", 3e-7, "auto", "highest"),
        ("", 3e-7, "auto", "highest"),
    ],
)
def test_one_dnn_is_chosen_where_mkl_is_slow_and_the_products_are_float32(processor, vendor, error, blas, chosen):
    processor(vendor, error)
    torch.set_float32_matmul_precision("high")
    assert device.configure_device("cpu", 1, blas) == torch.device("cpu")
    assert torch.get_float32_matmul_precision() == chosen
    library = "oneDNN" if chosen == "medium" else "MKL"
    assert device.blas(torch.device("cpu")) == f"{library}, AVX512"


def test_one_dnn_is_not_chosen_without_avx_512(processor, monkeypatch):
    processor("AuthenticAMD")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    device.configure_device("cpu", 1)
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_error_of_a_product_shows_its_precision():
    """With bfloat16 operands a product has a relative error of about 3e-3, whatever oneDNN has on this processor."""
    assert 1e-8 < device.product_error("highest") <= device.TOLERANCE
    assert torch.get_float32_matmul_precision() == "highest"
    error = device.product_error("medium")
    assert error <= device.TOLERANCE or 1e-3 < error < 1e-2


def test_products_of_one_dnn_without_bfloat16_kernels_have_the_accuracy_of_float32():
    program = "from aebench.training.device import product_error; print(product_error('medium'))"
    env = dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX512_CORE")
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert 1e-8 < float(done.stdout) <= device.TOLERANCE


def test_cuda_without_a_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device must be auto or cpu on a machine without CUDA, got cuda"):
        device.configure_device("cuda", 1)
    assert device.configure_device("auto", 1) == torch.device("cpu")


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS + VARIANTS if model_class(kind).stochastic and make_ensemble(kind).weights]
)
def test_terms_in_bfloat16_are_summed_in_float32(kind):
    """A mean over an epoch in bfloat16 stops growing after about 256 batches."""
    ensemble = make_ensemble(kind)
    noise = ensemble.draw(20, ensemble.generators("noise"))
    exact = ensemble.terms(random_images(20)[None], noise)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = ensemble.terms(random_images(20)[None], noise)
    for name, value in rounded.items():
        assert value.dtype == torch.float32, name
        assert value.item() == pytest.approx(exact[name].item(), rel=0.05), name


@pytest.mark.parametrize("kind", ["vanilla", "sparse", "contractive", "contractive/exact", "variational", "denoising"])
def test_training_in_bfloat16_keeps_weights_and_validation_in_float32(kind):
    _, expected = fitted(kind)
    rounded, history = fitted(kind, training=settings(precision="bfloat16"))
    losses, others = (h.terms["train.loss"][:, 0] for h in (expected, history))
    assert all(value.dtype == torch.float32 for value in rounded.state.values())
    assert (losses != others).all() and others == pytest.approx(losses, rel=0.02)
    again = rounded.terms(images().validation[None], rounded.draw(32, rounded.generators("validation")))
    best = history.terms["validation.loss"][history.best[0] - 1, 0]
    assert sum(again.values()).item() == pytest.approx(best, rel=1e-6), "validation is computed in float32"


def test_tf32_has_no_effect_on_a_cpu():
    ensembles = [make_ensemble("vanilla") for _ in range(2)]
    for ensemble, precision in zip(ensembles, ("float32", "tf32"), strict=True):
        minimise(ensemble, images(), settings(precision=precision))
    assert all(torch.equal(value, ensembles[1].state[name]) for name, value in ensembles[0].state.items())


def test_denormals_are_0_while_models_are_trained_and_only_then(monkeypatch):
    """With two threads per run as with one: the state of an optimiser decays to denormals, which are slow."""
    tiny, seen, original = torch.tensor(torch.finfo(torch.float32).tiny), [], SeedGroup.run_epoch
    monkeypatch.setattr(SeedGroup, "run_epoch", lambda group: (seen.append(float(tiny / 2)), original(group))[1])
    for threads in (1, 2):
        minimise(make_ensemble("vanilla", (0, 1)), images(), settings(epochs=1, threads=threads))
    assert seen == [0, 0, 0] and float(tiny / 2) > 0


def test_the_setting_for_denormals_is_restored_after_an_error():
    tiny = torch.tensor(torch.finfo(torch.float32).tiny)
    for before in (True, False):
        torch.set_flush_denormal(before)
        with pytest.raises(KeyError), device.flush_denormals():
            raise KeyError
        assert (float(tiny / 2) == 0) == before
