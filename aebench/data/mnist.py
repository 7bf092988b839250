"""MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28 pixels.

The official training images are split into training and validation images; the official test images are the test set.
"""

from aebench.data.download import Download, Published
from aebench.storage import About


class Mnist(Published):
    """The data source MNIST, with files on three mirrors."""

    FILES = Download(
        about=About(
            title="MNIST",
            shape=(28, 28),
            classes=tuple("0123456789"),
            source="LeCun, Cortes & Burges (1998), The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist",
            licence="CC BY-SA 3.0",
        ),
        folders=("mnist", "MNIST/raw"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://raw.githubusercontent.com/fgnt/mnist/master",
        ),
        sha256={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    )
