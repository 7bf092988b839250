"""Tests of bounds on log p(x): known values, probabilistic PCA, quadrature, and the laws of importance weighting."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from family import PIXELS, fitted, linear_gaussian
from representations import PERFECT, view
from scipy import integrate
from torch.distributions import MultivariateNormal

from aebench.evaluation.arrays import density
from aebench.evaluation.arrays.expost_density import ExpostDensity
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.metrics import density as metrics
from aebench.evaluation.settings import Density, Evaluation

FEW = Density(images=20, samples=1000, draws=50, validation_images=20)
LABELS = torch.arange(40) % 3


def few(**changes):
    return FEW.model_copy(update=changes)


class Stub:
    """A replica with these methods; it is a point model unless it has a posterior and a likelihood."""

    def __init__(self, **methods):
        self.methods = {"posterior": lambda x: (), "nll": lambda x, z: None, "effective_beta": lambda: None} | methods

    def __call__(self, method, *args):
        with torch.no_grad():
            return self.methods[method](*args)

    def function(self, method):
        return self.methods[method]


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def density_view(replica, x, density_settings=FEW, **changes):
    """A view with x (n, d) as training, validation and test images."""
    return view(replica, x, torch.arange(len(x)) % 3, settings=Evaluation(density=density_settings), **changes)


def measured(replica, x, density_settings=FEW, **changes):
    """A representation with the codes and densities of x."""
    test_view = density_view(replica, x, density_settings, **changes)
    return replace(PERFECT, codes=test_view.codes, density=density.density(test_view))


def of_weights(log_weights):
    return replace(
        PERFECT, density=density.Densities(log_weights, log_weights[:, 0], log_weights[:, 0], log_weights, 1.0, numbers(2))
    )


OF_POSTERIORS = ("posterior_gap", "active_units", "effective_beta")


def score(r, name):
    return METRICS[name].measure(r)


# From weights to bounds


def test_weights_are_averaged_as_probabilities_not_as_logarithms():
    r = of_weights(torch.tensor([[1.0, 3, 5, 7], [2, 2, 2, 2]], dtype=torch.float64).log())
    assert score(r, "iwae") == score(r, "expost_density") == pytest.approx((math.log(4) + math.log(2)) / 2)
    pairs = metrics.bounds(r.density.log_weights, 2)
    torch.testing.assert_close(pairs.exp(), torch.tensor([math.sqrt(2 * 6), 2.0], dtype=torch.float64))


def test_effective_sample_sizes_by_hand():
    """Equal weights count as all samples, one dominant weight as one sample, and weights 1 and 3 as 16 / 10 of 2."""
    equal, one, pair = torch.zeros(3, 8), torch.tensor([[0.0] + [-900.0] * 7]), torch.tensor([[1.0, 3.0]]).log()
    for weights, share in ((equal, 100), (one, 100 / 8), (pair, 80)):
        for scale in (0, -5000, 5000):
            assert metrics.effective_share(weights.double() + scale) == pytest.approx(share)


def test_the_half_width_is_that_of_the_mean_over_images():
    levels = torch.tensor([1.0, 2, 3, 6], dtype=torch.float64)
    r = of_weights(levels[:, None].expand(-1, 50))
    assert score(r, "iwae") == pytest.approx(3)
    assert (
        score(r, "iwae_half_width")
        == score(r, "expost_half_width")
        == pytest.approx(3.18245 * levels.std().item() / 2, rel=1e-5)
    )


@pytest.mark.parametrize(("most", "counts"), [(1, "1"), (10, "1 10"), (500, "1 10 100 500"), (1000, "1 10 100 1000")])
def test_the_bound_does_not_decrease_with_samples_and_ends_at_iwae(most, counts):
    """Groups are nested, so that Jensen's inequality holds for every draw."""
    r = of_weights(100 * numbers(7, most))
    computed = PROFILES["iwae_by_samples"].measure(r)
    assert list(computed) == counts.split()
    assert (np.diff(list(computed.values())) >= 0).all()
    assert computed["1"] == pytest.approx(float(r.density.log_weights.mean()))
    assert computed[str(most)] == score(r, "iwae")


# A model's own likelihood


def replica_of(net):
    return Stub(**{name: getattr(net, name) for name in ("posterior", "nll", "encode", "decode", "effective_beta")})


