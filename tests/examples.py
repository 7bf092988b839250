"""Small settings for every branch of every built-in model, by kind or kind/variant."""

from typing import Any

DEEP = {"hidden": [16], "latent_dim": 4}
EXAMPLES: dict[str, dict[str, Any]] = {
    "mean_image": {},
    "raw_pixels": {},
    "random_encoder": DEEP,
    "pca": {"latent_dim": 4},
    "vanilla": DEEP,
    "vanilla/bernoulli": DEEP | {"loss": "bernoulli"},
    "vanilla/linear": {"latent_dim": 4, "output": "linear"},
    "vanilla/deep_tied": {"hidden": [16, 8], "latent_dim": 4, "tied": True, "activation": "tanh", "initialisation": "uniform"},
    "vanilla/gelu": DEEP | {"activation": "gelu"},
    "denoising": DEEP | {"level": 0.3},
    "denoising/subset_masking": DEEP | {"corruption": "subset_masking", "level": 0.3},
    "denoising/dropout": DEEP | {"corruption": "dropout", "level": 0.3},
    "denoising/gaussian": DEEP | {"corruption": "gaussian", "level": 0.3, "loss": "bernoulli"},
    "denoising/salt_and_pepper": DEEP | {"corruption": "salt_and_pepper", "level": 0.3, "tied": True},
    "denoising/schedule": DEEP | {"corruption": "dropout", "level": 0.1, "initial_level": 0.7},
    "sparse": {"latent_dim": 16, "weight": 0.1, "tied": True},
    "sparse/l1_relu": {"latent_dim": 16, "weight": 0.1, "penalty": "l1", "code_activation": "relu"},
    "sparse/l1_softplus": {"hidden": [16], "latent_dim": 16, "weight": 0.1, "penalty": "l1", "code_activation": "softplus"},
    "contractive": {"latent_dim": 16, "weight": 0.1},
    "contractive/softplus": {"latent_dim": 16, "weight": 0.1, "code_activation": "softplus", "tied": False},
    "contractive/silu": {"latent_dim": 16, "weight": 0.1, "code_activation": "silu"},
    "contractive/exact": DEEP | {"weight": 0.1, "jacobian": "exact", "activation": "tanh"},
    "contractive/exact_relu": DEEP | {"weight": 0.1, "jacobian": "exact", "code_activation": "linear"},
    "contractive/hutchinson": DEEP | {"weight": 0.1, "jacobian": "hutchinson", "probes": 3},
    "stacked": {
        "layers": [
            {"kind": "denoising", "latent_dim": 16, "code_activation": "sigmoid", "level": 0.3},
            {"kind": "vanilla", "latent_dim": 4},
        ]
    },
    "stacked/three": {
        "layers": [
            {"kind": "contractive", "latent_dim": 16, "weight": 0.1, "loss": "bernoulli"},
            {"kind": "sparse", "latent_dim": 8, "weight": 0.1},
            {"kind": "vanilla", "latent_dim": 4, "output": "linear", "tied": True},
        ]
    },
    "variational": DEEP,
    "variational/gaussian": DEEP | {"observation": "gaussian", "variance": 0.2, "beta": 2.0},
    "variational/learnt_variance": DEEP | {"observation": "gaussian", "variance": "learnt"},
    "variational/three_draws": DEEP | {"samples": 3, "activation": "softplus"},
    "variational/warm_up": DEEP | {"warm_up": 0.5},
    "variational/silu": DEEP | {"activation": "silu"},
    "variational/iwae": DEEP | {"bound": "iwae", "samples": 3},
    "variational/iwae_gaussian": DEEP | {"bound": "iwae", "samples": 3, "observation": "gaussian", "warm_up": 0.5},
}
