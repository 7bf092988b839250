"""The variational autoencoder: samples, likelihoods, divergence and bounds, and probabilistic PCA as its limit."""

import math

import pytest
import torch
from family import (
    PIXELS,
    X,
    assign,
    draws,
    fitted,
    linear_gaussian,
    make_ensemble,
    model,
    noise,
    random_images,
    settings,
    small_settings,
)
from torch.distributions import Bernoulli, Normal, kl_divergence

from aebench.evaluation.metrics.reconstruction import sum_of_squares
from aebench.models import Images, build
from aebench.objectives import gaussian_kl, general_gaussian_kl, importance_bound, reparameterise
from aebench.randomness import Streams


def halves(net, x):
    """μ and log σ² of q(z|x)."""
    return net.encoder(x).chunk(2, -1)


def decoded_from(net, x, draw):
    """Codes z (n, K, k) that `terms` decodes."""
    inputs = []
    handle = net.decoder.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    net.terms(x, draw)
    handle.remove()
    (z,) = inputs
    return z


def test_samples_are_from_q_and_the_code_is_its_mean():
    """z = μ + σ ε for the drawn ε, so samples have mean μ and variance σ²; `encode` does not sample."""
    net = model("variational", samples=4000, latent_dim=3)
    draw, (mean, log_variance) = noise(net, 6), halves(net, X[:6])
    z = decoded_from(net, X[:6], draw).detach()
    torch.testing.assert_close(z, (mean[:, None] + log_variance.exp().sqrt()[:, None] * draw[0]).detach())
    spread = log_variance.exp().sqrt().detach()
    assert ((z.mean(1) - mean.detach()).abs() < 4 * spread / 4000**0.5).all()
    assert ((z.std(1) / spread - 1).abs() < 0.06).all()
    assert torch.equal(net.encode(X), halves(net, X)[0])


def test_samples_differ_by_image_by_k_and_by_seed():
    ensemble = make_ensemble("variational", (0, 1), samples=3)
    epsilon, _ = draws(ensemble, 50)
    assert epsilon.shape == (2, 50, 3, 4) and len(epsilon.unique()) == epsilon.numel()
    assert epsilon.mean().item() == pytest.approx(0, abs=0.1) and epsilon.std().item() == pytest.approx(1, abs=0.1)
    generated = [ensemble.model.prior(50, Streams(seed).torch("evaluation")) for seed in (0, 0, 1)]
    assert torch.equal(generated[0], generated[1]) and not torch.equal(generated[0], generated[2])
    assert generated[0].shape == (50, 4) and generated[0].std().item() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("observation", ["bernoulli", "gaussian"])
def test_reconstruction_is_the_negative_log_likelihood_averaged_over_samples(observation):
    net = model("variational", observation=observation, variance=0.2, samples=3)
    draw = noise(net)
    decoded = net.decode(decoded_from(net, X, draw))
    density = {"bernoulli": lambda p: Bernoulli(p, validate_args=False), "gaussian": lambda m: Normal(m, 0.2**0.5)}
    expected = -density[observation](decoded).log_prob(X[:, None]).sum(2).mean()
    torch.testing.assert_close(net.terms(X, draw)["reconstruction"], expected)


def test_terms_of_k_samples_are_the_mean_of_k_single_samples():
    many, one = model("variational", samples=3), model("variational")
    epsilon, beta = noise(many)
    singles = [one.terms(X, (epsilon[:, k : k + 1], beta)) for k in range(3)]
    for name, value in many.terms(X, (epsilon, beta)).items():
        torch.testing.assert_close(value, sum(single[name] for single in singles) / 3)


