"""The table of contents of the figures: one function and one line here, and a figure is on the page.

A figure draws a data set's `Results`, or nothing where there is nothing to show. Its line says what one sees (for those
who do not) and how to read it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aebench.reporting import canvas, downstream
from aebench.reporting.codes import codes, maps
from aebench.reporting.curves import curves
from aebench.reporting.decoded import interpolations, manifold, samples, traversals
from aebench.reporting.distortion import distortion
from aebench.reporting.filters import filters
from aebench.reporting.frontier import frontier
from aebench.reporting.images import card, reconstructions
from aebench.reporting.posteriors import aggregate, posteriors
from aebench.reporting.results import Results
from aebench.reporting.retrieval import retrieval
from aebench.reporting.robustness import robustness
from aebench.reporting.sparsity import sparsity
from aebench.reporting.spectra import spectra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """How a figure is drawn, whose of `SECTIONS` it is, the heading above it, the text in its place and the text below it."""

    draw: "Callable[[Results], Figure | None]"
    section: str
    title: str
    alt: str
    caption: str


FIGURES = {
    "reconstructions": Picture(
        reconstructions,
        "reconstruction",
        "Reconstructions",
        "A grid of images: test images in the first row, and in each row below their reconstructions by one model.",
        "The same test images through each model (first seed; clipped to [0, 1]). SSE: mean over all test images and seeds.",
    ),
    "filters": Picture(
        filters,
        "filters",
        "What the first units look for",
        "Grids of small grey images, one grid for each model: the weights of the first units of its encoder.",
        "Rows of the encoder's first matrix, at most 32 of the first seed: what a unit multiplies an image by. Grey is 0, "
        "white positive, black negative, each image in its own range, which leaves out the largest 5 % of its weights. "
        "Compare rows of one shape: what noise or a penalty adds to the same net. Of `random` they are as they start.",
    ),
    "distortion": Picture(
        distortion,
        "compression",
        "Rate and distortion",
        "Line plots of the squared error against bits per image, one for each model, PCA's line in each.",
        "Codes quantised to 1, 2, 3, 4, 6 and 8 bits a unit, entropy-coded, decoded (means over seeds). Lower is better at the "
        "same bits: a line below the dashed one compresses better than the PCA row of longest code.",
    ),
    "codes": Picture(
        codes,
        "embedding",
        "Codes of two numbers",
        "Scatter plots of the test images' codes, one for each model whose code has two numbers, coloured by class.",
        "Test images where their code lies (first seed). A number stands at the median of its class. Axes have no unit.",
    ),
    "maps": Picture(
        maps,
        "embedding",
        "t-SNE maps of the codes",
        "Scatter plots of the test images, one for each model: the t-SNE map of its codes, coloured by class.",
        "Test images where t-SNE puts their code (first seed; it sees no class). A number stands at the median of its class. "
        "Read who lies beside whom: sizes of clusters and distances between them mean little. How well a map keeps the "
        "neighbours is in the table of its question.",
    ),
    "robustness": Picture(
        robustness,
        "robustness",
        "Under degradation",
        "Two tables of coloured cells: a line a model, a column a sort and level of degradation, the number in the cell.",
        "The same degraded test images for every model (means over seeds). Above, the 5-NN accuracy among clean codes; below, "
        "how much of the damage the reconstruction undoes. Levels: a share of the pixels for masking and salt and pepper, a "
        "standard deviation for gaussian, a share of the image's side for the others.",
    ),
    "retrieval": Picture(
        retrieval,
        "retrieval",
        "The nearest codes",
        "Grids of images, one for each model: in each row a test image and the eight images of nearest code.",
        "Left, the first test image of each class; right of it the eight train or validation images of nearest code, nearest "
        "first (first seed). A hit of another class is framed and struck through. In brackets how many hits are of the class.",
    ),
    "sparsity": Picture(
        sparsity,
        "sparsity",
        "As sparse as asked",
        "Mean activation against the target of sparse rows, their sorted mean activations, and bars of exact zeros.",
        "Left, the mean activation of the rows that were given a target ρ; on the dashed line they are as active as asked: the "
        "smaller ρ, the sparser. Middle, their units one by one, the least active first; grey, other rows of as many units. "
        "Right, the exact zeros in the codes of trained rows of as many units: an L1 penalty with ReLU makes them, "
        "a target for sigmoid units does not.",
    ),
    "spectra": Picture(
        spectra,
        "contraction",
        "Along which directions a code moves",
        "Line plots on logarithmic axes of the encoder's singular values in their order, one for each model, on and off the "
        "data.",
        "Singular values of the encoder's Jacobian, the greatest first (means over images and seeds); grey, those of all "
        "other rows on the data. A steep line moves along few directions and ignores the rest, as contraction asks for; "
        "PCA's is flat. Lines end where the code has no more units, or leave the panel at 1/10,000 of the greatest value of "
        "all.",
    ),
    "samples": Picture(
        samples,
        "generation",
        "Samples",
        "A grid of images: in each row what one model decodes codes to that were drawn at random.",
        "Decoded draws of codes (first seed). prior: the distribution that the model was trained to decode. normals: the model "
        "has no prior and was lent one, independent normals with the mean and standard deviation of each unit over training "
        "and validation codes; what it makes of them shows what its training does not promise.",
    ),
    "interpolations": Picture(
        interpolations,
        "generation",
        "Between two images",
        "Grids of images, one for each model: each row goes from one image to another of a different class in ten steps.",
        "Codes in a straight line between those of two test images of different classes, decoded (first seed); the ends are "
        "the two reconstructions.",
    ),
    "traversals": Picture(
        traversals,
        "generation",
        "Along one unit of the code",
        "Grids of images, one for each model: in each row one unit of the code grows from left to right.",
        "From the mean code of train and validation (middle), a unit a line: those of largest standard deviation, largest "
        "first, moved from -2 to 2 of their deviations and decoded (first seed).",
    ),
    "manifold": Picture(
        manifold,
        "generation",
        "The plane of codes",
        "Grids of images, one for each model whose code has two numbers: what its decoder makes of each place of the plane.",
        "Decoded codes of a 15 × 15 grid at equally spaced quantiles, 0.03 to 0.97, of each number: of the prior where the "
        "model has one, otherwise of training and validation codes (first seed). First number to the right, second upwards, as "
        "in the scatter of codes.",
    ),
    "posteriors": Picture(
        posteriors,
        "density",
        "Codes as distributions, codes as points",
        "Ellipses and points in planes of codes of two numbers, coloured by class.",
        "Where a code is a distribution, q(z|x) of 200 test images as ellipses of one standard deviation (first seed); where"
        " it is a point, as many points. Where ellipses overlap, the decoder has seen what lies between two images; the "
        "smaller they are, the more a code says of its image.",
    ),
    "aggregate": Picture(
        aggregate,
        "density",
        "All posteriors together",
        "Curves of the density of each unit's aggregate posterior, one panel for each model with a posterior, and the prior's.",
        "The mean of q(z|x) over the first 500 test images, a line a unit, at most 30 (first seed), and the prior that it "
        "should be like. A unit whose mean hardly differs between images (variance at most 0.01) has collapsed: its q(z|x) "
        "is the prior whatever the image, so its line lies on the prior's and says nothing.",
    ),
    "labels": Picture(
        downstream.labels,
        "downstream",
        "Few labels and many",
        "Line plots of test accuracy against the number of labelled training images, one for each model, with the controls.",
        "Multinomial logistic regression on frozen codes: mean and 95 % interval over seeds, which also draw the labels. Each "
        "panel has the controls beside its row: raw pixels (no representation) and a random encoder (no learning).",
    ),
    "confusions": Picture(
        downstream.confusions,
        "downstream",
        "Which class is taken for which",
        "Confusion matrices: the share of each class's test images that was given each answer, for the best row and controls.",
        "Answers of the same classifiers with all labels, in % of the images of a class, over all seeds; errors of less than "
        "0.05 % are left blank. The row of highest test accuracy, chosen for show, and the controls.",
    ),
    "curves": Picture(
        curves,
        "learning",
        "Learning curves",
        "Line plots of training and validation loss against epoch, one for each model that trains by epochs.",
        "Median (line) and range (band) over seeds, while at least half of them train. A loss is the sum of its model's terms: "
        "compare shapes, not heights, between panels. The training loss is a running mean over the epoch, before "
        "validation is measured at its end.",
    ),
    "frontier": Picture(
        frontier,
        "cost",
        "Error against training time",
        "Scatter plots with names: each model's error against the seconds of its training, on logarithmic axes.",
        "Left and low is better. Filled: of the rows that learn, no other is at least as fast and as good (the line joins "
        "them). Squares are controls, which the line leaves out; what has no error is not drawn. Seconds are of one machine,"
        " all seeds at once.",
    ),
    "card": Picture(
        card,
        "data",
        "Images",
        "The mean training image, the mean image of each class, and bars of the number of images of each class and split.",
        "Mean of all training images and of each class; below, the images of each class in train, validation and test.",
    ),
}


def write(results: Results) -> None:
    """figures/<figure>.png and pdf/<figure>.pdf in reports/<dataset>/ of every figure that there is something to show in."""
    for name, picture in FIGURES.items():
        with canvas.style():
            description = f"{results.about.title}: {name}, {results.origin}"
            files = (results.figures / f"{name}.png", results.prints / f"{name}.pdf")
            canvas.publish(picture.draw(results), files, description)
