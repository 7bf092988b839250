"""aebench: a benchmark of the autoencoder family, from PCA to the variational autoencoder."""

from importlib.metadata import version

__version__ = version("aebench")
