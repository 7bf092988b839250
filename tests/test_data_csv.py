"""CSV files whose header and lines disagree are rejected, never read as something else; columns are matched by name."""

from pathlib import Path

import numpy as np
import pytest
from data_files import HELD, IMAGES, LABELS, as_csv, prepared, write_conf

from aebench import data, storage
from aebench.errors import InputError

pytestmark = pytest.mark.usefixtures("empty_folder")
RAGGED = "data.csv must have 17 values per line, like the header"
UNNAMED = "data.csv must have a name for every column"


def table(change, name: str = "data.csv") -> dict:
    """A CSV file whose cells (header and 100 lines) `change` has replaced; cells of None are left out."""
    settings = as_csv(name=name)
    rows = [line.split(",") for line in Path(name).read_text().splitlines()]
    rows = [[change(i, j, cell) for j, cell in enumerate(row)] for i, row in enumerate(rows)]
    Path(name).write_text("".join(",".join(filter(lambda cell: cell is not None, row)) + "\n" for row in rows))
    return settings


def counted(i: int, j: int, cell: str, header: str | None) -> str | None:
    """A table with row names before the label; `header` is their name, None if they have none."""
    if j:
        return cell
    return (cell if header is None else f"{header},{cell}") if i == 0 else f"{i},{cell}"


