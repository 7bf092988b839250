"""Every formula is compared with a hand calculation, a library, autograd and a limit, in float64."""

import math

import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy

from aebench.objectives import (
    activation_kl,
    bernoulli_nll,
    bhattacharyya,
    gaussian_kl,
    gaussian_nll,
    general_gaussian_kl,
    importance_bound,
    l1,
    layer_contraction,
    reparameterise,
    squared_error,
    squared_norm,
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def covariance(k, seed, *batch):
    root = numbers(*batch, k, k, seed=seed)
    return root @ root.mT + 0.5 * torch.eye(k, dtype=torch.float64)


X = torch.sigmoid(numbers(5, 7))
Z = numbers(5, 7, seed=1).requires_grad_()
L = numbers(5, 7, seed=2).requires_grad_()


def test_squared_error_by_hand():
    """The sums over the two pixels of two images are 0.25 + 1 and 0."""
    x, y = tensor([0.5, 1.0], [0.0, 1.0]), tensor([0.0, 0.0], [0.0, 1.0])
    assert squared_error(x, y).tolist() == [1.25, 0]
    assert squared_error(x, x).tolist() == [0, 0]


def test_the_gradient_of_the_squared_error_is_twice_the_difference():
    (gradient,) = torch.autograd.grad(squared_error(X, Z).sum(), Z)
    torch.testing.assert_close(gradient, 2 * (Z.detach() - X))


def test_bernoulli_by_hand():
    """For p = sigmoid(log 3) = 3/4, a pixel of 1 has loss -log(3/4) and a pixel of 0 has -log(1/4)."""
    logit = tensor([math.log(3.0)])
    assert bernoulli_nll(torch.ones(1, 1), logit).item() == pytest.approx(-math.log(3 / 4))
    assert bernoulli_nll(torch.zeros(1, 1), logit).item() == pytest.approx(-math.log(1 / 4))


def test_bernoulli_equals_torchs_binary_cross_entropy():
    expected = binary_cross_entropy(torch.sigmoid(Z), X, reduction="none").sum(1)
    torch.testing.assert_close(bernoulli_nll(X, Z), expected)


def test_the_gradient_of_bernoulli_is_probability_minus_pixel():
    (gradient,) = torch.autograd.grad(bernoulli_nll(X, Z).sum(), Z)
    torch.testing.assert_close(gradient, torch.sigmoid(Z.detach()) - X)


def test_bernoulli_in_the_limit_of_certainty():
    """A correct pixel with a large logit has loss 0, a wrong one has the logit; neither is infinite or NaN."""
    logit = tensor([800.0])
    assert bernoulli_nll(torch.ones(1, 1), logit).item() == 0
    assert bernoulli_nll(torch.zeros(1, 1), logit).item() == 800


def test_gaussian_nll_by_hand():
    """The loss per pixel is ½ log 2πσ² at the mean and ½ more at a distance of σ."""
    assert gaussian_nll(tensor([3.0]), tensor([3.0]), 0.0).item() == pytest.approx(0.5 * math.log(2 * math.pi))
    assert gaussian_nll(tensor([5.0]), tensor([3.0]), math.log(4.0)).item() == pytest.approx(
        0.5 * math.log(2 * math.pi * 4) + 0.5
    )


def test_gaussian_nll_equals_scipy():
    expected = -stats.norm.logpdf(X.numpy(), Z.detach().numpy(), (L / 2).exp().detach().numpy()).sum(1)
    torch.testing.assert_close(gaussian_nll(X, Z, L).detach(), torch.from_numpy(expected))


def test_a_gaussian_of_variance_one_half_is_the_squared_error_plus_a_constant():
    """The MSE of the lecture is the negative log-likelihood ‖x - x̂‖² + d/2 log π, without a factor of ½."""
    expected = squared_error(X, Z) + 7 / 2 * math.log(math.pi)
    torch.testing.assert_close(gaussian_nll(X, Z, math.log(0.5)), expected)


def test_the_best_variance_of_a_gaussian_is_the_mean_squared_error():
    best = ((X - Z).square().mean()).log().detach().requires_grad_()
    (gradient,) = torch.autograd.grad(gaussian_nll(X, Z.detach(), best).sum(), best)
    assert gradient.item() == pytest.approx(0, abs=1e-12)


def test_gaussian_kl_by_hand():
    """A mean of 1 gives ½, a variance of 4 gives ½ (4 - 1 - log 4), and the divergences of units are added."""
    mean, log_variance = tensor([1.0, 0.0], [0.0, 0.0]), tensor([0.0, math.log(4.0)], [0.0, 0.0])
    assert gaussian_kl(mean, log_variance).tolist() == pytest.approx([0.5 + 0.5 * (3 - math.log(4)), 0])


def test_gaussian_kl_equals_torch():
    expected = kl_divergence(Normal(Z, (L / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(gaussian_kl(Z, L), expected)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.7, 0.3), (-2.0, 1.9)])
def test_gaussian_kl_equals_the_integral(mean, variance):
    p, q = stats.norm(0, 1), stats.norm(mean, variance**0.5)
    integral, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -15, 15)
    assert gaussian_kl(tensor(mean), tensor(math.log(variance))).item() == pytest.approx(integral, abs=1e-9)


