"""The stacked autoencoder: training of one layer at a time, then fine-tuning of all layers."""

import pytest
import torch
from family import PIXELS, X, descend, draws, equal, fitted, images, make_ensemble, model, random_images, same, settings
from torch.distributions import Bernoulli

from aebench.models import stacked

LAYERS = {
    "vanilla": {"kind": "vanilla", "latent_dim": 16},
    "denoising": {"kind": "denoising", "latent_dim": 16, "level": 0.3},
    "sparse": {"kind": "sparse", "latent_dim": 16, "weight": 0.1},
    "contractive": {"kind": "contractive", "latent_dim": 16, "weight": 0.1},
}


def recorded(layers, seeds=(0, 1)):
    """A fitted stack and, for each training run: images, weights before and after, history, changed settings."""
    ensemble, trainings = make_ensemble("stacked", seeds, layers=layers), []
    train = descend(settings())

    def minimise(part, data, changes=None):
        before = {name: value.clone() for name, value in part.state.items()}
        history = train(part, data, changes)
        trainings.append((data, before, {name: value.clone() for name, value in part.state.items()}, history, changes))
        return history

    assert ensemble.model.fit(ensemble, images(), minimise) is trainings[-1][3]
    return ensemble, trainings


def test_every_kind_of_layer_is_tested():
    assert LAYERS.keys() == stacked.LAYERS.keys()


@pytest.mark.parametrize("kind", LAYERS)
def test_pretraining_one_layer_equals_training_that_model_bit_for_bit(kind):
    layer = LAYERS[kind]
    _, trainings = recorded([layer])
    rest = {key: value for key, value in layer.items() if key != "kind"}
    alone, history = fitted(kind, (0, 1), **{"hidden": []} | rest)
    assert same((type("Trained", (), {"state": trainings[0][2]}), trainings[0][3]), (alone, history))
    (net,), (stack,) = (
        make_ensemble(kind, **{"hidden": []} | rest).replicas(),
        make_ensemble("stacked", layers=[layer]).replicas(),
    )
    assert torch.equal(stack("encode", random_images(9)), net("encode", random_images(9)))
    h = net("encode", random_images(9))
    assert torch.equal(stack("decode", h), net("decode", h))


def test_each_seed_passes_its_own_clean_codes_to_the_next_layer():
    _, trainings = recorded([LAYERS["denoising"] | {"code_activation": "sigmoid"}, {"kind": "vanilla", "latent_dim": 4}])
    (below, _, trained, _, _), (above, *_), _ = trainings
    assert torch.equal(below.train, images().train)
    for part in ("train", "validation"):
        x, codes = getattr(images(), part), getattr(above, part)
        assert codes.shape == (2, len(x), 16)
        for s in range(2):
            clean = torch.sigmoid(x @ trained["encoder.layers.0.weight"][s] + trained["encoder.layers.0.bias"][s])
            torch.testing.assert_close(codes[s], clean)


def test_pretraining_leaves_lower_layers_unchanged_and_fine_tuning_starts_from_all():
    sparse = LAYERS["sparse"] | {"latent_dim": 8}
    ensemble, trainings = recorded([LAYERS["denoising"], sparse, {"kind": "vanilla", "latent_dim": 4}])
    assert len(trainings) == 4
    pretrained = {f"layers.{i}.{name}": value for i in range(3) for name, value in trainings[i][2].items()}
    assert equal(trainings[3][1], {name: pretrained[name] for name in trainings[3][1]})
    start = make_ensemble("stacked", (0, 1), layers=ensemble.model.settings.layers).state
    for i in range(3):
        assert equal(trainings[i][1], {name: start[f"layers.{i}.{name}"] for name in trainings[i][1]})
    assert not any(torch.equal(ensemble.state[name], pretrained[name]) for name in pretrained if name.endswith("weight"))


def test_the_training_settings_of_a_layer_do_not_apply_to_fine_tuning():
    _, trainings = recorded([LAYERS["vanilla"] | {"training": {"epochs": 5}}, {"kind": "vanilla", "latent_dim": 4}])
    assert [len(history.terms["train.loss"]) for *_, history, _ in trainings] == [5, 3, 3]
    assert [changes for *_, changes in trainings] == [{"epochs": 5}, {}, None]


def test_fine_tuning_uses_the_image_error_through_all_layers_in_order():
    """The layers are f1, f2, f3, g3, g2, g1; all widths are equal, so that only the values depend on the order."""
    layer = {"kind": "vanilla", "latent_dim": PIXELS, "output": "linear"}
    stack = model("stacked", layers=[layer] * 3)
    f, g = ([getattr(net, part).layers[0] for net in stack.layers] for part in ("encoder", "decoder"))
    torch.testing.assert_close(stack.encode(X), f[2](f[1](f[0](X))))
    unrolled = g[0](g[1](g[2](f[2](f[1](f[0](X))))))
    torch.testing.assert_close(stack.decode(stack.encode(X)), unrolled)
    torch.testing.assert_close(stack.decode(stack.encode(X), down_to=2), g[2](f[2](f[1](f[0](X)))))
    torch.testing.assert_close(stack.terms(X, ())["reconstruction"], (X - unrolled).square().sum(1).mean())


def test_fine_tuning_uses_the_first_layers_likelihood():
    stack = model(
        "stacked", layers=[{"kind": "vanilla", "latent_dim": 8, "loss": "bernoulli"}, {"kind": "vanilla", "latent_dim": 4}]
    )
    expected = -Bernoulli(stack.decode(stack.encode(X)), validate_args=False).log_prob(X).sum(1).mean()
    torch.testing.assert_close(stack.terms(X, ())["reconstruction"], expected)


def test_fine_tuning_has_no_corruption_and_no_penalty():
    ensemble = make_ensemble("stacked", layers=[LAYERS["denoising"], LAYERS["contractive"]])
    assert draws(ensemble, 5) == ()
    assert set(ensemble.terms(X.float()[None], ())) == {"reconstruction"}
