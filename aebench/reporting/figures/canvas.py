"""Size, fonts, colours and file formats of all figures; colour-blind readers can distinguish the colours.

Figures use matplotlib's object-oriented interface only: pyplot keeps state between figures.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aebench.storage import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 8.0
"""Width of a figure in inches: 1000 pixels at `DPI`, the width of the page."""
DPI = 125
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"
"""From the palette of Okabe and Ito; they also differ in lightness."""
TILE, LETTER = 0.5, 0.08
"""Maximum height of an image in a strip, and mean width of a letter of its label, in inches."""
ITERATIONS = 100
"""Maximum number of iterations for the placement of names."""
SHADES = {"cmap": "gray", "vmin": 0, "vmax": 1}
"""How images are shown: 0 is black, 1 is white."""
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
    """Return the style of all figures, independent of matplotlibrc; without mathtext, because model names may contain $."""
    from matplotlib import rc_context, rcParamsDefault

    return rc_context({**rcParamsDefault, **STYLE, "backend": "agg"})


def figure(height: float, width: float = WIDTH) -> "Figure":
    """Return an empty figure of this size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def panels(count: int, across: int, height: float, margin: float = 0.0, **sharing: bool) -> "tuple[Figure, list[Axes]]":
    """Return a figure of `count` axes of one `height`, at most `across` per row, and a `margin` for a legend on the right."""
    rows, columns = -(-count // across), min(count, across)
    width = (WIDTH - margin) / across * columns + margin
    drawing = figure(height * rows + 0.5, max(width, WIDTH / 2))
    grid = drawing.subplots(rows, columns, squeeze=False, **sharing).ravel()
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count][-columns:]:  # where the last row is not full, the row above it needs tick labels too
        axes.tick_params(labelbottom=True)
    return drawing, list(grid[:count])


def plain_ticks(*axis: "Axis") -> None:
    """Label only the decades of logarithmic axes, with plain numbers."""
    for each in axis:
        each.set_major_formatter("{x:,g}")
        each.set_minor_formatter("")


def legend(drawing: "Figure", *axes: "Axes") -> None:
    """Add a legend at the top right, one row with each label of the axes once."""
    handles = {label: h for each in axes for h, label in zip(*each.get_legend_handles_labels(), strict=True)}
    drawing.legend(handles.values(), handles, loc="outside upper right", ncols=len(handles))


def write_apart(
    axes: "Axes", names: Mapping[str, Sequence[float]], avoided: np.ndarray, expand: tuple[float, float], **font: Any
) -> None:
    """Write each name at its point, or near it if it would cover another name or a point (m, 2) of `avoided`.

    The axes must have their final position, limits and scales. `expand` is the factor by which the box of a name is enlarged in
    width and height. adjustText stops after `ITERATIONS`: its default, a time limit, would make the figure depend on the speed
    of the machine.
    """
    from adjustText import adjust_text
    from matplotlib.patheffects import withStroke

    style = {"ha": "center", "va": "center", "path_effects": [withStroke(linewidth=2, foreground="white")]}
    texts = [axes.text(*point, name, **style, **font) for name, point in names.items()]
    line = {"arrowstyle": "-", "linewidth": 0.4, "color": "0.5"}
    adjust_text(texts, *avoided.T, ax=axes, expand=expand, iter_lim=ITERATIONS, arrowprops=line)
    for text in texts:
        text.set_in_layout(False)


def class_legend(drawing: "Figure", names: Sequence[str]) -> None:
    """Add a legend of the classes on the right: colour, the number that marks the class, and its name if that differs."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours(len(names))]
    labels = [name if name == str(i) else f"{i} {name}" for i, name in enumerate(names)]
    drawing.legend(handles, labels, title="class", loc="outside right upper")


def colours(count: int) -> list:
    """Return one colour per class: Petroff's ten if they suffice, otherwise equal steps of viridis."""
    import matplotlib

    petroff = matplotlib.color_sequences["petroff10"]
    return list(petroff[:count]) if count <= len(petroff) else list(matplotlib.colormaps["viridis"](np.linspace(0, 1, count)))


def gap(shape: tuple[int, ...]) -> int:
    """Return the number of pixels between the images of a mosaic."""
    return max(1, shape[0] // 14)


def mosaic(rows: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Arrange rows of flat images (m, d) in one image with white gaps; pixels are clipped to [0, 1]."""
    space = gap(shape)
    margin = [(0, 0), (0, space), (0, space), *((0, 0) for _ in shape[2:])]
    tiles = [np.pad(row.reshape(len(row), *shape).clip(0, 1), margin, constant_values=1) for row in rows]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in tiles])[:-space, :-space]


def mosaics(
    tiles: Sequence[np.ndarray], titles: Sequence[str], across: int, loc: str = "center"
) -> "tuple[Figure, list[Axes]]":
    """Draw one panel per mosaic, at most `across` per row; `loc` is the alignment of the titles."""
    width = WIDTH / across - 0.1
    height = width * max(len(each) / each.shape[1] for each in tiles)
    drawing, grid = panels(len(tiles), across, height + 0.3)
    for axes, each, title in zip(grid, tiles, titles, strict=True):
        show(axes, each, width)
        axes.set_title(title, loc=loc)
    return drawing, grid


def strips(rows: Sequence[np.ndarray], names: Sequence[str], shape: tuple[int, ...]) -> "Figure":
    """Draw rows of images (m, d), each with its name on the left."""
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
    """Show a mosaic `width` inches wide without frame or ticks; magnified pixels are square blocks."""
    axes.imshow(tiles, **SHADES, interpolation="nearest" if width * DPI >= 2 * tiles.shape[1] else "auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set(xticks=[], yticks=[], anchor="NW")


def publish(drawing: "Figure | None", paths: Sequence[Path], description: str) -> None:
    """Save a figure to all paths; without a figure, remove the files of earlier runs.

    The layout is computed once, for the first path, because it takes as long as drawing.
    """
    for path in paths:
        if drawing is None:
            path.unlink(missing_ok=True)
        else:
            save(drawing, path, description)
            drawing.set_layout_engine("none")


def save(drawing: "Figure", path: Path, description: str) -> None:
    """Save as .png (screen) or .pdf (print), without date or version, so that equal figures give equal files."""
    {".png": _save_png, ".pdf": _save_pdf}[path.suffix](drawing, path, description)


def _save_pdf(drawing: "Figure", path: Path, description: str) -> None:
    """Save vector lines and text; images keep their own resolution, and rasterized artists are images."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.image import AxesImage

    interpolations = {image: image.get_interpolation() for image in drawing.findobj(AxesImage)}
    metadata = {"Subject": description, "Creator": None, "Producer": None, "CreationDate": None}
    with atomic_write(path) as partial:
        for image in interpolations:
            image.set_interpolation("none")
        FigureCanvasPdf(drawing).print_pdf(partial, metadata=metadata)
    for image, interpolation in interpolations.items():
        image.set_interpolation(interpolation)


def _save_png(drawing: "Figure", path: Path, description: str) -> None:
    """Save with 256 colours, which halves the file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    painted, metadata = FigureCanvasAgg(drawing), PngInfo()
    painted.draw()
    metadata.add_itxt("Description", description)
    with atomic_write(path) as partial:
        reduced = Image.fromarray(np.asarray(painted.buffer_rgba())).convert("RGB").quantize(256)
        reduced.save(partial, "png", optimize=True, pnginfo=metadata)