def test_gaussian_kl_has_its_minimum_0_at_the_standard_normal():
    zero = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    divergence = gaussian_kl(zero, zero)
    assert divergence.item() == 0
    (gradient,) = torch.autograd.grad(divergence.sum(), zero)
    assert (gradient == 0).all()
    assert (gaussian_kl(numbers(1000, 3), numbers(1000, 3, seed=1)) > 0).all()


def test_general_gaussian_kl_by_hand():
    """The divergence of N(1, 4) from N(0, 2) is ½ (4/2 + 1/2 - 1 + log 2/4)."""
    divergence = general_gaussian_kl(tensor(1.0), tensor([4.0]), tensor(0.0), tensor([2.0]))
    assert divergence.item() == pytest.approx(0.5 * (2 + 0.5 - 1 + math.log(0.5)))


def test_general_gaussian_kl_equals_torch_for_a_batch():
    means, spreads = (numbers(2, 3, 4, seed=3), numbers(2, 3, 4, seed=4)), (covariance(4, 5, 2, 3), covariance(4, 6, 2, 3))
    p, q = (MultivariateNormal(mean, spread) for mean, spread in zip(means, spreads, strict=True))
    torch.testing.assert_close(general_gaussian_kl(means[0], spreads[0], means[1], spreads[1]), kl_divergence(p, q))


