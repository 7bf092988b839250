"""The classifier that consists of an encoder and a linear layer, trained on labelled images."""

import math

import pytest
import torch
from family import PIXELS, X, small_settings
from torch.nn.functional import cross_entropy

from aebench.models import build
from aebench.models.classifier import Classifier
from aebench.randomness import Streams


def classifier(classes=3):
    with Streams(0).initialising():
        return Classifier(build(small_settings("vanilla"), PIXELS), classes).double()


def labelled(classes=3):
    labels = torch.arange(len(X)) % classes
    return torch.cat([X, torch.eye(classes, dtype=torch.float64)[labels]], 1), labels


@pytest.mark.parametrize("classes", [2, 10])
def test_an_untrained_classifier_gives_equal_probabilities(classes):
    images, _ = labelled(classes)
    net = classifier(classes)
    torch.testing.assert_close(torch.softmax(net.encode(X), 1), torch.full((20, classes), 1 / classes).double())
    assert net.terms(images, ())["cross_entropy"].item() == pytest.approx(math.log(classes))


def test_the_cross_entropy_equals_torch():
    images, labels = labelled()
    net = classifier()
    with torch.no_grad():
        net.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net.terms(images, ())["cross_entropy"], cross_entropy(net.encode(X), labels))


def test_a_classifier_trains_the_encoder_but_not_the_decoder():
    """The head is initialised with 0, so the gradient of the encoder is 0 in the first step and not later."""
    images, _ = labelled()
    net = classifier()
    for step in range(2):
        gradients = torch.autograd.grad(net.terms(images, ())["cross_entropy"], net.parameters(), allow_unused=True)
        named = {name: g for (name, _), g in zip(net.named_parameters(), gradients, strict=True)}
        assert (named["encoder.encoder.layers.0.weight"].norm() > 1e-4) == (step == 1)
        assert all(g is None for name, g in named.items() if "decoder" in name)
        with torch.no_grad():
            net.head.weight -= named["head.weight"]
