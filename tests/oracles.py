"""Oracles of the built-in models: independent calculations of their terms with NumPy and SciPy.

An oracle takes the model's settings, its weights and buffers by name, images x (n, d) and the noise; arrays are float64.
It returns each term by name and shares no code with `aebench.objectives` or `aebench.models`: densities are SciPy's,
divergences are differences of entropies, norms are `numpy.linalg.norm`, and Jacobians use the complex step
J_j = Im f(x + i h e_j) / h, exact to rounding for h = 1e-30 (Squire & Trapp 1998).
"""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import erf, log_expit, logsumexp, rel_entr
from scipy.stats import multivariate_normal, norm

from aebench.models.stacked import layer_model

Weights = dict[str, np.ndarray]
Noise = tuple[np.ndarray, ...]
Terms = dict[str, float]
STEP = 1e-30
FUNCTIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.where(np.real(z) > 0, z, 0),
    "silu": lambda z: z * (0.5 + 0.5 * np.tanh(z / 2)),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "sigmoid": lambda z: 0.5 + 0.5 * np.tanh(z / 2),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
}
"""Activations of real and complex numbers."""


def mean_image(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Squared distance from the mean image."""
    return {"reconstruction": cdist(x, weights["mean"][None], "sqeuclidean").mean()}


def raw_pixels(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """The error of the identity, 0."""
    return {"reconstruction": 0.0}


def random_encoder(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Squared error of the linear readout from [h, 1]."""
    h = np.c_[_net(weights, "encoder", x, settings.activation), np.ones(len(x))]
    return {"reconstruction": _squared_error(x, h @ weights["readout"])}


def pca(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Squared error of the sum of the projections onto the components."""
    projections = sum(np.outer((x - weights["mean"]) @ c, c) for c in weights["components"].T)
    return {"reconstruction": _squared_error(x, weights["mean"] + projections)}


def vanilla(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Reconstruction error of x from the code of x."""
    return {"reconstruction": _reconstruction(settings, weights, x, _encode(settings, weights, x))}


def denoising(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Reconstruction error of x from the code of x̃, with each corruption written out."""
    keep, add = noise if len(noise) == 2 else (*noise, None)
    corrupted = {
        "masking": lambda: np.where(keep == 1, x, 0),
        "subset_masking": lambda: np.where(keep == 1, x, 0),
        "dropout": lambda: np.where(keep > 0, x * keep.max(), 0),
        "gaussian": lambda: x + add,
        "salt_and_pepper": lambda: np.where(keep == 1, x, np.where(add == 1, 1, 0)),
    }[settings.corruption]()
    return {"reconstruction": _reconstruction(settings, weights, x, _encode(settings, weights, corrupted))}


def sparse(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Relative entropies of Bernoulli(ρ) to Bernoulli(ρ̂_j), or the 1-norms of the codes."""
    h = _encode(settings, weights, x)
    if settings.penalty == "kl":
        mean = np.clip(h.mean(0), 1e-6, 1 - 1e-6)
        penalty = np.sum(rel_entr(settings.target, mean) + rel_entr(1 - settings.target, 1 - mean))
    else:
        penalty = np.linalg.norm(h, 1, axis=1).mean()
    return {"reconstruction": _reconstruction(settings, weights, x, h), "sparsity": settings.weight * penalty}


def contractive(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Norms of Jacobians by the complex step, or of their products with the probes."""
    jacobians = _jacobians(settings, weights, x)
    if settings.jacobian == "hutchinson":
        jacobians = [probes @ jacobian / np.sqrt(len(probes)) for probes, jacobian in zip(noise[0], jacobians, strict=True)]
    contraction = np.mean([np.linalg.norm(jacobian) ** 2 for jacobian in jacobians])
    h = _encode(settings, weights, x)
    return {"reconstruction": _reconstruction(settings, weights, x, h), "contraction": settings.weight * contraction}


def stacked(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Reconstruction error, by the loss of the first layer, after encoding and decoding by all layers."""
    layers = [(layer_model(block)[1], _part(weights, f"layers.{i}.")) for i, block in enumerate(settings.layers)]
    h = x
    for layer, layer_weights in layers:
        h = _encode(layer, layer_weights, h)
    for layer, layer_weights in reversed(layers[1:]):
        h = _output(layer, _logits(layer, layer_weights, h))
    return {"reconstruction": _reconstruction(*layers[0], x, h)}


def variational(settings, weights: Weights, x: np.ndarray, noise: Noise) -> Terms:
    """Log densities by SciPy; the KL as -H(q) - E_q log p(z)."""
    epsilon, beta = noise
    mean, log_variance = np.split(_net(weights, "encoder", x, settings.activation), 2, axis=1)
    sd = np.sqrt(np.exp(log_variance))
    z = np.stack([mean + sd * epsilon[:, k] for k in range(settings.samples)], 1)
    log_likelihood = _log_likelihood(settings, weights, x[:, None], _net(weights, "decoder", z, settings.activation))
    if settings.bound == "iwae":
        prior, posterior = norm.logpdf(z), norm.logpdf(z, mean[:, None], sd[:, None])
        log_weights = log_likelihood + beta[:, None] * (prior - posterior).sum(2)
        return {"bound": -logsumexp(log_weights, axis=1, b=1 / settings.samples).mean()}
    divergences = [b * _kl(m, np.diag(s**2)) for b, m, s in zip(beta, mean, sd, strict=True)]
    return {"reconstruction": -log_likelihood.mean(), "divergence": np.mean(divergences)}


def _log_likelihood(settings, weights: Weights, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """log p(x|z), (n, 1, d) and (n, K, d) -> (n, K)."""
    if settings.observation == "bernoulli":
        return (x * log_expit(logits) + (1 - x) * log_expit(-logits)).sum(2)
    variance = np.exp(weights["log_variance"]) if settings.variance == "learnt" else settings.variance
    return norm.logpdf(x, FUNCTIONS["sigmoid"](logits), np.sqrt(variance)).sum(2)


def _kl(mean: np.ndarray, covariance: np.ndarray) -> float:
    """D[N(mean, covariance) ‖ N(0, I)]: the cross-entropy less the entropy."""
    expected_log_prior = multivariate_normal(np.zeros_like(mean)).logpdf(mean) - np.trace(covariance) / 2
    return -expected_log_prior - multivariate_normal(mean, covariance).entropy()


def _net(weights: Weights, part: str, x: np.ndarray, activation: str) -> np.ndarray:
    """Pre-activations (..., k) of the last layer of `part`, for inputs (..., d)."""
    last = sum(name.startswith(f"{part}.layers.") for name in weights) // 2 - 1
    for i in range(last + 1):
        x = np.inner(x, weights[f"{part}.layers.{i}.weight"].T) + weights[f"{part}.layers.{i}.bias"]
        x = x if i == last else FUNCTIONS[activation](x)
    return x


def _encode(settings, weights: Weights, x: np.ndarray) -> np.ndarray:
    return FUNCTIONS[settings.code_activation](_net(weights, "encoder", x, settings.activation))


def _logits(settings, weights: Weights, h: np.ndarray) -> np.ndarray:
    if not settings.tied:
        return _net(weights, "decoder", h, settings.activation)
    for i, j in enumerate(reversed(range(len(settings.hidden) + 1))):
        h = np.einsum("nk,dk->nd", h, weights[f"encoder.layers.{j}.weight"]) + weights[f"decoder.biases.{i}"]
        h = FUNCTIONS[settings.activation](h) if j else h
    return h


def _output(settings, logits: np.ndarray) -> np.ndarray:
    return FUNCTIONS["sigmoid" if settings.loss == "bernoulli" else settings.output](logits)


def _reconstruction(settings, weights: Weights, x: np.ndarray, h: np.ndarray) -> float:
    logits = _logits(settings, weights, h)
    if settings.loss == "bernoulli":
        return -np.mean([np.dot(a, log_expit(b)) + np.dot(1 - a, log_expit(-b)) for a, b in zip(x, logits, strict=True)])
    return _squared_error(x, _output(settings, logits))


def _squared_error(x: np.ndarray, x_hat: np.ndarray) -> float:
    return float(np.mean([np.linalg.norm(a - b) ** 2 for a, b in zip(x, x_hat, strict=True)]))


def _jacobians(settings, weights: Weights, x: np.ndarray) -> np.ndarray:
    """Jacobian dh/dx of each image, (n, k, d)."""
    columns = [_encode(settings, weights, x + 1j * STEP * e).imag / STEP for e in np.eye(x.shape[1])]
    return np.stack(columns, axis=2)


def _part(weights: Weights, path: str) -> Weights:
    return {name.removeprefix(path): value for name, value in weights.items() if name.startswith(path)}


ORACLES = {
    "mean_image": mean_image,
    "raw_pixels": raw_pixels,
    "random_encoder": random_encoder,
    "pca": pca,
    "vanilla": vanilla,
    "denoising": denoising,
    "sparse": sparse,
    "contractive": contractive,
    "stacked": stacked,
    "variational": variational,
}