def test_general_gaussian_kl_equals_the_integral_over_the_plane():
    """The trapezoidal rule converges faster than any power for a function that vanishes at the edge."""
    means, spreads = (tensor(0.3, -0.2), tensor(-0.4, 0.5)), (covariance(2, 5), covariance(2, 6))
    p, q = (MultivariateNormal(mean, spread) for mean, spread in zip(means, spreads, strict=True))
    step = 0.05
    axis = torch.arange(-20, 20, step, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    integral = (p.log_prob(z).exp() * (p.log_prob(z) - q.log_prob(z))).sum() * step**2
    divergence = general_gaussian_kl(means[0], spreads[0], means[1], spreads[1])
    assert divergence.item() == pytest.approx(integral.item(), abs=1e-8)


def test_general_gaussian_kl_to_the_standard_normal_is_gaussian_kl():
    identity = torch.eye(7, dtype=torch.float64).expand(5, 7, 7)
    general = general_gaussian_kl(Z, torch.diag_embed(L.exp()), torch.zeros_like(Z), identity)
    torch.testing.assert_close(general, gaussian_kl(Z, L))


def test_general_gaussian_kl_is_0_only_for_equal_distributions_and_not_symmetric():
    mean, other, p, q = numbers(6, 3), numbers(6, 3, seed=1), covariance(3, 5, 6), covariance(3, 6, 6)
    torch.testing.assert_close(general_gaussian_kl(mean, p, mean, p), torch.zeros(6, dtype=torch.float64))
    forward, backward = general_gaussian_kl(mean, p, other, q), general_gaussian_kl(other, q, mean, p)
    assert (forward > 0).all() and (backward > 0).all()
    assert not torch.isclose(forward, backward).any()


def test_bhattacharyya_by_hand():
    """For N(0, 2) and N(2, 8), Σ = 5: 2² / (8 · 5) + ½ log(5 / sqrt(16))."""
    distance = bhattacharyya(tensor(0.0), tensor([2.0]), tensor(2.0), tensor([8.0]))
    assert distance.item() == pytest.approx(0.1 + 0.5 * math.log(5 / 4))


def test_bhattacharyya_equals_the_integral_over_the_plane():
    means, spreads = (tensor(0.3, -0.2), tensor(-0.9, 1.5)), (covariance(2, 5), covariance(2, 6))
    p, q = (MultivariateNormal(mean, spread) for mean, spread in zip(means, spreads, strict=True))
    step = 0.05
    axis = torch.arange(-20, 20, step, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    overlap = ((p.log_prob(z) + q.log_prob(z)) / 2).exp().sum() * step**2
    distance = bhattacharyya(means[0], spreads[0], means[1], spreads[1])
    assert distance.item() == pytest.approx(-math.log(overlap.item()), abs=1e-8)


def test_bhattacharyya_is_symmetric_and_0_only_for_equal_distributions():
    mean, other, p, q = numbers(6, 3), numbers(6, 3, seed=1), covariance(3, 5, 6), covariance(3, 6, 6)
    torch.testing.assert_close(bhattacharyya(mean, p, mean, p), torch.zeros(6, dtype=torch.float64))
    distance = bhattacharyya(mean, p, other, q)
    torch.testing.assert_close(bhattacharyya(other, q, mean, p), distance)
    for one in (distance, bhattacharyya(mean, p, other, p), bhattacharyya(mean, p, mean, q)):
        assert (one > 1e-3).all()


def test_bhattacharyya_is_at_most_half_of_each_divergence():
    """-log E_p sqrt(q/p) <= -½ E_p log(q/p) by Jensen's inequality. For equal covariances it is a quarter of the divergence."""
    mean, other, p, q = numbers(6, 3), numbers(6, 3, seed=1), covariance(3, 5, 6), covariance(3, 6, 6)
    distance = bhattacharyya(mean, p, other, q)
    assert (distance < general_gaussian_kl(mean, p, other, q) / 2).all()
    assert (distance < general_gaussian_kl(other, q, mean, p) / 2).all()
    torch.testing.assert_close(bhattacharyya(mean, p, other, p), general_gaussian_kl(mean, p, other, p) / 4)


ONE = torch.ones(1, dtype=torch.float64)


def log_normal(z, mean=0.0, variance=1.0):
    return -0.5 * (math.log(2 * math.pi * variance) + (z - mean) ** 2 / variance)


def test_importance_bound_by_hand_with_one_sample():
    """The bound for K = 1 is log p(x|z) + log p(z) - log q(z), with q = N(1, 2) and z = 0.5."""
    bound = importance_bound(tensor([1.25]), tensor([[0.5]]), tensor([1.0]), tensor([math.log(2.0)]), ONE)
    assert bound.item() == pytest.approx(-1.25 + log_normal(0.5) - log_normal(0.5, 1, 2))


@pytest.mark.parametrize("beta", [1.0, 0.5, 0.0])
def test_importance_bound_by_hand_with_two_samples(beta):
    """The bound for K = 2 is the log of the mean weight, not the mean of logs; β is the power of p(z) / q(z)."""
    z, nll = [0.5, -1.0], [1.25, 3.0]
    weights = [math.exp(-n + beta * (log_normal(v) - log_normal(v, 1, 2))) for v, n in zip(z, nll, strict=True)]
    samples = torch.tensor(z, dtype=torch.float64)[None, :, None]
    bound = importance_bound(tensor(nll), samples, tensor([1.0]), tensor([math.log(2.0)]), beta * ONE)
    assert bound.item() == pytest.approx(math.log(sum(weights) / 2))


def test_importance_bound_does_not_overflow():
    bound = importance_bound(tensor([5000.0, 5000.0]), numbers(1, 2, 1) * 0, tensor([0.0]), tensor([0.0]), ONE)
    assert bound.item() == pytest.approx(-5000)


class LinearGaussian:
    """z ~ N(0, I), x = W z + N(0, s² I): probabilistic PCA (Tipping & Bishop 1999), whose log p(x) and posterior are known."""

    def __init__(self, weight, variance=0.3):
        d, k = weight.shape
        self.weight, self.variance = weight, variance
        density = MultivariateNormal(torch.zeros(d, dtype=torch.float64), weight @ weight.T + variance * torch.eye(d))
        self.x = numbers(4, d, seed=9) @ density.scale_tril.T
        self.evidence = density.log_prob(self.x)
        self.spread = torch.linalg.inv(torch.eye(k) + weight.T @ weight / variance)  # covariance of p(z|x)
        self.centre = self.x @ weight @ self.spread / variance  # means of p(z|x)

    def nll(self, z):
        """-log p(x|z), (4, ...), for z (4, ..., k)."""
        x = self.x.reshape(4, *[1] * (z.ndim - 2), -1)
        return gaussian_nll(x, z @ self.weight.T, math.log(self.variance))

    def elbo(self, mean, log_variance):
        """Exact ELBO (4,): E_q of the squared error is the error of the mean plus the trace of W Σ Wᵀ."""
        blur = (self.weight.square() @ log_variance.exp().T).sum(0) / (2 * self.variance)
        return -self.nll(mean) - blur - gaussian_kl(mean, log_variance)

    def bound(self, mean, log_variance, draws, k):
        """Mean (4,) over `draws` of the bound with K = k."""
        mean, log_variance, beta = mean[:, None], log_variance[:, None], torch.ones(4, 1, dtype=torch.float64)
        z = mean[..., None, :] + (log_variance / 2).exp()[..., None, :] * numbers(4, draws, k, 2, seed=k)
        return importance_bound(self.nll(z), z, mean, log_variance, beta).mean(1)


@pytest.mark.parametrize("seed", range(3))
def test_evidence_minus_elbo_is_the_divergence_from_the_posterior(seed):
    """log p(x) = ELBO + KL(q(z) ‖ p(z|x)) exactly, for any q."""
    model = LinearGaussian(numbers(6, 2, seed=8))
    mean, log_variance = model.centre + numbers(4, 2, seed=seed), numbers(4, 2, seed=seed + 10)
    gap = general_gaussian_kl(mean, torch.diag_embed(log_variance.exp()), model.centre, model.spread.expand(4, 2, 2))
    torch.testing.assert_close(model.elbo(mean, log_variance) + gap, model.evidence)


def test_importance_bounds_increase_with_k_from_elbo_to_evidence():
    """The posterior q is too wide and biased; the standard errors are below 0.02 nat."""
    model = LinearGaussian(numbers(6, 2, seed=8))
    q = model.centre + 0.3, (3 * model.spread.diagonal()).log().expand(4, 2)
    elbo = model.elbo(*q)
    one, four, many = (model.bound(*q, 2**16 // k, k) for k in (1, 4, 64))
    torch.testing.assert_close(one, elbo, atol=0.05, rtol=0)
    assert (four > elbo + 1).all() and (many > four + 0.2).all() and (many < model.evidence + 0.02).all()
    torch.testing.assert_close(many, model.evidence, atol=0.05, rtol=0)


def test_importance_bound_is_the_evidence_for_all_samples_if_q_is_the_posterior():
    """Orthogonal columns make the posterior diagonal, as q is."""
    model = LinearGaussian(torch.linalg.qr(numbers(6, 2, seed=8)).Q * tensor(2.0, 0.5))
    posterior = model.centre, model.spread.diagonal().log().expand(4, 2)
    torch.testing.assert_close(model.bound(*posterior, 1, 3), model.evidence)
    torch.testing.assert_close(model.elbo(*posterior), model.evidence)


def test_activation_kl_by_hand():
    """The batch means are 0.3, which is the target, and 0.5, so that only the second unit has a penalty."""
    h = tensor([0.2, 0.1], [0.4, 0.9])
    assert activation_kl(h, 0.3).item() == pytest.approx(0.3 * math.log(0.3 / 0.5) + 0.7 * math.log(0.7 / 0.5))


def test_activation_kl_equals_torch_for_the_batch_mean():
    h = torch.sigmoid(Z)
    expected = kl_divergence(Bernoulli(torch.full_like(h.mean(0), 0.05)), Bernoulli(h.mean(0))).sum()
    torch.testing.assert_close(activation_kl(h, 0.05), expected)


def test_activations_are_averaged_over_the_batch_and_not_over_units():
    """A unit that is always active and one that is never active have the target as mean over units, but not over the batch."""
    constant = tensor([1.0, 0.0], [1.0, 0.0])
    alternating = tensor([1.0, 0.0], [0.0, 1.0])
    assert activation_kl(alternating, 0.5).item() == 0
    assert 10 < activation_kl(constant, 0.5).item() < math.inf


def test_activation_kl_is_0_only_at_the_target_and_its_gradient_leads_to_it():
    for mean in (0.01, 0.2, 0.21, 0.9):
        h = torch.full((8, 1), mean, dtype=torch.float64, requires_grad=True)
        penalty = activation_kl(h, 0.2)
        (gradient,) = torch.autograd.grad(penalty, h)
        assert penalty.item() == pytest.approx(0, abs=1e-12) if mean == 0.2 else penalty.item() > 0
        assert (gradient.sum().item() > 1e-3) == (mean > 0.2) and (gradient.sum().item() < -1e-3) == (mean < 0.2)


def test_reparameterisation_by_hand_and_its_moments():
    assert reparameterise(tensor([1.0]), tensor([4.0]).log(), tensor([3.0])).item() == pytest.approx(1 + 2 * 3)
    z = reparameterise(
        torch.tensor(1.0), torch.tensor(4.0).log(), torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    )
    assert z.mean().item() == pytest.approx(1, abs=0.03) and z.var().item() == pytest.approx(4, abs=0.06)


def test_the_density_of_a_reparameterised_sample_follows_from_the_change_of_variables():
    """p(z) = p(ε) |det ∂ε/∂z| with ∂ε/∂z = (∂z/∂ε)⁻¹ from autograd."""
    mean, log_variance, epsilon = numbers(5, 7), numbers(5, 7, seed=1), numbers(5, 7, seed=2)
    jacobians = torch.func.vmap(torch.func.jacrev(reparameterise, 2))(mean, log_variance, epsilon)
    log_prior = -gaussian_nll(epsilon, torch.zeros_like(epsilon), 0.0)
    log_density = log_prior + torch.linalg.slogdet(torch.linalg.inv(jacobians)).logabsdet
    torch.testing.assert_close(log_density, -gaussian_nll(reparameterise(mean, log_variance, epsilon), mean, log_variance))


def test_the_gradient_of_an_expectation_is_estimated_by_reparameterised_samples():
    """E (zᵀAz + bᵀz) = μᵀAμ + bᵀμ + sum_i A_ii σ_i² has gradients 2Aμ + b by μ and A_ii σ_i² by log σ_i²."""
    a, b, mean, log_variance, n = covariance(3, 4), numbers(3, seed=5), numbers(3, seed=6), numbers(3, seed=7), 100_000
    copies = [part.expand(n, 3).clone().requires_grad_() for part in (mean, log_variance)]
    z = reparameterise(*copies, numbers(n, 3, seed=8))
    gradients = torch.autograd.grad(((z @ a) * z).sum() + (z @ b).sum(), copies)
    for gradient, exact in zip(gradients, (2 * a @ mean + b, a.diagonal() * log_variance.exp()), strict=True):
        error = gradient.std(0) / n**0.5
        assert ((gradient.mean(0) - exact).abs() < 4 * error).all()
        assert (error < 0.05 * exact.norm()).all()


def test_l1_by_hand():
    assert l1(tensor([1.0, -2.0, 0.0], [0.0, 0.0, 0.0])).tolist() == [3, 0]
    (gradient,) = torch.autograd.grad(l1(Z).sum(), Z)
    torch.testing.assert_close(gradient, Z.detach().sign())


def test_layer_contraction_by_hand():
    """Slopes ½ and 2 and columns of squared length 5 and 1 give ¼ · 5 + 4 · 1."""
    assert layer_contraction(tensor([0.5, 2.0]), tensor([1.0, 0.0], [2.0, 1.0])).tolist() == [5.25]


def test_layer_contraction_equals_autograd():
    """The squared gradient of the sum over units is equal only for a code of one unit."""
    weight, bias = numbers(3, 7, seed=3), numbers(3, seed=4)
    h = torch.sigmoid(X @ weight.T + bias)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: torch.sigmoid(weight @ x + bias)))(X)
    torch.testing.assert_close(layer_contraction(h * (1 - h), weight.T), jacobian.square().sum((1, 2)))


def test_squared_norm_by_hand():
    assert squared_norm(tensor([[1.0, 2.0], [0.0, -3.0]], [[0.0, 0.0], [1.0, 0.0]])).tolist() == [14, 1]


def symmetrised(formula):
    """A formula of two Gaussians with symmetrised covariances, because finite differences change single entries."""
    return lambda mean_0, c_0, mean_1, c_1: formula(mean_0, (c_0 + c_0.mT) / 2, mean_1, (c_1 + c_1.mT) / 2)


TWO_GAUSSIANS = numbers(5, 2), covariance(2, 1, 5), numbers(5, 2, seed=1), covariance(2, 2, 5)
FORMULAS = {
    "squared_error": (squared_error, X, Z),
    "bernoulli_nll": (bernoulli_nll, X, Z),
    "gaussian_nll": (gaussian_nll, X, Z, L),
    "gaussian_kl": (gaussian_kl, Z, L),
    "general_gaussian_kl": (symmetrised(general_gaussian_kl), *TWO_GAUSSIANS),
    "bhattacharyya": (symmetrised(bhattacharyya), *TWO_GAUSSIANS),
    "l1": (l1, Z),
    "layer_contraction": (lambda slopes: layer_contraction(slopes, numbers(3, 7)), L),
    "squared_norm": (squared_norm, numbers(5, 3, 4)),
    "importance_bound": (importance_bound, numbers(5, 4), numbers(5, 4, 7), Z, L, torch.ones(5, dtype=torch.float64)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_reduce_only_the_last_axes(name):
    formula, *arguments = FORMULAS[name]
    together = formula(*arguments)
    assert together.shape == (5,)
    torch.testing.assert_close(together, torch.stack([formula(*(a[i] for a in arguments)) for i in range(5)]))
    torch.testing.assert_close(formula(*(a[None] for a in arguments)), together[None])


@pytest.mark.parametrize("name", [*FORMULAS, "activation_kl"])
def test_gradients_equal_finite_differences(name):
    formula, *arguments = FORMULAS.get(name, (lambda h: activation_kl(torch.sigmoid(h), 0.05), Z))
    assert torch.autograd.gradcheck(formula, [a.detach().clone().requires_grad_() for a in arguments])