def test_the_squared_error_of_a_vae_is_not_halved():
    """A defect of other implementations: SSE / 2 of one model was compared with SSE of another. Here d/2 log π is added."""
    net = model("variational", observation="gaussian")
    draw = noise(net)
    decoded = net.decode(decoded_from(net, X, draw))[:, 0]
    constant = PIXELS / 2 * math.log(math.pi)
    assert net.terms(X, draw)["reconstruction"].item() == pytest.approx(sum_of_squares(X, decoded.detach()) + constant)
    vanilla = model("vanilla")
    error = sum_of_squares(X, vanilla.decode(vanilla.encode(X)).detach())
    assert vanilla.terms(X, ())["reconstruction"].item() == pytest.approx(error)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"beta": 4.0}, 4.0),
        ({"observation": "gaussian"}, 1.0),
        ({"observation": "gaussian", "beta": 0.25}, 0.25),
        ({"observation": "gaussian", "variance": 0.2, "beta": 3.0}, 1.2),
        ({"observation": "gaussian", "variance": PIXELS / 2}, PIXELS),
        ({"observation": "gaussian", "variance": "learnt", "beta": 2.0}, None),
    ],
)
def test_the_effective_beta_is_the_reported_one(changes, expected):
    """The loss is proportional to error + β_eff KL. A defect of other implementations: the KL was averaged over units."""
    net = model("variational", warm_up=0.0, **changes)
    draw = noise(net)
    decoded, (mean, log_variance) = net.decode(decoded_from(net, X, draw))[:, 0], halves(net, X)
    gaussian = net.settings.observation == "gaussian"
    cross_entropy = -Bernoulli(decoded, validate_args=False).log_prob(X).sum(1).mean().item()
    error = sum_of_squares(X, decoded.detach()) if gaussian else cross_entropy
    divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean().item()
    variance = torch.as_tensor(net.log_variance).double().exp().item()
    constant = PIXELS / 2 * math.log(2 * math.pi * variance) if gaussian else 0.0
    beta, terms = net.effective_beta().item(), net.terms(X, draw)
    factor = (terms["reconstruction"].item() - constant) / error
    assert terms["divergence"].item() == pytest.approx(factor * beta * divergence)
    assert beta == pytest.approx(2 * variance * 2.0 if expected is None else expected)


@pytest.mark.parametrize(
    ("variance", "weight"), [(0.5, 1.0), (PIXELS / 2, 1 / PIXELS)], ids=["sum over pixels", "mean over pixels"]
)
def test_the_loss_mse_plus_kl_is_a_gaussian_of_this_variance(variance, weight):
    """‖x - x̂‖² + KL and ‖x - x̂‖² / d + KL: the loss differs from each by the same constant, whatever the weights."""
    constants = []
    for latent_dim in (2, 3, 4):
        net = model("variational", observation="gaussian", variance=variance, latent_dim=latent_dim, warm_up=0.0)
        draw = noise(net)
        decoded, (mean, log_variance) = net.decode(decoded_from(net, X, draw))[:, 0], halves(net, X)
        divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
        formula = weight * (X - decoded).square().sum(1).mean() + divergence
        constants.append((sum(net.terms(X, draw).values()) - formula).item())
    assert constants == pytest.approx([PIXELS / 2 * math.log(2 * math.pi * variance)] * 3)