NAMES = ["kind", *(f"p{i}" for i in range(16))]
MISTAKES = {  # mistake: (change of a cell, message)
    "row names without a header": (lambda i, j, c: counted(i, j, c, None), f"{RAGGED} (a line must have no row name, "),
    "row names with an empty header": (lambda i, j, c: counted(i, j, c, ""), f"{UNNAMED} (write the file without row names,"),
    "row names with a quoted empty header": (lambda i, j, c: counted(i, j, c, '""'), UNNAMED),
    "row names with a header": (
        lambda i, j, c: counted(i, j, c, "id"),
        "data.csv must have no columns but the label and the pixels, got 'id', which counts the lines",
    ),
    "a comma at the end of lines": (lambda i, j, c: c + "," * (j == 16 and i > 0), f"{RAGGED} (a line must have no row name"),
    "a comma at the end of all lines": (lambda i, j, c: c + "," * (j == 16), UNNAMED),
    "a comma at the end of the header": (lambda i, j, c: c + "," * (j == 16 and i == 0), UNNAMED),
    "a short line": (lambda i, j, c: None if (i, j) == (5, 16) else c, f"{RAGGED}, got 16 in line 6"),
    "a short first line": (lambda i, j, c: None if (i, j) == (1, 16) else c, f"{RAGGED}, got 16 in line 2"),
    "a long line": (lambda i, j, c: "3,3" if (i, j) == (5, 1) else c, f"{RAGGED} (a line must have no row name"),
    "a long last line": (lambda i, j, c: "3,3,3" if (i, j) == (100, 1) else c, f"{RAGGED}, got 19 in line 101"),
    "all lines short": (lambda i, j, c: None if i and j == 16 else c, f"{RAGGED}, got 16 in line 2"),
    "decimal commas": (lambda i, j, c: c + ",5" if i and j else c, f"{RAGGED}, got 33 in line 2"),
    "semicolons": (lambda i, j, c: c + ";" if not i else c, "data.label must be a column of data.csv (kind;, p0;, p1;, ... 17"),
    "no header": (lambda i, j, c: None if i == 0 else c, "data.label must be a column of data.csv (0, 95, 130, ... 17 in all)"),
    "a name twice": (
        lambda i, j, c: "p2" if c == "p3" else c,
        "data.csv must have a header of distinct names (is the first line an image instead of the header?), got 'p2' twice",
    ),
    "columns in alphabetical order": (
        lambda i, j, c: sorted(NAMES)[j] if not i else c,
        "data.csv must have the columns of the pixels in row-major order, got 'p15' before 'p2'",
    ),
    "columns in reversed order": (
        lambda i, j, c: f"p{16 - j}" if not i and j else c,
        "row-major order, got 'p15' before 'p14'",
    ),
    "a space as a cell": (lambda i, j, c: " " if (i, j) == (5, 3) else c, "column 'p2' must be filled, got nothing in line 6"),
    "a missing value": (lambda i, j, c: "NA" if (i, j) == (5, 3) else c, "column 'p2' must be numbers, got 'NA' in line 6"),
    "nan": (lambda i, j, c: "nan" if (i, j) == (5, 3) else c, "column 'p2' must be numbers, got 'nan' in line 6"),
    "inf": (lambda i, j, c: "inf" if (i, j) == (5, 3) else c, "column 'p2' must be "),
    "true and false": (lambda i, j, c: "True" if i and j == 3 else c, "column 'p2' must be numbers, got 'True' in line 2"),
    "underscores": (lambda i, j, c: "1_0" if (i, j) == (5, 3) else c, "column 'p2' must be numbers, got '1_0' in line 6"),
    "fractions as labels": (lambda i, j, c: f"{c}.5" if i and not j else c, "labels must be integers or names, got '0.5'"),
    "a label of 101 characters": (lambda i, j, c: "a" * 101 if (i, j) == (5, 0) else c, "labels must be 1 to 100 printable"),
    "a label with a line break": (lambda i, j, c: '"a\nb"' if (i, j) == (5, 0) else c, "labels must be 1 to 100 printable"),
    "a quotation mark without a second": (lambda i, j, c: '"' + c if (i, j) == (5, 3) else c, f"{RAGGED}, got 4 in line 6"),
    "a number of 26 digits": (lambda i, j, c: "1" + "0" * 25 if (i, j) == (5, 3) else c, "must be numbers, got '1000000000"),
    "a hexadecimal number": (lambda i, j, c: "0x10" if (i, j) == (5, 3) else c, "must be numbers, got '0x10' in line 6"),
    "a decimal comma in quotes": (lambda i, j, c: '"0,5"' if (i, j) == (5, 3) else c, "must be numbers, got '0,5' in line 6"),
    "a second header": (lambda i, j, c: NAMES[j] if i == 50 else c, "column 'p0' must be numbers, got 'p0' in line 51"),
    "a zero byte": (lambda i, j, c: "\0" + c if (i, j) == (5, 3) else c, "column 'p2' must be numbers, got '\\x00"),
    "a cell of 200,000 characters": (lambda i, j, c: "9" * 200_000 if (i, j) == (5, 3) else c, "data.csv must be a CSV file"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_table_that_does_not_fit_its_header_is_refused_in_one_line(case):
    change, message = MISTAKES[case]
    write_conf("mine", HELD | table(change))
    with pytest.raises(InputError) as error:
        data.prepare("mine")
    assert message in str(error.value) and "\n" not in str(error.value) and not Path("data").exists()


def first_line_as_header(i: int, j: int, cell: str) -> str | None:
    return None if i == 0 else cell


def test_an_image_is_not_taken_for_the_header():
    settings = table(first_line_as_header)
    Path("data.csv").write_text(Path("data.csv").read_text().lstrip())
    write_conf("mine", HELD | settings | {"label": "0"})
    with pytest.raises(InputError, match="must have a header of distinct names"):
        data.prepare("mine")


@pytest.mark.parametrize(
    "change",
    [
        lambda i, j, c: c,
        lambda i, j, c: f" {c} ",  # spaces around values
        lambda i, j, c: f'"{c}"',  # everything quoted
        lambda i, j, c: "\ufeff" + c if i + j == 0 else c,  # a byte order mark
        lambda i, j, c: c + "\r" if j == 16 else c,  # Windows
        lambda i, j, c: f"x{(j - 1) // 4}y{(j - 1) % 4}" if not i and j else c,  # by row
        lambda i, j, c: f"x{(j - 1) % 4}y{(j - 1) // 4}" if not i and j else c,  # by column, named x, y
        lambda i, j, c: "abcdefghijklmnop"[j - 1] if not i and j else c,
        lambda i, j, c: c + "\n" if j == 16 else c,  # empty lines
    ],
)
def test_usual_ways_to_write_a_table_give_the_same_images(change):
    splits = prepared(table(change) | HELD)
    expected = prepared(as_csv(name="plain.csv") | HELD, "expected")
    for name in storage.SPLITS:
        np.testing.assert_array_equal(splits[name].images, expected[name].images)
        np.testing.assert_array_equal(splits[name].labels, expected[name].labels)


def test_the_label_may_be_any_column():
    settings = as_csv()
    rows = [line.split(",") for line in Path("data.csv").read_text().split()]
    Path("data.csv").write_text("\n".join(",".join([*row[1:5], row[0], *row[5:]]) for row in rows))
    raw = data.read(data.check(settings | HELD, "conf/mine.yaml:data"))
    np.testing.assert_array_equal(raw.train.images, IMAGES.reshape(100, 16) / np.float32(255))
    assert raw.train.labels.tolist() == LABELS.tolist()


def two_tables(change) -> dict:
    settings = as_csv()
    as_csv(IMAGES[::10], LABELS[::10], name="test.csv")
    rows = [line.split(",") for line in Path("test.csv").read_text().split()]
    Path("test.csv").write_text("\n".join(",".join(row) for row in change(rows)))
    return settings | {"test_path": "test.csv", "validation": 10}


def test_columns_of_a_test_file_are_matched_by_name():
    shuffled = np.random.default_rng(1).permutation(17)
    for order in (range(16, -1, -1), shuffled):
        splits = prepared(two_tables(lambda rows, order=order: [[row[j] for j in order] for row in rows]))
        np.testing.assert_array_equal(splits["test"].images, IMAGES[::10].reshape(10, 16) / np.float32(255))
        assert splits["test"].labels.tolist() == LABELS[::10].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [[c.replace("p", "q") for c in row] for row in rows], "got 'p0' only in data.csv, in 32 columns"),
        (lambda rows: [row[:-1] for row in rows], "got 'p15' only in data.csv"),
        (lambda rows: [[*row, "x" if row[0] == "kind" else "1"] for row in rows], "got 'x' only in test.csv"),
        (lambda rows: [row[1:] for row in rows], "data.label must be a column of test.csv"),
    ],
)
def test_a_test_file_with_other_columns_is_refused(change, message):
    write_conf("mine", two_tables(change))
    with pytest.raises(InputError, match=message):
        data.prepare("mine")
