"""Remarks are filled in from the tables, and the remarks in conf/ name what they are about."""

import re
from itertools import chain
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from fake_runs import DATASET, overwrite, read_table
from project import ROOT

from aebench import config, data, storage, studies
from aebench.data.splits import divide
from aebench.errors import InputError
from aebench.reporting import tables
from aebench.reporting.results import read
from aebench.reporting.tables import remarks
from aebench.storage.yaml_files import read_yaml, write_yaml

CONF = Path("conf", f"{DATASET}.yaml")
STUDY = {
    "kind": "sweep",
    "question": "How many images are enough?",
    "vary": "training_images",
    "values": [10, 60],
    "models": {"few": {"kind": "vanilla", "latent_dim": 2}},
    "metrics": ["sse", "linear_probe_by_labels/0.1"],
}
DATASETS = ["digits", "fashion_mnist", "mnist"]
AMBIGUOUS = {"mean", "raw", "random", "deep", "stacked"}
"""Names of models that are also English words."""
TYPED = {
    "0.15": "a level of blur, part of a name",
    "0.001": "a value of λ, as is 0.1",
    "0.1": "a value of λ",
    "0.01": "a bound of the mean activations, and the variance from which a unit is active",
    "0.5": "half of an effective β of 1",
    **dict.fromkeys(["0.71", "0.62", "0.55", "0.40", "4.68"], "variances of the training images, compared with them below"),
}
"""The numbers with decimals in the remarks on digits that are in no table."""


def write_remarks(*blocks, **changes):
    """Write remarks, and other blocks of the settings, to the settings of the fake project."""
    write_yaml(CONF, read_yaml(CONF) | {"remarks": list(blocks)} | changes)


def filled(*blocks):
    """The printed remarks."""
    write_remarks(*blocks)
    results = read(DATASET)
    return remarks.texts(results, tables.tables(results))


def macros(dataset):
    """(model or study, name of a number) -> the number as printed in the committed report."""
    pattern = r"\\aebenchdefine\{.*?\}\{(.*?)\}\{(.*?)\}\{(.*?)\}"
    found = re.findall(pattern, (ROOT / "reports" / dataset / "numbers.tex").read_text().replace(r"\%", "%"))
    return {(model, name): number for model, name, number in found}


# Filling in


def test_a_placeholder_is_the_mean_over_seeds_with_the_decimals_of_the_table(fake_project):
    overwrite("ae", sse=[1.0, 2.0, 3.5], knn_5=[90.0, 91.0, 91.0])
    overwrite("ae", "profiles.csv", **{"sse_at_bits/2": [1.0, 1.0, 2.0]})
    overwrite("ae", "classification.csv", **{"linear_probe_by_labels/10 per class": [50.0, 51.0, 51.0]})
    assert filled("SSE {ae:sse} (about {ae:sse:.0f}), 5-NN {ae:knn_5} %") == ["SSE 2.167 (about 2), 5-NN 90.67 %"]
    assert filled("{ae:sse_at_bits/2}, {ae:linear_probe_by_labels/10 per class} %") == ["1.333, 50.67 %"]
    assert filled("ρ is {sae:settings/target}, with {sae:settings/latent_dim} units") == ["ρ is 0.1, with 12 units"]


def test_a_placeholder_is_the_number_of_table_csv_for_every_model(fake_project):
    results = read(DATASET)
    tables.write(results)
    for model, row in read_table().items():
        assert filled(f"{{{model}:sse}} {{{model}:linear_probe}}") == [
            f"{float(row['sse.mean']):.3f} {float(row['linear_probe.mean']):.2f}"
        ]


def test_text_around_placeholders_and_doubled_braces_stay(fake_project):
    overwrite("ae", sse=[1.0, 1.0, 1.0])
    assert filled("{{x}} {ae:sse}, {ae:sse}.", "Only {{this}}.", "None.") == ["{x} 1.000, 1.000.", "Only {this}.", "None."]


def test_a_placeholder_of_a_study_is_the_number_of_its_table(fake_project):
    write_remarks(studies={"amount": STUDY})
    columns = {"few/10/sse": [3.0, 4.0, 4.0], "few/60/sse": [1.0, 1.0, 1.0]}
    columns |= {f"few/{count}/linear_probe_by_labels/0.1": [70.0, 71.0, 71.0] for count in (10, 60)}
    folder = storage.study_folder(DATASET)
    storage.write_columns(folder / "amount.csv", {"seed": list(fake_runs.SEEDS)} | columns)
    description = studies.description(config.dataset(DATASET), "amount", list(fake_runs.SEEDS))
    storage.write_json(folder / "amount.json", description)
    written = "{few:study/amount/10/sse}, {few:study/amount/10/linear_probe_by_labels/0.1} %"
    assert filled(written, "{ae:settings/latent_dim}") == ["3.667, 70.67 %", "8"]
    with pytest.raises(InputError, match=r"got \{few:study/amount/11/sse\} \(did you mean 'few:study/amount/10/sse'\?\)"):
        filled("{few:study/amount/11/sse}")
    storage.write_json(folder / "amount.json", description | {"seeds": [7]})
    assert filled(written, "{ae:settings/latent_dim}") == ["8"], "a study without current results"


def test_a_remark_is_printed_if_all_models_that_it_lists_or_has_placeholders_of_have_results(fake_project):
    fake_runs.write_params([DATASET], ["ae", "pca_2d"])
    both = {"models": ["pca_2d"], "says": "{ae:settings/latent_dim}"}
    other = [{"models": ["sae"], "says": "{ae:settings/latent_dim}"}, {"models": ["ae"], "says": "{sae:sse}"}, "{sae:sse}"]
    assert filled(both, *other) == ["8"]


