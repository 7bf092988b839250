"""The terms of the built-in chapters, calculated a second time and another way: by NumPy and SciPy, from weights by name.

An oracle gets the chapter's checked parameters, every weight and buffer by name, images x (n, d) and the noise that was drawn,
all float64, and gives each term by its name. Nothing here is shared with `aebench.objectives` or the chapters: densities are
SciPy's, divergences are differences of entropies, norms are `numpy.linalg.norm`, and a Jacobian is taken by the complex
step J_j = Im f(x + i h e_j) / h, exact to rounding for h = 1e-30 (Squire & Trapp 1998). Another package adds oracles by the
entry point group `aebench.oracles`, or gives its model a static method `oracle`.
"""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import log_expit, logsumexp, rel_entr
from scipy.stats import multivariate_normal, norm

from aebench.models.stacked import chapter
from aebench.registry import Registry

Weights = dict[str, np.ndarray]
Noise = tuple[np.ndarray, ...]
Terms = dict[str, float]
STEP = 1e-30
FUNCTIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.where(np.real(z) > 0, z, 0),
    "sigmoid": lambda z: 0.5 + 0.5 * np.tanh(z / 2),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
}
"""Activations, of real and complex numbers."""

ORACLES = Registry(
    "aebench.oracles",
    {
        "mean_image": "aebench.certification.oracles:mean_image",
        "raw_pixels": "aebench.certification.oracles:raw_pixels",
        "random_encoder": "aebench.certification.oracles:random_encoder",
        "pca": "aebench.certification.oracles:pca",
        "vanilla": "aebench.certification.oracles:vanilla",
        "denoising": "aebench.certification.oracles:denoising",
        "sparse": "aebench.certification.oracles:sparse",
        "contractive": "aebench.certification.oracles:contractive",
        "stacked": "aebench.certification.oracles:stacked",
        "variational": "aebench.certification.oracles:variational",
    },
)


