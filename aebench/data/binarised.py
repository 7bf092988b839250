"""Binary images: a pixel is 1 with a probability equal to its grey value, else 0 (Salakhutdinov & Murray 2008).

    static    every image is drawn once
    dynamic   a training image is drawn again whenever gradient descent uses it; all others are drawn once (Burda et al. 2016)

A likelihood of MNIST in nats that can be compared with published ones is that of binary images: of grey pixels, the Bernoulli
likelihood is a cross-entropy. With `static` a large model learns which pixels were drawn; with `dynamic` it cannot. Only
training without labels draws anew. The layers of a stack above the first are pretrained on codes of the images drawn once, and
everything else, such as classifiers, neighbours and PCA, uses the images drawn once. They are drawn from the stream
`binarisation` of `split_seed`, whose step is the position of the split in `SPLITS`. The usual fixed binarisation of MNIST
(Larochelle & Murray 2011) is a different draw, so likelihoods of `static` differ slightly from those published for it.
"""

from typing import Literal

import numpy as np

from aebench.randomness import Streams
from aebench.storage import SPLITS, Split

Binarised = Literal["static", "dynamic"]
NOTES = {
    "static": "images are binary: each pixel is 1 with its grey value as the probability, drawn once",
    "dynamic": "images are binary: each pixel is 1 with its grey value as the probability, in training drawn in every epoch",
}
"""Remarks of the data card."""


def binarise(splits: dict[str, Split], how: Binarised, seed: int) -> dict[str, Split]:
    """Return the splits with binary images; with `dynamic`, those for training also keep their probabilities."""
    drawn = {}
    for step, name in enumerate(SPLITS):
        images = splits[name].images
        uniform = Streams(seed).numpy("binarisation", step).random(images.shape, np.float32)
        kept = images if how == "dynamic" and name == "train" else None
        drawn[name] = Split((uniform < images).astype(np.float32), splits[name].labels, kept)
    return drawn