def test_bounds_with_the_true_posterior_equal_probabilistic_pca():
    net, x, evidence, _ = linear_gaussian()
    r = measured(replica_of(net), x)
    assert score(r, "elbo") == pytest.approx(evidence, abs=0.05)
    assert score(r, "iwae") == pytest.approx(evidence, abs=0.05)
    assert list(PROFILES["iwae_by_samples"].measure(r).values()) == pytest.approx([evidence] * 4, abs=0.05)
    assert score(r, "posterior_gap") == pytest.approx(0, abs=0.05)
    assert score(r, "iwae_ess") > 99
    assert score(r, "active_units") == 2


def test_elbo_is_below_iwae_and_iwae_below_the_evidence_with_a_wrong_posterior():
    """A posterior four times too wide: the ELBO loses the divergence from the true posterior, which IWAE recovers."""
    net, x, evidence, gap = linear_gaussian(4.0)
    r = measured(replica_of(net), x)
    one, ten, hundred, thousand = PROFILES["iwae_by_samples"].measure(r).values()
    assert score(r, "elbo") == pytest.approx(evidence - gap, abs=0.1) and one == pytest.approx(evidence - gap, abs=0.1)
    assert one + 0.5 < ten < hundred < thousand < evidence + 0.05
    assert thousand == pytest.approx(evidence, abs=0.05)
    assert score(r, "posterior_gap") == pytest.approx(gap, abs=0.1) and gap > 1
    assert score(r, "elbo") == pytest.approx(-score(r, "expected_nll") - score(r, "posterior_kl"))
    assert 10 < score(r, "iwae_ess") < 90


def constant_model(mean, log_variance, units=3):
    """A model with the same posterior for every image: q = N(mean, exp(log_variance)), p(x|z) = N(z₁ + ..., 1)."""
    return Stub(
        posterior=lambda x: (torch.full_like(x[:, :units], mean), torch.full_like(x[:, :units], log_variance)),
        nll=lambda x, z: ((x - z.sum(-1, keepdim=True)).square() + math.log(2 * math.pi)).sum(-1) / 2,
        encode=lambda x: torch.full_like(x[:, :units], mean),
        decode=lambda h: h.sum(-1, keepdim=True).expand(*h.shape[:-1], 4),
    )


def test_useless_a_posterior_equal_to_the_prior_has_no_kl_and_no_active_units():
    r = measured(constant_model(0.0, 0.0), numbers(40, 4))
    assert score(r, "posterior_kl") == 0 and score(r, "active_units") == 0
    assert score(r, "elbo") == pytest.approx(PROFILES["iwae_by_samples"].measure(r)["1"])
    assert score(r, "posterior_gap") == score(r, "iwae") - score(r, "elbo") > 1


def test_adversarial_a_degenerate_posterior_lowers_every_bound():
    """The KL is ½ (40 - 1) per unit, and importance weights cannot recover it, since all draws are equal."""
    r = measured(constant_model(0.0, -40.0), numbers(40, 4))
    assert score(r, "posterior_kl") == pytest.approx(3 * 39 / 2)
    assert score(r, "elbo") == pytest.approx(-score(r, "expected_nll") - 3 * 39 / 2)
    assert score(r, "iwae") < -score(r, "expected_nll") - 30


def test_adversarial_a_degenerate_posterior_hides_most_of_its_gap():
    """The decoder is the same, so the bound with a wider q shows that log p(x) is at least 30 nats above the ELBO."""
    x = numbers(40, 4)
    narrow, wide = (measured(constant_model(0.0, log_variance), x) for log_variance in (-40.0, -2.0))
    assert score(wide, "iwae") - score(narrow, "elbo") > 30
    assert 0 < score(narrow, "posterior_gap") < 3 and score(narrow, "iwae_ess") < 20


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"beta": 2.0}, 2.0),
        ({"observation": "gaussian", "beta": 2.0}, 2.0),
        ({"observation": "gaussian", "variance": PIXELS / 2}, PIXELS),
        ({"observation": "gaussian", "variance": "learnt"}, None),
    ],
)
def test_the_effective_beta_is_that_of_the_trained_model(changes, expected):
    (replica,) = fitted("variational", **changes)[0].replicas()
    trained = 2 * math.exp(replica.state["log_variance"].item()) if expected is None else expected
    assert score(measured(replica, images(40)), "effective_beta") == pytest.approx(trained)
    assert expected or trained != pytest.approx(1.0)


