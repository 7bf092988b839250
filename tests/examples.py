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
    "vanilla/deep_tied": {"hidden": [16, 8], "latent_dim": 4, "tied": True, "activation": "tanh", "start": "uniform"},
    "denoising": DEEP | {"corruption": 0.3},
    "denoising/subset_masking": DEEP | {"noise": "subset_masking", "corruption": 0.3},
    "denoising/dropout": DEEP | {"noise": "dropout", "corruption": 0.3},
    "denoising/gaussian": DEEP | {"noise": "gaussian", "corruption": 0.3, "loss": "bernoulli"},
    "denoising/salt_and_pepper": DEEP | {"noise": "salt_and_pepper", "corruption": 0.3, "tied": True},
    "denoising/schedule": DEEP | {"noise": "dropout", "corruption": 0.1, "initial_corruption": 0.7},
    "sparse": {"latent_dim": 16, "weight": 0.1, "tied": True},
    "sparse/l1_relu": {"latent_dim": 16, "weight": 0.1, "penalty": "l1", "code_activation": "relu"},
    "sparse/l1_softplus": {"hidden": [16], "latent_dim": 16, "weight": 0.1, "penalty": "l1", "code_activation": "softplus"},
    "contractive": {"latent_dim": 16, "weight": 0.1},
    "contractive/softplus": {"latent_dim": 16, "weight": 0.1, "code_activation": "softplus", "tied": False},
    "contractive/exact": DEEP | {"weight": 0.1, "jacobian": "exact", "activation": "tanh"},
    "contractive/exact_relu": DEEP | {"weight": 0.1, "jacobian": "exact", "code_activation": "linear"},
    "contractive/hutchinson": DEEP | {"weight": 0.1, "jacobian": "hutchinson", "probes": 3},
    "stacked": {
        "layers": [
            {"pretrainer": "dae", "latent_dim": 16, "code_activation": "sigmoid", "corruption": 0.3},
            {"pretrainer": "ae", "latent_dim": 4},
        ]
    },
    "stacked/three": {
        "layers": [
            {"pretrainer": "cae", "latent_dim": 16, "weight": 0.1, "loss": "bernoulli"},
            {"pretrainer": "sae", "latent_dim": 8, "weight": 0.1},
            {"pretrainer": "ae", "latent_dim": 4, "output": "linear", "tied": True},
        ]
    },
    "variational": DEEP,
    "variational/gaussian": DEEP | {"observation": "gaussian", "variance": 0.2, "beta": 2.0},
    "variational/learnt_variance": DEEP | {"observation": "gaussian", "variance": "learnt"},
    "variational/three_draws": DEEP | {"samples": 3, "activation": "softplus"},
    "variational/warm_up": DEEP | {"warm_up": 0.5},
    "variational/iwae": DEEP | {"bound": "iwae", "samples": 3},
    "variational/iwae_gaussian": DEEP | {"bound": "iwae", "samples": 3, "observation": "gaussian", "warm_up": 0.5},
}
