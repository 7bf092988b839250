"""Files of images: what is written is read; a damaged file is rejected with a one-line error or read exactly as stored.

AEBENCH_INPUTS is the number of damaged inputs of the long test, AEBENCH_FUZZ_SEED the first seed.
"""

import os
import shutil
from collections import Counter
from pathlib import Path

import fuzz
import numpy as np
import pytest
from data_files import CLASSES, HELD, as_csv, as_folder, as_idx, as_npz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aebench import data

INPUTS, SEED = int(os.environ.get("AEBENCH_INPUTS", "100000")), int(os.environ.get("AEBENCH_FUZZ_SEED", "0"))
FEW = 120
SHARED_FOLDER = settings(
    deadline=None, derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WRITERS = {"csv": as_csv, "idx": as_idx, "npz": as_npz, "folder": as_folder}
pytestmark = [pytest.mark.usefixtures("empty_folder"), pytest.mark.filterwarnings("ignore::UserWarning")]


@st.composite
def data_sets(draw):
    """Images (n, h, w) uint8 that reach 255 and labels (n,) of three classes, each of at least three images."""
    n, h, w = draw(st.integers(9, 20)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    images = draw(arrays.arrays(np.uint8, (n, h, w)))
    images[draw(st.integers(0, n - 1))] = 255
    more = draw(st.lists(st.integers(0, 2), min_size=n - 9, max_size=n - 9))
    return images, np.array(draw(st.permutations([0, 1, 2] * 3 + more)))


@pytest.mark.parametrize("kind", WRITERS)
@SHARED_FOLDER
@given(data_sets())
def test_what_is_written_is_read(kind, written):
    images, labels = written
    if kind == "folder":
        shutil.rmtree("pictures", ignore_errors=True)
        order = np.lexsort((np.arange(len(labels)), labels))
        images, labels = images[order], labels[order]
    flat = {} if kind == "folder" else {"shape": list(images.shape[1:]), "classes": list(CLASSES)}
    source = HELD | {"validation": 3, "test": 3} | flat | WRITERS[kind](images, labels) | {"maximum": 255}
    if kind == "csv" and len(images) >= 5 and (np.diff(images.reshape(len(images), -1).astype(int), axis=0) == 1).all(0).any():
        return  # a column that counts the lines is refused
    raw = data.read(data.check(source, "conf/mine.yaml:data"))
    np.testing.assert_array_equal(raw.train.images, images.reshape(len(images), -1) / np.float32(255))
    assert raw.train.labels.tolist() == labels.tolist()
    assert raw.about.shape == images.shape[1:] and raw.about.classes == CLASSES


def read_damaged(seeds: range) -> Counter:
    """Write and damage one input for each seed, and count the outcomes by format."""
    outcomes, wrong = Counter(), []
    for seed in seeds:
        rng, kind = np.random.default_rng(seed), list(fuzz.WRITERS)[seed % len(fuzz.WRITERS)]
        shutil.rmtree("pictures", ignore_errors=True)
        case = fuzz.WRITERS[kind](rng)
        fuzz.damage(case, rng)
        try:
            outcomes[kind, fuzz.outcome(case)] += 1
        except AssertionError as error:
            wrong.append(f"seed {seed}: {error}")
    assert not wrong, "\n".join(wrong[:10])
    return outcomes


def test_damaged_files_are_refused_in_one_line_or_read_as_they_are():
    outcomes = read_damaged(range(FEW))
    assert outcomes.total() == FEW and min(outcomes[kind, "refused"] for kind in fuzz.WRITERS) > FEW / 16
    assert min(outcomes[kind, "read"] for kind in fuzz.WRITERS) > FEW / 64


@pytest.mark.reliability
def test_many_damaged_files_are_refused_in_one_line_or_read_as_they_are(tried):
    outcomes = read_damaged(range(SEED, SEED + INPUTS))
    for kind in fuzz.WRITERS:
        read, refused = outcomes[kind, "read"], outcomes[kind, "refused"]
        what = {"csv": "damaged CSV files", "folder": "damaged pictures in folders"}.get(kind, f"damaged {kind.upper()} files")
        equal = "equal to an independent reader's result" + (" (pixels compared for PNG only)" if kind == "folder" else "")
        found = f"{refused:,} rejected with a one-line error, {read:,} accepted, {equal}"
        tried(what, read + refused, found, 1 / len(fuzz.WRITERS))


def test_the_second_readers_find_what_is_wrong():
    """The check can fail: a pixel that is read with another value is found."""
    case = fuzz.write_idx(np.random.default_rng(0))
    raw = data.read(data.check(fuzz.HELD | case.settings, "conf/mine.yaml:data"))
    images, labels = case.reference()
    fuzz.same(raw, images, labels, case)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        fuzz.same(raw, np.where(np.arange(images.size).reshape(images.shape) == 1, 1 - images, images), labels, case)
    with pytest.raises(AssertionError, match="were read as"):
        fuzz.same(raw, images, labels[::-1][:1] + labels[1:] if labels[0] != labels[-1] else labels[1:], case)
    assert not Path("pictures").exists()