def test_a_remark_on_a_model_of_which_all_seeds_failed_is_not_printed(fake_project):
    for file in ("metrics.csv", "classification.csv"):
        names = storage.read_columns(fake_runs.file_of("sae", file)).keys() - {"seed"}
        overwrite("sae", file, **dict.fromkeys(names, [np.nan] * 3))
    overwrite("ae", sse=[1.0, 1.0, 1.0])
    assert filled("{sae:sse}", "{ae:sse}") == ["1.000"]


def test_a_metric_without_a_value_is_printed_as_in_the_tables(fake_project):
    for model in fake_runs.BLOCKS:
        seeds = len(storage.read_columns(fake_runs.file_of(model, "metrics.csv"))["seed"])
        overwrite(model, elbo=[np.nan] * seeds)
    assert filled("{ae:elbo} nats") == ["— nats"], "no table has this metric"


# Errors


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("{aee:sse}", r"remarks\.1\.says: \{aee:sse\}: the model must be one of ae, .*, got 'aee' \(did you mean 'ae'"),
        ("{ae:knn5}", r"remarks\.1\.says: \{ae:knn5\}: the quantity must be one of .*, got 'knn5' \(did you mean 'knn_5'"),
        ("{ae:sse_at_bit/1}", "got 'sse_at_bit' .did you mean 'sse_at_bits'"),
        ("{ae:sse_at_bits}", "the quantity must be one of"),
        ("{ae:knn_5/1}", "the quantity must be one of"),
        ("{few:study/amont/10/sse}", "the study must be one of amount, got 'amont' .did you mean 'amount'"),
        ("{ae:study/amount/10/sse}", "the series must be one of few, got 'ae'"),
        ("{ae:sse:.1q}", r"the format of ae:sse must be one of Python's, such as \.1f, got '\.1q'"),
        ("{ae}", r"must have <model>:<quantity> in braces, .*, got \{ae\}"),
        ("{}", r"must have <model>:<quantity> in braces, .*, got \{\}"),
        ("{ae!r:sse}", r"must have <model>:<quantity> in braces, .*, got \{ae!r:sse\}"),
        ("a } b", r"remarks\.1\.says must have \{\{ and \}\}"),
        ("a { b", r"remarks\.1\.says must have \{\{ and \}\}"),
    ],
)
def test_a_wrong_placeholder_is_found_before_anything_runs(fake_project, says, message):
    write_remarks("{ae:sse}", says, studies={"amount": STUDY})
    with pytest.raises(InputError, match=message) as error:
        remarks.check(DATASET)
    assert str(error.value).startswith(f"{CONF}:remarks.1")
    with pytest.raises(InputError, match=message):
        remarks.texts(read(DATASET), [])


@pytest.mark.parametrize("key", ["models", "studies"])
def test_an_unknown_name_in_the_lists_of_a_remark_is_found_before_anything_runs(fake_project, key):
    write_remarks({key: ["amont"], "says": "x"}, studies={"amount": STUDY})
    with pytest.raises(InputError, match=rf"fake\.yaml:remarks\.0\.{key} must be one of .*, got 'amont'"):
        remarks.check(DATASET)


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("ae:sse_at_bits/3", "ae:sse_at_bits/"),
        ("sae:settings/targets", "sae:settings/target"),
        ("ae:classify/pretrained.1.0", ""),
        ("ae:linear_probe_by_labels/20 per class", "ae:linear_probe_by_labels/10 per class"),
    ],
)
def test_a_quantity_without_a_number_is_found_when_the_report_is_made(fake_project, written, nearest):
    with pytest.raises(InputError, match=r"remarks\.0\.says must have numbers of the report in braces") as error:
        filled(f"{{{written}}}")
    assert f"got {{{written}}}" in str(error.value) and f"did you mean '{nearest}" * bool(nearest) in str(error.value)
    remarks.check(DATASET)


# The remarks in conf/


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_remark_is_bound_to_the_models_that_it_names(dataset):
    conf = config.dataset(dataset)
    remarks.check(dataset)
    known = set(conf.all_models) - AMBIGUOUS
    for remark in conf.remarks:
        placeholders = remarks.parse(remark.says, "")
        assert remark.models or remark.studies or placeholders, remark.says
        named = known & set(re.findall(r"[a-z]\w*", re.sub(r"\{.*?\}", "", remark.says)))
        assert named <= {*remark.models, *(each.owner for each in placeholders)}, remark.says


def test_the_report_on_digits_has_every_number_of_the_remarks():
    conf, printed = config.dataset("digits"), macros("digits")
    for each in chain.from_iterable(remarks.parse(remark.says, "") for remark in conf.remarks):
        if each.study:
            position, quantity = each.name.split("/", 3)[2:]
            assert (each.study, f"study/{quantity}.{each.owner}/{position}") in printed, each
        elif each.name.startswith("settings/"):
            assert each.name.removeprefix("settings/") in conf.all_models[each.owner], each
        else:
            assert (each.owner, each.name) in printed, each


def test_numbers_in_the_remarks_on_digits_are_typed_only_if_no_table_has_them():
    texts = [re.sub(r"\{.*?\}", "", remark.says) for remark in config.dataset("digits").remarks]
    assert set(re.findall(r"(?<![\w.])\d+\.\d+", " ".join(texts))) == set(TYPED)


def test_the_typed_variances_are_those_of_the_training_images_of_digits():
    source = data.check(config.dataset("digits").data, "digits")
    images = divide(data.read(source), source, "digits")["train"].images.astype(float)
    variances = np.linalg.eigvalsh(np.cov(images.T, bias=True))[::-1]
    (text,) = [remark.says for remark in config.dataset("digits").remarks if "principal variances" in remark.says]
    assert f"are {', '.join(f'{each:.2f}' for each in variances[:4])} and less, in all {variances.sum():.2f}" in text