@pytest.mark.parametrize(("variance", "beta"), [(0.5, 1.0), (0.2, 1.0), (0.2, 3.0), (PIXELS / 2, 0.02)])
@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_principal_direction_is_used_only_if_its_variance_exceeds_half_the_effective_beta(variance, beta, ratio):
    """Images with variance `ratio` β_eff / 2 along one direction: near collapse, using it lowers the loss only if ratio > 1.

    To second order, codes μ = a t with decoder weight a v, v the variance of t, change the loss by a² v (β - v / s²) / 2.
    """
    net = model("variational", hidden=[], latent_dim=1, observation="gaussian", variance=variance, beta=beta, warm_up=0.0)
    spread, step = ratio * net.effective_beta().item() / 2, 1e-3
    direction = torch.full((PIXELS, 1), PIXELS**-0.5, dtype=torch.float64)
    signs = torch.tensor([1.0, 1, -1, -1], dtype=torch.float64)[:, None]
    x, antithetic = 0.5 + spread**0.5 * signs * direction.T, torch.tensor([1.0, -1, 1, -1]).double()[:, None, None]
    losses = []
    for a in (0.0, step):
        encoder = a * torch.cat([direction, torch.zeros_like(direction)], 1)
        bias = torch.tensor([-a * 0.5 * direction.sum(), 0.0])
        assign(
            net,
            encoder_layers_0_weight=encoder,
            encoder_layers_0_bias=bias,
            decoder_layers_0_weight=4 * a * spread * direction.T,
        )
        losses.append(sum(net.terms(x, (antithetic, torch.full((4,), beta).double())).values()).item())
    expected = step**2 * spread * (beta - spread / variance) / 2
    assert losses[1] - losses[0] == pytest.approx(expected, rel=0.01)
    assert (losses[1] < losses[0]) == (ratio > 1)


def test_beta_weights_only_the_divergence():
    one, four = (model("variational", beta=beta) for beta in (1.0, 4.0))
    a, b = one.terms(X, noise(one)), four.terms(X, noise(four))
    assert torch.equal(a["reconstruction"], b["reconstruction"])
    torch.testing.assert_close(b["divergence"], 4 * a["divergence"])


def test_the_divergence_is_positive_and_its_gradient_leads_to_the_prior():
    """Defects of other implementations: clamp(KL, 0, capacity) with capacity 0 was always 0; the KL had the wrong sign."""
    net = model("variational")
    before = net.terms(X, noise(net))["divergence"]
    assert before.item() > 0.1
    with torch.no_grad():
        gradients = torch.autograd.grad(before, net.encoder.parameters())
        for weight, gradient in zip(net.encoder.parameters(), gradients, strict=True):
            weight -= 1e-3 * gradient
    assert net.terms(X, noise(net))["divergence"].item() < before.item() - 1e-4


def test_the_divergence_is_0_if_q_is_the_prior():
    net = model("variational")
    assign(net)
    assert net.terms(X, noise(net))["divergence"].item() == 0


@pytest.mark.parametrize(("progress", "beta"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0), (1.0, 2.0)])
def test_beta_increases_linearly_from_0_during_warm_up(progress, beta):
    net = model("variational", beta=2.0, warm_up=0.5)
    assert (noise(net, progress=progress)[1] == beta).all()
    assert (noise(model("variational", beta=2.0, warm_up=0.0), progress=progress)[1] == 2).all()


def test_validation_uses_the_final_beta():
    """A defect of other implementations: training and validation used different weights of the KL."""
    frozen = settings(epochs=4, learning_rate=1e-30)
    ensemble, history = fitted(
        "variational", data=Images(random_images(112), random_images(112)), training=frozen, beta=3.0, warm_up=0.5
    )
    (replica,) = ensemble.replicas()
    mean, log_variance = replica("encoder", random_images(112)).chunk(2, -1)
    full = 3 * kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean().item()
    assert history.terms["validation.divergence"][:, 0] == pytest.approx([full] * 4, rel=1e-4)
    assert history.terms["train.divergence"][:, 0] == pytest.approx([0, full / 2, full, full], rel=1e-4, abs=1e-9)


def test_the_optimal_learnt_variance_is_the_mean_squared_error():
    """The gradient is 0 at the optimum, negative below and positive above, and training converges to the optimum."""
    net = model("variational/gaussian")
    draw = noise(net)
    error = (net.decode(decoded_from(net, X, draw)) - X[:, None]).square().mean().item()
    for factor, sign in ((0.5, -1), (1.0, 0), (2.0, 1)):
        with torch.no_grad():
            net.log_variance.fill_(math.log(factor * error))
        (gradient,) = torch.autograd.grad(net.terms(X, draw)["reconstruction"], net.log_variance)
        assert gradient.item() == pytest.approx(0, abs=1e-9) if sign == 0 else gradient.item() * sign > 0.1
    ensemble, _ = fitted(
        "variational/gaussian", training=settings(epochs=150), data=Images(random_images(112), random_images(112))
    )
    (replica,) = ensemble.replicas()
    learnt, x = replica.state["log_variance"].exp().item(), random_images(112)
    error = sum_of_squares(x, replica("decode", replica("encode", x))) / PIXELS
    assert error < learnt < 1.5 * error