def mean_image(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Squared distances from the mean image."""
    return {"reconstruction": cdist(x, weights["mean"][None], "sqeuclidean").mean()}


def raw_pixels(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """The identity loses nothing."""
    return {"reconstruction": 0.0}


def random_encoder(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """The readout of [h, 1]."""
    h = np.c_[_net(weights, "encoder", x, params.activation), np.ones(len(x))]
    return {"reconstruction": _squared_error(x, h @ weights["readout"])}


def pca(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """The sum of what each component says of an image."""
    projections = sum(np.outer((x - weights["mean"]) @ c, c) for c in weights["components"])
    return {"reconstruction": _squared_error(x, weights["mean"] + projections)}


def vanilla(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """The error of x from the code of x."""
    return {"reconstruction": _reconstruction(params, weights, x, _encode(params, weights, x))}


def denoising(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """The error of x from the code of x̃, each corruption applied as it is told in words."""
    keep, add = noise
    corrupted = {
        "masking": lambda: np.where(keep == 1, x, 0),
        "subset_masking": lambda: np.where(keep == 1, x, 0),
        "dropout": lambda: np.where(keep > 0, x * keep.max(), 0),
        "gaussian": lambda: x + add,
        "salt_and_pepper": lambda: np.where(keep == 1, x, np.where(add == 1, 1, 0)),
    }[params.noise]()
    return {"reconstruction": _reconstruction(params, weights, x, _encode(params, weights, corrupted))}


def sparse(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Relative entropies of Bernoulli(ρ) to Bernoulli(ρ̂_j), or the 1-norms of the codes."""
    h = _encode(params, weights, x)
    if params.penalty == "kl":
        mean = np.clip(h.mean(0), 1e-6, 1 - 1e-6)
        penalty = np.sum(rel_entr(params.target, mean) + rel_entr(1 - params.target, 1 - mean))
    else:
        penalty = np.linalg.norm(h, 1, axis=1).mean()
    return {"reconstruction": _reconstruction(params, weights, x, h), "sparsity": params.weight * penalty}


def contractive(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Norms of Jacobians by the complex step, or of the probes of them that were drawn."""
    jacobians = _jacobians(params, weights, x)
    if params.jacobian == "hutchinson":
        jacobians = [probes @ jacobian / np.sqrt(len(probes)) for probes, jacobian in zip(noise[0], jacobians, strict=True)]
    contraction = np.mean([np.linalg.norm(jacobian) ** 2 for jacobian in jacobians])
    h = _encode(params, weights, x)
    return {"reconstruction": _reconstruction(params, weights, x, h), "contraction": params.weight * contraction}


def stacked(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Up through the layers, down again, and the first layer's error."""
    layers = [(chapter(block)[1], _part(weights, f"layers.{i}.")) for i, block in enumerate(params.layers)]
    h = x
    for its, its_weights in layers:
        h = _encode(its, its_weights, h)
    for its, its_weights in reversed(layers[1:]):
        h = _output(its, _logits(its, its_weights, h))
    return {"reconstruction": _reconstruction(*layers[0], x, h)}


def variational(params, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Log densities by SciPy; the KL as -H(q) - E_q log p(z)."""
    epsilon, beta = noise
    mean, log_variance = np.split(_net(weights, "encoder", x, params.activation), 2, axis=1)
    deviation = np.sqrt(np.exp(log_variance))
    z = np.stack([mean + deviation * epsilon[:, k] for k in range(params.samples)], 1)
    log_likelihood = _log_likelihood(params, weights, x[:, None], _net(weights, "decoder", z, params.activation))
    if params.bound == "iwae":
        prior, posterior = norm.logpdf(z), norm.logpdf(z, mean[:, None], deviation[:, None])
        log_weights = log_likelihood + beta[:, None] * (prior - posterior).sum(2)
        return {"bound": -logsumexp(log_weights, axis=1, b=1 / params.samples).mean()}
    divergences = [b * _kl(m, np.diag(s**2)) for b, m, s in zip(beta, mean, deviation, strict=True)]
    return {"reconstruction": -log_likelihood.mean(), "divergence": np.mean(divergences)}


def _log_likelihood(params, weights: Weights, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """log p(x|z), (n, 1, d) and (n, K, d) -> (n, K)."""
    if params.observation == "bernoulli":
        return (x * log_expit(logits) + (1 - x) * log_expit(-logits)).sum(2)
    variance = np.exp(weights["log_variance"]) if params.variance == "learnt" else params.variance
    return norm.logpdf(x, FUNCTIONS["sigmoid"](logits), np.sqrt(variance)).sum(2)


def _kl(mean: np.ndarray, covariance: np.ndarray) -> float:
    """D[N(mean, covariance) ‖ N(0, I)]: the cross-entropy less the entropy."""
    expected_log_prior = multivariate_normal(np.zeros_like(mean)).logpdf(mean) - np.trace(covariance) / 2
    return -expected_log_prior - multivariate_normal(mean, covariance).entropy()


def _net(weights: Weights, part: str, x: np.ndarray, activation: str) -> np.ndarray:
    """The layers of `part`, (..., d) -> (..., k) pre-activations of the last."""
    last = sum(name.startswith(f"{part}.layers.") for name in weights) // 2 - 1
    for i in range(last + 1):
        x = np.inner(x, weights[f"{part}.layers.{i}.weight"]) + weights[f"{part}.layers.{i}.bias"]
        x = x if i == last else FUNCTIONS[activation](x)
    return x


def _encode(params, weights: Weights, x: np.ndarray) -> np.ndarray:
    return FUNCTIONS[params.code_activation](_net(weights, "encoder", x, params.activation))


def _logits(params, weights: Weights, h: np.ndarray) -> np.ndarray:
    if not params.tied:
        return _net(weights, "decoder", h, params.activation)
    for i, j in enumerate(reversed(range(len(params.hidden) + 1))):
        h = np.einsum("nk,kd->nd", h, weights[f"encoder.layers.{j}.weight"]) + weights[f"decoder.biases.{i}"]
        h = FUNCTIONS[params.activation](h) if j else h
    return h


def _output(params, logits: np.ndarray) -> np.ndarray:
    return FUNCTIONS["sigmoid" if params.loss == "bernoulli" else params.output](logits)


def _reconstruction(params, weights: Weights, x: np.ndarray, h: np.ndarray) -> float:
    logits = _logits(params, weights, h)
    if params.loss == "bernoulli":
        return -np.mean([np.dot(a, log_expit(b)) + np.dot(1 - a, log_expit(-b)) for a, b in zip(x, logits, strict=True)])
    return _squared_error(x, _output(params, logits))


def _squared_error(x: np.ndarray, x_hat: np.ndarray) -> float:
    return float(np.mean([np.linalg.norm(a - b) ** 2 for a, b in zip(x, x_hat, strict=True)]))


def _jacobians(params, weights: Weights, x: np.ndarray) -> np.ndarray:
    """dh/dx of each image, (n, k, d)."""
    columns = [_encode(params, weights, x + 1j * STEP * e).imag / STEP for e in np.eye(x.shape[1])]
    return np.stack(columns, axis=2)


def _part(weights: Weights, path: str) -> Weights:
    return {name.removeprefix(path): value for name, value in weights.items() if name.startswith(path)}