def test_active_units_have_a_variance_above_a_hundredth_over_images():
    codes = torch.tensor([[0.0, 5, 1], [0.3, 5, -1], [0, 5, 1], [0.3, 5, -1]]) * torch.tensor([0.6, 1, 1])
    assert score(replace(of_weights(torch.zeros(4, 2)), codes=codes), "active_units") == 1
    assert score(replace(of_weights(torch.zeros(4, 2)), codes=2 * codes), "active_units") == 2


def aggregated(codes, spread):
    """The aggregate divergence of codes (n, k) with posterior variances (k,)."""
    weights = torch.zeros(4, 2, dtype=torch.float64)
    return score(
        replace(PERFECT, codes=codes, density=density.Densities(weights, weights, weights, weights, 1.0, spread)),
        "aggregate_kl",
    )


def test_an_aggregate_posterior_equal_to_the_prior_has_divergence_0():
    """Codes at ±a with posterior variance 1 - a² have mean 0 and variance 1 in every unit."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    for a in (0.0, 0.6, 1.0):
        assert aggregated(a * corners, torch.full((3,), 1 - a**2)) == pytest.approx(0, abs=1e-12)


def test_aggregate_divergence_by_hand():
    """N(1, 4) has divergence (4 + 1 - 1 - log 4) / 2; divergences of units add up; a correlation r adds -log(1 - r²) / 2."""
    codes = 1 + 2 * torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    assert aggregated(codes, torch.zeros(1)) == pytest.approx((4 - math.log(4)) / 2)
    both = torch.cat([codes, torch.zeros(2, 1)], 1)
    assert aggregated(both, torch.tensor([0.0, 1.0])) == pytest.approx((4 - math.log(4)) / 2)
    tied = torch.tensor([[-1.0, -1], [1, 1]], dtype=torch.float64) * math.sqrt(0.5)
    assert aggregated(tied, torch.full((2,), 0.5)) == pytest.approx(-math.log(1 - 0.25) / 2)


def test_codes_without_variance_in_some_direction_have_no_aggregate_divergence():
    assert math.isnan(aggregated(torch.ones(4, 2), torch.zeros(2)))
    assert math.isnan(aggregated(numbers(4, 1) * torch.ones(1, 2), torch.zeros(2)))


def test_posterior_variance_is_the_mean_over_images_and_0_for_point_models():
    x = images(40)
    variational = Stub(encode=lambda x: x[:, :2], decode=lambda h: x[:1], posterior=lambda x: (x[:, :2], x[:, :2].log() + 1))
    expected = x[:, :2].double().mean(0) * math.e
    assert torch.allclose(density.posterior_variance(density_view(variational, x)), expected)
    point = Stub(encode=lambda x: x[:, :2])
    assert not density.posterior_variance(density_view(point, x)).any()


@pytest.mark.parametrize("kind", ["pca", "mean_image", "raw_pixels"])
def test_point_models_have_nan_bounds_for_the_same_numbers_of_samples(kind):
    r = measured(next(fitted(kind)[0].replicas()), images(40))
    for name in ("elbo", "expected_nll", "posterior_kl", "iwae", "iwae_half_width", "iwae_ess", *OF_POSTERIORS):
        assert math.isnan(score(r, name)), name
    profile = PROFILES["iwae_by_samples"].measure(r)
    assert list(profile) == ["1", "10", "100", "1000"] and np.isnan(list(profile.values())).all()
    assert all(math.isfinite(score(r, name)) for name in METRICS if name.startswith("expost"))


# The ex-post density


def images(n, seed=0):
    return torch.rand(n, PIXELS, generator=torch.Generator().manual_seed(seed))


def exact(test_view, variance):
    """log N(g(μ), WᵀΣW + s² I) of the test images, for a linear decoder."""
    codes = test_view.reference_codes[: -test_view.validation_count].double()
    middle, covariance = codes.mean(0), torch.cov(codes.T, correction=0).reshape(codes.shape[1], -1)
    zero, units = torch.zeros_like(codes[:1]), torch.eye(codes.shape[1])
    weight = (test_view.decode(units) - test_view.decode(zero.float())).double()
    marginal = weight.T @ covariance @ weight + variance * torch.eye(PIXELS)
    return MultivariateNormal(test_view.decode(middle[None].float())[0].double(), marginal).log_prob(test_view.images.double())


LINEAR = {
    "pca": {},
    "mean_image": {},
    "raw_pixels": {},
    "random_encoder": {},
    "vanilla": {"hidden": [], "output": "linear"},
    "sparse": {"output": "linear"},
}


@pytest.mark.parametrize("kind", LINEAR)
def test_expost_density_of_a_linear_decoder_is_its_exact_marginal(kind):
    """The density is exact up to float32 rounding for signed, wide and constant codes, for any draws."""
    test_view = density_view(next(fitted(kind, **LINEAR[kind])[0].replicas()), images(40), few(draws=2, images=40))
    computed = density.density(test_view)
    expected = exact(test_view, computed.variance)
    torch.testing.assert_close(computed.expost_log_weights, expected[:, None].expand(-1, 2), atol=0.05, rtol=0)
    r = replace(PERFECT, density=computed)
    assert score(r, "expost_density") == pytest.approx(float(expected.mean()), abs=0.05)
    assert score(r, "expost_ess") > 99.9


@pytest.mark.parametrize("kind", ["pca", "mean_image"])
def test_observation_variance_maximises_the_likelihood_of_validation_images(kind):
    test_view = density_view(next(fitted(kind)[0].replicas()), images(40), few(images=40, validation_images=40))
    variance = density.density(test_view).variance
    likelihood = [float(exact(test_view, c * variance).mean()) for c in (0.93, 1, 1.07)]
    assert likelihood[1] > max(likelihood[0], likelihood[2])


def test_the_mean_image_is_a_gaussian_with_the_variance_of_validation_images():
    model = next(fitted("mean_image")[0].replicas())
    test_view = density_view(model, images(40), few(validation_images=40))
    deviations = (test_view.images - model.state["mean"]).double().square()
    assert density.density(test_view).variance == pytest.approx(float(deviations.mean()), rel=0.02)


def bent(h):
    """Points (..., 3) on a curve in space, for positions (..., 1) on it."""
    return torch.cat([h, torch.sin(2 * h), 0.3 * h**2], -1)


def test_expost_density_of_a_curved_decoder_matches_quadrature():
    """The density is within 0.05 nat of log p(x) although the ESS is below 95 %; fewer draws give a lower bound."""
    codes, x, variance = 1 + 0.8 * numbers(500, 1), 0.3 * numbers(6, 3, seed=1), 0.05
    expost = ExpostDensity.fit(bent, codes, 1)
    mean, deviation = codes.mean(), codes.std(correction=0)

    def joint(h, row):
        prior = math.exp(-(((h - mean) / deviation) ** 2) / 2) / (deviation * math.sqrt(2 * math.pi))
        error = float((row - bent(torch.tensor([h], dtype=torch.float64))).square().sum())
        return float(prior * math.exp(-error / (2 * variance)) / (2 * math.pi * variance) ** 1.5)

    expected = [math.log(integrate.quad(joint, -5, 7, (row,), limit=200)[0]) for row in x]
    weights = expost.log_weights(x, x[:, :1], variance, 2, numbers(6, 50_000, 1, seed=2))
    assert metrics.bounds(weights).tolist() == pytest.approx(expected, abs=0.05)
    assert metrics.effective_share(weights) < 95
    short = metrics.bounds(weights, 1).mean()
    assert short < metrics.bounds(weights, 10).mean() < np.mean(expected) + 0.01


def test_decoder_jacobians_match_finite_differences():
    expost, step = ExpostDensity.fit(bent, 1 + 0.8 * numbers(500, 1), 1), 1e-6
    u = numbers(5, 1)
    torch.testing.assert_close(expost.jacobians(u)[:, 0], (expost.decoded(u + step) - expost.decoded(u - step)) / (2 * step))


def test_dead_and_duplicated_units_do_not_change_the_expost_density():
    codes = numbers(200, 2)
    wide = torch.cat([codes, torch.full_like(codes, 7.0), codes], 1)
    narrow, padded = (
        ExpostDensity.fit(lambda h: h, codes, 9),
        ExpostDensity.fit(lambda h: (h[..., :2] + h[..., 4:]) / 2, wide, 9),
    )
    assert padded.rank == 2 and not ExpostDensity.fit(lambda h: h, torch.full((9, 3), 0.1), 9).directions.any()
    noise, x = numbers(5, 3, 2, seed=1), numbers(5, 2, seed=2)
    weights = [expost.log_weights(x, rows, 0.1, 1, noise) for expost, rows in ((narrow, codes[:5]), (padded, wide[:5]))]
    torch.testing.assert_close(*weights)


def test_directions_are_those_of_largest_variance():
    codes = numbers(5000, 3) * torch.tensor([1.0, 3, 2])
    expost = ExpostDensity.fit(lambda h: h, codes, 2)
    torch.testing.assert_close(expost.directions.abs(), torch.tensor([[0, 0, 2.0], [0, 3, 0]]).double(), atol=0.15, rtol=0)


def test_constant_pixels_do_not_make_the_density_infinite():
    """Perfect reconstructions have the variance of rounding to grey levels, and more levels give a higher density."""
    x = images(40)
    x[:, ::2] = 0
    model = next(fitted("raw_pixels")[0].replicas())
    coarse, fine = (measured(model, x, few(levels=levels)) for levels in (17, 256))
    assert score(coarse, "expost_deviation") == pytest.approx(1 / 16 / math.sqrt(12))
    assert score(coarse, "expost_density") < score(fine, "expost_density") < math.inf


# Draws and images


@pytest.mark.parametrize("kind", ["variational", "vanilla"])
def test_densities_do_not_depend_on_the_block_size(kind, monkeypatch):
    """In float64: a weight of an image far from its reconstruction multiplies rounding errors by its residual over σ²."""
    replica = next(fitted(kind)[0].replicas())
    replica.state = {name: values.double() for name, values in replica.state.items()}
    test_view = density_view(replica, images(40).double())
    together = density.density(test_view)
    monkeypatch.setattr(density, "ENTRIES", 1)
    one_by_one = density.density(test_view)
    assert one_by_one.variance == pytest.approx(together.variance, rel=1e-9)
    for name in ("log_weights", "nll", "kl", "expost_log_weights"):
        torch.testing.assert_close(getattr(one_by_one, name), getattr(together, name), atol=1e-8, rtol=1e-8, equal_nan=True)


def test_densities_have_the_same_noise_for_every_seed():
    model = next(fitted("variational")[0].replicas())
    first, other = (density.density(density_view(model, images(40), seed=seed)) for seed in (3, 4))
    assert torch.equal(first.log_weights, other.log_weights) and torch.equal(first.expost_log_weights, other.expost_log_weights)
    fewer = density.density(density_view(model, images(40), few(samples=7), seed=3))
    assert torch.equal(first.expost_log_weights, fewer.expost_log_weights) and fewer.log_weights.shape == (20, 7)


def test_densities_do_not_share_draws(monkeypatch):
    drawn, original = [], density.standard_normal

    def standard_normal(*args):
        drawn.append(original(*args))
        return drawn[-1]

    monkeypatch.setattr(density, "standard_normal", standard_normal)
    density.density(density_view(next(fitted("variational")[0].replicas()), images(40)))
    firsts = {tuple(noise.flatten()[:4].tolist()) for noise in drawn}
    assert len(firsts) == len(drawn) > 1


def test_a_unit_is_active_if_its_mean_has_a_variance_above_a_hundredth():
    codes = torch.tensor([[-1.0], [1.0]]) * torch.tensor([0.0, 0.099, 0.101, 2.0]) + torch.tensor([5.0, -1.0, 0.0, 3.0])
    assert metrics.count_active(codes) == 2


def test_test_images_select_nothing_and_only_training_codes_are_fitted():
    model = next(fitted("pca")[0].replicas())
    train, validation, test = images(60), images(30, seed=1), images(40, seed=2)
    test_view = density_view(model, test, reference=torch.cat([train, validation]), validation_count=30)
    computed = density.density(test_view)
    assert computed.variance == density.density(replace(test_view, images=0.1 * test)).variance
    assert computed.variance != density.density(replace(test_view, reference=torch.cat([train, 0.2 * validation]))).variance
    expost = [exact(replace(test_view, reference=torch.cat([train, c * validation])), computed.variance) for c in (1, 0.2)]
    assert torch.equal(*expost)
    torch.testing.assert_close(computed.expost_log_weights.mean(1), expost[0][::2], atol=0.05, rtol=0)
