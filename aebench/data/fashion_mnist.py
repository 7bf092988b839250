"""Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28 x 28 pixels, in the same format and sizes as MNIST.

The official training images are split into training and validation images; the official test images are the test set.
"""

from aebench.data.download import Download, Published
from aebench.storage import About


class FashionMnist(Published):
    """The data source Fashion-MNIST, with files on three mirrors."""

    FILES = Download(
        about=About(
            title="Fashion-MNIST",
            shape=(28, 28),
            classes=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            source="Xiao, Rasul & Vollgraf (2017), arXiv:1708.07747, https://github.com/zalandoresearch/fashion-mnist",
            licence="MIT",
        ),
        folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ),
        sha256={
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    )
