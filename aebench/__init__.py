"""aebench: a benchmark of the autoencoder family, from PCA to the variational autoencoder."""

__version__ = "0.1.0"
