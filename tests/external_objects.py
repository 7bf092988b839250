"""Objects that were trained elsewhere: the functions that `load` of an external model names in test_external.py."""

import numpy as np
import torch
from sklearn.decomposition import NMF, PCA
from torch import nn

import aebench
from aebench.storage import load_split


def images():
    """Training and validation images of the project in the working directory."""
    return np.concatenate([load_split("smoke", split).images for split in ("train", "validation")])


def pca():
    return PCA(8, svd_solver="covariance_eigh").fit(images().astype(float))


def nmf():
    """A model that was fitted to float64 rejects float32."""
    return NMF(4, init="nndsvda", max_iter=50, tol=0.01).fit(images().astype(float))


class Linear(nn.Module):
    """PCA as a torch module."""

    def __init__(self):
        super().__init__()
        fitted = pca()
        self.mean = nn.Parameter(torch.from_numpy(fitted.mean_).float())
        self.axes = nn.Parameter(torch.from_numpy(fitted.components_).float())

    def encode(self, x):
        return (x - self.mean) @ self.axes.T

    def decode(self, h):
        return (h @ self.axes + self.mean).reshape(-1, 1, 8, 8)


class Selected:
    """A transformer without an inverse."""

    def transform(self, x):
        return x[:, ::4]


def module():
    return Linear()


def selected():
    return Selected()


def own():
    return aebench.load("smoke/vae")


class Logarithm:
    """An encoder that is finite on noise, but not on black pixels."""

    def transform(self, x):
        with np.errstate(divide="ignore"):
            return np.log(x)[:, :4]


def logarithm():
    return Logarithm()
