"""What the figures share: size, type, colours that the colour-blind can tell apart, and files that are equal byte for byte.

The object-oriented side of matplotlib alone: no pyplot, no state between figures.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aebench.runs import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 8.0
"""Inches; with `DPI` 1000 pixels, the width of the page."""
DPI = 125
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"
"""Of Okabe and Ito's palette, and apart in lightness."""
TILE, LETTER = 0.5, 0.08
"""Inches: the greatest height of an image in a strip, and the mean width of a letter of its name."""
SHADES = {"cmap": "gray", "vmin": 0, "vmax": 1}
"""How images are shown: 0 black, 1 white."""
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "pdf.compression": 9,
}


def style() -> AbstractContextManager:
    """The type and lines of every figure, whatever the user's matplotlibrc says; a $ in a name is a $."""
    from matplotlib import rc_context, rcParamsDefault

    return rc_context({**rcParamsDefault, **STYLE, "backend": "agg"})


def figure(height: float, width: float = WIDTH) -> "Figure":
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def panels(count: int, across: int, height: float, margin: float = 0.0, **sharing: bool) -> "tuple[Figure, list[Axes]]":
    """A figure of `count` axes of one `height`, at most `across` in a row, and a `margin` for a legend beside them."""
    rows, columns = -(-count // across), min(count, across)
    width = (WIDTH - margin) / across * columns + margin
    drawing = figure(height * rows + 0.5, max(width, WIDTH / 2))
    grid = drawing.subplots(rows, columns, squeeze=False, **sharing).ravel()
    for axes in grid[count:]:
        axes.remove()
    return drawing, list(grid[:count])


def colours(count: int) -> list:
    """One colour a class: Petroff's ten where they suffice, otherwise steps of viridis."""
    import matplotlib

    petroff = matplotlib.color_sequences["petroff10"]
    return list(petroff[:count]) if count <= len(petroff) else list(matplotlib.colormaps["viridis"](np.linspace(0, 1, count)))


def classes(names: Sequence[str]) -> list[str]:
    """The classes in a legend: the number that stands for each in the figures, and its name if that is another."""
    return [name if name == str(i) else f"{i} {name}" for i, name in enumerate(names)]


def gap(shape: tuple[int, ...]) -> int:
    """Pixels between the images of a mosaic."""
    return max(1, shape[0] // 14)


def mosaic(rows: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Rows of flat images (m, pixels) as one image, white between them, pixels clipped to [0, 1]."""
    space = gap(shape)
    margin = [(0, 0), (0, space), (0, space), *((0, 0) for _ in shape[2:])]
    tiles = [np.pad(row.reshape(len(row), *shape).clip(0, 1), margin, constant_values=1) for row in rows]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in tiles])[:-space, :-space]


def strips(rows: Sequence[np.ndarray], names: Sequence[str], shape: tuple[int, ...]) -> "Figure":
    """A row of images under another, each (m, pixels), with its name at its left."""
    tiles = mosaic(rows, shape)
    room = 0.2 + LETTER * max(len(line) for name in names for line in name.splitlines())
    scale = min(TILE / shape[0], (WIDTH - room) / tiles.shape[1])
    drawing = figure(scale * tiles.shape[0] + 0.1, scale * tiles.shape[1] + room)
    axes = drawing.subplots()
    show(axes, tiles, scale * tiles.shape[1])
    step = len(tiles) / len(names)
    axes.set_yticks([(i + 0.5) * step for i in range(len(names))], names)
    return drawing


def show(axes: "Axes", tiles: np.ndarray, width: float) -> None:
    """A mosaic without frame or ticks, `width` inches wide: pixels as squares if they are magnified, otherwise smoothed."""
    axes.imshow(tiles, **SHADES, interpolation="nearest" if width * DPI >= 2 * tiles.shape[1] else "auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set(xticks=[], yticks=[], anchor="NW")


def publish(drawing: "Figure | None", paths: Sequence[Path], description: str) -> None:
    """The files of a drawing; without one, none, not even of an older run."""
    for path in paths:
        if drawing is None:
            path.unlink(missing_ok=True)
        else:
            save(drawing, path, description)


def save(drawing: "Figure", path: Path, description: str) -> None:
    """A .png to look at or a .pdf to print, without date or version: an equal drawing is an equal file."""
    {".png": _paint, ".pdf": _print}[path.suffix](drawing, path, description)


def _print(drawing: "Figure", path: Path, description: str) -> None:
    """Lines and text as such, images in the pixels that they have; of many points, pixels too."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.image import AxesImage

    shown = {image: image.get_interpolation() for image in drawing.findobj(AxesImage)}
    facts = {"Subject": description, "Creator": None, "Producer": None, "CreationDate": None}
    with whole(path) as partial:
        for image in shown:
            image.set_interpolation("none")
        FigureCanvasPdf(drawing).print_pdf(partial, metadata=facts)
    for image, interpolation in shown.items():
        image.set_interpolation(interpolation)


def _paint(drawing: "Figure", path: Path, description: str) -> None:
    """Of 256 colours: half the size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    painted, facts = FigureCanvasAgg(drawing), PngInfo()
    painted.draw()
    facts.add_itxt("Description", description)
    with whole(path) as partial:
        few = Image.fromarray(np.asarray(painted.buffer_rgba())).convert("RGB").quantize(256)
        few.save(partial, "png", optimize=True, pnginfo=facts)