def test_a_fixed_variance_is_not_a_parameter():
    assert "log_variance" in make_ensemble("variational/gaussian").state
    assert "log_variance" not in make_ensemble("variational", observation="gaussian", variance=0.1).state


def test_the_iwae_bound_of_one_sample_is_the_elbo_in_expectation():
    """For the same draws the likelihoods are equal, and the sampled divergence is an unbiased estimate of the exact one."""
    elbo, iwae = (model("variational", bound=bound, beta=beta, latent_dim=2) for bound, beta in (("elbo", 0.7), ("iwae", 0.7)))
    x = X[:1].expand(40000, -1)
    draw = noise(elbo, 40000)
    losses = [sum(net.terms(x, draw).values()).item() for net in (elbo, iwae)]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)
    assert set(iwae.terms(x, draw)) == {"bound"}


def bound_of(net, x, repeats=1):
    with torch.no_grad():
        return -sum(net.terms(x.repeat(repeats, 1), noise(net, repeats * len(x))).values()).item()


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_the_bound_of_a_linear_gaussian_vae_equals_probabilistic_pca(bound):
    """If q is the true posterior, both bounds are log p(x), to within 0.05 nat."""
    net, x, evidence, _ = linear_gaussian(bound=bound, samples=5)
    assert bound_of(net, x, 50) == pytest.approx(evidence, abs=0.05)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (4.0, 0.0), (0.25, 0.0), (1.0, 0.5), (2.0, -0.3)])
def test_the_elbo_is_below_the_evidence_by_the_divergence_from_the_exact_posterior(factor, shift):
    """log p(x) - ELBO = KL(q(z|x) ‖ p(z|x)) with p(z|x) = N(S Wᵀ (x - ½) / s², S), S = (I + WᵀW / s²)⁻¹."""
    net, x, evidence, _ = linear_gaussian(factor)
    weight, variance = net.decoder.layers[0].weight.detach().T / 4, math.exp(net.log_variance)  # (d, k); sigmoid' = 1/4
    covariance = torch.linalg.inv(torch.eye(2) + weight.T @ weight / variance)
    with torch.no_grad():
        net.encoder.layers[0].bias[:2] += shift
        mean, log_variance = halves(net, x)
    exact = (x - 0.5) @ weight @ covariance / variance
    gap = general_gaussian_kl(mean, torch.diag_embed(log_variance.exp()), exact, covariance.expand(len(x), 2, 2)).mean().item()
    assert (gap > 0.05) == ((factor, shift) != (1.0, 0.0))
    assert bound_of(net, x, 4000) == pytest.approx(evidence - gap, abs=0.05)


