"""The denoising autoencoder: the corruption of its input, and the vanilla autoencoder as its limit."""

import pytest
import torch
from family import PIXELS, X, draws, equal, fitted, images, make_ensemble, model, random_images, settings

from aebench.corruptions import CORRUPTIONS, corrupt
from aebench.errors import InputError
from aebench.randomness import Streams


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_denoising_at_level_0_is_vanilla_bit_for_bit(corruption):
    denoising, denoising_history = fitted("denoising", level=0.0, corruption=corruption)
    vanilla, vanilla_history = fitted("vanilla")
    assert equal(denoising.state, vanilla.state)
    assert all((denoising_history.terms[name] == vanilla_history.terms[name]).all() for name in vanilla_history.terms)


def test_the_denoising_target_is_the_clean_image():
    """A defect of other implementations: the target was x̃. The target is x even if all pixels are masked."""
    ensemble = make_ensemble("denoising", level=1.0)
    (model,) = ensemble.replicas()
    x = random_images(20)
    blank = model("decode", model("encode", torch.zeros_like(x)))
    expected = (x - blank).square().sum(1).mean()
    torch.testing.assert_close(ensemble.terms(x[None], draws(ensemble, 20))["reconstruction"][0], expected)


def test_denoising_with_dropout_is_vanilla_with_a_dropout_layer_on_the_input():
    """For the same draw, torch's dropout layer and the corruption give the same terms and the same gradients."""
    denoising, vanilla = model("denoising", corruption="dropout", level=0.4), model("vanilla")
    vanilla.load_state_dict(denoising.state_dict())
    torch.manual_seed(3)
    keep = torch.nn.Dropout(0.4)(torch.ones_like(X))
    ours = denoising.terms(X, (keep, torch.zeros_like(X)))["reconstruction"]
    torch.manual_seed(3)
    expected_loss = vanilla.reconstruction(X, vanilla.encode(torch.nn.Dropout(0.4)(X)))
    torch.testing.assert_close(ours, expected_loss)
    gradients = [torch.autograd.grad(loss, net.parameters()) for loss, net in ((ours, denoising), (expected_loss, vanilla))]
    torch.testing.assert_close(*gradients)
    drawn = denoising.draw(2000, Streams(0).torch("noise"))[0]
    assert sorted(drawn.unique().tolist()) == sorted(keep.float().unique().tolist())
    assert (drawn == 0).float().mean().item() == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("changes", [{}, {"corruption": "gaussian", "loss": "bernoulli"}, {"corruption": "salt_and_pepper"}])
def test_denoising_is_training_on_corrupted_copies_with_clean_targets(changes):
    """The mean over m draws equals the vanilla loss of all m copies, in value and gradient, to rounding in float64."""
    denoising, vanilla = model("denoising", **changes), model("vanilla", loss=changes.get("loss", "squared_error"))
    vanilla.load_state_dict(denoising.state_dict())
    draws = [tuple(part.double() for part in denoising.draw(20, Streams(seed).torch("noise"))) for seed in range(5)]
    averaged = sum(denoising.terms(X, draw)["reconstruction"] for draw in draws) / 5
    copies, targets = torch.cat([corrupt(X, draw) for draw in draws]), X.repeat(5, 1)
    augmented = vanilla.reconstruction(targets, vanilla.encode(copies))
    torch.testing.assert_close(averaged, augmented, rtol=1e-13, atol=0)
    gradients = [torch.autograd.grad(loss, net.parameters()) for loss, net in ((averaged, denoising), (augmented, vanilla))]
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-14)
    assert not torch.allclose(augmented, vanilla.terms(copies, ())["reconstruction"], rtol=0.01)


def test_the_denoising_loss_is_the_expectation_over_corruptions():
    """If only one pixel is not 0, the loss expected for p = ½ is a mean over two masks. The tolerance is 5 standard errors."""
    net, x = model("denoising", level=0.5), torch.zeros(1, PIXELS, dtype=torch.float64)
    x[:, 1] = 1
    losses = torch.stack([net.terms(x, (torch.full_like(x, keep),))["reconstruction"] for keep in (0.0, 1.0)]).detach()
    (keep,) = net.draw(100_000, Streams(0).torch("noise"))
    drawn = net.terms(x.expand(100_000, -1), (keep.double(),))["reconstruction"].item()
    assert losses.diff().abs().item() > 0.01
    assert drawn == pytest.approx(losses.mean().item(), abs=5 * losses.std(correction=0).item() / 100_000**0.5)


def test_dropout_is_masking_rescaled_to_the_brightness_of_clean_images():
    """The same pixels are masked for the same stream; masking scales the brightness by 1 - p, dropout keeps it."""
    drop, mask = (make_ensemble("denoising", corruption=name, level=0.4) for name in ("dropout", "masking"))
    dropped, masked = draws(drop, 2000)[0], draws(mask, 2000)[0]
    torch.testing.assert_close(0.6 * dropped, masked)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01) and masked.mean().item() == pytest.approx(0.6, abs=0.01)


def test_dropout_of_all_pixels_is_an_error():
    for changes in ({"level": 1.0}, {"level": 0.1, "initial_level": 1.0}):
        with pytest.raises(InputError, match=r"level must be less than 1 for dropout, got 1\.0"):
            make_ensemble("denoising", corruption="dropout", **changes)


@pytest.mark.parametrize(("progress", "level"), [(0.0, 0.8), (0.5, 0.5), (1.0, 0.2)])
def test_corruption_changes_linearly_from_the_initial_to_the_final_level(progress, level):
    keep, *_ = draws(make_ensemble("denoising", initial_level=0.8, level=0.2), 2000, progress=progress)
    assert (keep == 0).float().mean().item() == pytest.approx(level, abs=0.01)
    keep, *_ = draws(make_ensemble("denoising", level=0.2), 2000, progress=progress)
    assert (keep == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)


def test_validation_uses_the_final_corruption():
    """If corruption decreases from 1 to 0, the validation loss is that of clean images from the first epoch on."""
    _, history = fitted("denoising", initial_level=1.0, level=0.0, training=settings(learning_rate=1e-30))
    clean = make_ensemble("vanilla").terms(images().validation[None], ())["reconstruction"].item()
    assert history.terms["validation.loss"][:, 0] == pytest.approx([clean] * 3, rel=1e-6)
    assert abs(history.terms["train.loss"][0, 0] - clean) > 0.01
