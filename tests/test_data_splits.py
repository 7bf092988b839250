"""Splits are disjoint and stratified, and depend on the split seed only."""

import hashlib
from itertools import chain

import numpy as np
import pytest
from data_files import HELD, IMAGES, LABELS, as_npz, identities, prepared

from aebench import storage
from aebench.data.splits import shares, stratified_subset
from aebench.errors import InputError

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_splits_are_disjoint_cover_everything_and_keep_order_and_labels():
    splits = prepared(as_npz() | HELD)
    indices = identities(splits)
    assert sorted(chain.from_iterable(indices.values())) == list(range(100))
    for name, split in splits.items():
        assert indices[name] == sorted(indices[name])
        assert split.labels.tolist() == LABELS[indices[name]].tolist()


def test_splits_are_stratified():
    splits = prepared(as_npz() | HELD)
    assert {name: np.bincount(split.labels).tolist() for name, split in splits.items()} == {
        "train": [14, 21, 35],
        "validation": [2, 3, 5],
        "test": [4, 6, 10],
    }


def test_the_split_depends_on_the_split_seed_only():
    first = identities(prepared(as_npz() | HELD))
    assert identities(prepared(as_npz() | HELD | {"title": "other"}, "other")) == first
    assert identities(prepared(as_npz() | HELD | {"split_seed": 1}))["test"] != first["test"]
    fewer = identities(prepared(as_npz() | HELD | {"validation": 5}))
    assert fewer["test"] == first["test"] and set(fewer["validation"]) < set(first["validation"])


def test_the_split_of_digits_never_changes():
    splits = prepared({"source": "digits", "test": 360, "validation": 180})
    sums = {name: hashlib.sha256(split.images.tobytes()).hexdigest()[:8] for name, split in splits.items()}
    assert sums == {"train": "e7bbf66b", "validation": "7d056084", "test": "44cc9693"}


def test_fractions_are_of_all_for_test_and_of_the_rest_for_validation():
    splits = prepared(as_npz() | {"test": 0.2, "validation": 0.25})
    assert [len(splits[name].labels) for name in storage.SPLITS] == [60, 20, 20]


def test_the_last_images_may_be_held_out_for_validation():
    order = np.random.default_rng(0).permutation(100)
    splits = prepared(as_npz(IMAGES[order], LABELS[order]) | HELD | {"hold_out": "last", "validation": 25})
    assert len(splits["validation"].labels) == 25 and len(splits["train"].labels) == 55
    together = np.concatenate([splits[name].labels for name in ("train", "validation")])
    random = prepared(as_npz(IMAGES[order], LABELS[order]) | HELD)
    kept = [identities({"all": storage.Split(part.images, part.labels)})["all"] for part in splits.values()]
    assert sorted(chain.from_iterable(kept)) == list(range(100))
    assert (random["test"].images == splits["test"].images).all(), "the test images do not depend on it"
    assert sorted(together) == sorted(np.concatenate([random[name].labels for name in ("train", "validation")]))


@pytest.mark.parametrize("amount", [10, 85, 0.1])
def test_the_last_images_must_contain_every_class(amount):
    with pytest.raises(InputError, match=r"data\.validation must take and leave at least one image of every class, got"):
        prepared(as_npz() | HELD | {"hold_out": "last", "validation": amount})


def test_shares_are_rounded_by_largest_remainder():
    assert shares(np.array([50, 30, 20]), 7).tolist() == [4, 2, 1]  # exactly 3.5, 2.1, 1.4
    assert shares(np.array([10, 10, 10]), 4).tolist() == [2, 1, 1]
    assert shares(np.array([5923, 6742, 5958]), 1000).sum() == 1000


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 1), (2, 2, 2), (1, 9), (3, 0, 1)])
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9, 1.0])
def test_a_subset_of_few_images_has_every_class_and_no_image_twice(sizes, fraction):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    subset = stratified_subset(labels, fraction, 3)
    assert len(set(subset)) == len(subset) <= len(labels) and set(labels[subset]) == set(labels)
    size = max(round(fraction * len(labels)), len(set(labels)))
    assert size <= len(subset) < size + len(set(labels))  # a class with no share has one image
    assert subset == stratified_subset(labels, fraction, 3)