def test_elbo_is_below_iwae_and_iwae_below_the_evidence():
    """If q is four times too wide, the ELBO is lower by the divergence of q, and IWAE approaches log p(x) as K increases."""
    net, x, evidence, gap = linear_gaussian(4.0)
    elbo = bound_of(net, x, 4000)
    assert gap > 1 and elbo == pytest.approx(evidence - gap, abs=0.05)
    iwae = [bound_of(linear_gaussian(4.0, bound="iwae", samples=k)[0], x, 6400 // k) for k in (1, 4, 64)]
    assert iwae[0] == pytest.approx(elbo, abs=0.05)
    assert iwae[0] < iwae[1] - 0.1 < iwae[2] - 0.2 and iwae[2] < evidence + 0.05
    assert iwae[2] == pytest.approx(evidence, abs=0.05)


class Toy:
    """A model of images of three binary pixels with a code of one unit: p(x) = ∫ p(x|z) p(z) dz by the trapezoidal rule."""

    def __init__(self):
        with Streams(2).initialising():
            self.net = build(
                small_settings("variational", hidden=[4], latent_dim=1, warm_up=0.0, activation="tanh"), 3
            ).double()
            with torch.no_grad():
                for part, scale in ((self.net.encoder, 0.5), (self.net.decoder, 2.0)):
                    for weight in part.parameters():
                        weight.copy_(scale * torch.randn_like(weight))
        self.x = torch.cartesian_prod(*[torch.arange(2, dtype=torch.float64)] * 3)
        self.z, self.step = torch.arange(-15, 15, 0.01, dtype=torch.float64), 0.01
        self.log_likelihood = -self.net.nll(self.x[:, None], self.z[:, None]).detach()  # (8, grid)
        self.log_joint = self.log_likelihood + Normal(0.0, 1.0).log_prob(self.z)
        self.evidence = self.log_joint.logsumexp(1) + math.log(self.step)
        self.q = [part.detach() for part in self.net.posterior(self.x)]
        self.log_q = Normal(self.q[0], (self.q[1] / 2).exp()).log_prob(self.z)

    def expectation(self, values):
        """E_q of values (8, grid)."""
        return (self.log_q.exp() * values).sum(1) * self.step

    def elbo(self):
        """E_q log p(x|z) - KL(q(z|x) ‖ p(z)), (8,)."""
        return self.expectation(self.log_likelihood) - gaussian_kl(*self.q)

    def iwae(self, samples, draws):
        """Mean (8,) of the bound with K = `samples` over `draws`, and its standard error."""
        epsilon = torch.randn(8, draws, samples, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(samples))
        mean, log_variance = (part[:, None].expand(-1, draws, -1) for part in self.q)
        z = reparameterise(mean[..., None, :], log_variance[..., None, :], epsilon)
        nll = self.net.nll(self.x[:, None, None], z).detach()
        bounds = importance_bound(nll, z, mean, log_variance, torch.ones(8, draws, dtype=torch.float64))
        return bounds.mean(1), bounds.std(1) / draws**0.5


TOY = Toy()


def test_the_probabilities_of_all_images_sum_to_1():
    assert TOY.evidence.exp().sum().item() == pytest.approx(1, abs=1e-10)
    assert TOY.evidence.exp().max().item() > 2 / 8  # the images are not equally probable


def test_evidence_minus_elbo_is_the_divergence_of_q_from_the_posterior():
    log_posterior = TOY.log_joint - TOY.evidence[:, None]
    divergence = TOY.expectation(TOY.log_q - log_posterior)
    assert (divergence > 0.01).all()
    torch.testing.assert_close(TOY.evidence - TOY.elbo(), divergence, rtol=0, atol=1e-9)


def test_bounds_of_the_toy_are_between_elbo_and_evidence_and_converge():
    """Tolerances are four standard errors, and 0.01 nat for K = 1024."""
    elbo, (one, error_1), (eight, error_8), (many, error) = TOY.elbo(), *(TOY.iwae(k, 2**16 // k) for k in (1, 8, 1024))
    assert ((one - elbo).abs() < 4 * error_1).all()
    assert (eight > elbo).all() and (eight < TOY.evidence + 4 * error_8).all()
    assert (many > eight - 4 * error_8).all() and ((many - TOY.evidence).abs() < 4 * error + 0.01).all()


def test_the_loss_of_the_toy_is_the_negative_elbo():
    """The tolerance is four standard errors."""
    loss = sum(TOY.net.terms(TOY.x.repeat(5000, 1), noise(TOY.net, 40_000)).values())
    assert -loss.item() == pytest.approx(TOY.elbo().mean().item(), abs=0.08)
