"""Papers: protocols in miniature on digits, verdicts, and how an interrupted reproduction is resumed."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from aebench import config, papers, storage
from aebench.errors import InputError
from aebench.papers import checks, measures
from aebench.papers import run as runs
from aebench.papers.run import run
from aebench.papers.settings import Paper
from aebench.reporting import page
from aebench.reporting import papers as reporting

PAPER = {
    "title": "A & B (2000)",
    "reference": "A. and B.: A paper of 100 % autoencoders",
    "data": {"source": "digits", "test": 400, "validation": 400, "split_seed": 0},
    "seeds": [3, 5],
    "training": {"epochs": 2, "batch_size": 100, "learning_rate": 0.01, "device": "cpu"},
    "compute": {},
    "runs": {
        "pca": {"model": {"kind": "pca", "latent_dim": 2}, "measures": ["sse", "knn_3_error"]},
        "ae": {
            "model": {"kind": "vanilla", "latent_dim": 4, "loss": "bernoulli", "training": {"epochs": 3}},
            "measures": ["sse", "linear_probe_error"],
        },
    },
    "rows": [
        {"title": "PCA-2", "run": "pca", "measure": "sse", "published": 3.4, "band": [3.0, 4.0], "source": "Table 1"},
        {"title": "AE-4", "run": "ae", "measure": "sse", "band": [None, 0.1], "source": "Fig. 1", "explanation": "Too short."},
    ],
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the paper `small`."""
    monkeypatch.chdir(tmp_path)
    write()
    return tmp_path


def write(name="small", **changes):
    document = json.loads(json.dumps(PAPER)) | changes
    (papers.PAPERS / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
    with (papers.PAPERS / f"{name}.yaml").open("w") as stream:
        YAML().dump(document, stream)


def lines(name="small"):
    """(run, measure, seed) -> value."""
    with storage.paper_file(name).open(newline="") as stream:
        return {(line["run"], line["measure"], int(line["seed"])): float(line["value"]) for line in csv.DictReader(stream)}


def counted(monkeypatch):
    """The names of runs that are computed, in order."""
    names, original = [], runs.PaperRun.compute
    monkeypatch.setattr(runs.PaperRun, "compute", lambda job, identity: (names.append(job.name), original(job, identity))[1])
    return names


def test_a_paper_is_trained_with_its_own_settings_and_measured_on_test_images(project, monkeypatch):
    trained = []
    original = runs.minimise
    monkeypatch.setattr(runs, "minimise", lambda *args, **kw: (original(*args, **kw), trained.append(args))[0])
    run("small")
    (ensemble, images, training, _) = trained[0]
    assert (training.epochs, training.batch_size, ensemble.seeds) == (3, 100, [3, 5])
    assert (len(images.train), len(images.validation)) == (997, 400)
    values = lines()
    assert set(values) == {("pca", m, 3) for m in ("sse", "knn_3_error")} | {
        ("ae", m, s) for m in ("sse", "linear_probe_error") for s in (3, 5)
    }
    read = runs.Data.read(papers.find("small"), "data")
    test = torch.from_numpy(read.splits["test"].images)
    for seed, replica in zip((3, 5), ensemble.replicas(), strict=True):
        by_hand = float((test - replica("decode", replica("encode", test))).square().sum(1).mean())
        np.testing.assert_allclose(values["ae", "sse", seed], by_hand, rtol=1e-5)


def test_errors_are_100_minus_accuracies(project):
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    write(runs=PAPER["runs"] | {"raw": {"model": {"kind": "raw_pixels"}, "measures": ["knn_3_error", "linear_probe_error"]}})
    run("small")
    read = runs.Data.read(papers.find("small"), "data").splits
    reference = np.concatenate([read["train"].images, read["validation"].images])
    labels = np.concatenate([read["train"].labels, read["validation"].labels])
    nearest = KNeighborsClassifier(3).fit(reference, labels)
    error = 100 * (nearest.predict(read["test"].images) != read["test"].labels).mean()
    assert lines()["raw", "knn_3_error", 3] == pytest.approx(error, abs=0.26), "one image, of a tie"
    linear = LogisticRegression(max_iter=2000).fit(read["train"].images, read["train"].labels)
    error = 100 * (linear.predict(read["test"].images) != read["test"].labels).mean()
    assert lines()["raw", "linear_probe_error", 3] == pytest.approx(error, abs=2)


def test_the_softmax_error_is_that_of_the_minimum_of_its_definition():
    """The codes are small, so that the penalty matters: scaled, standardised or with an intercept, the error is another."""
    from scipy.optimize import minimize
    from sklearn.datasets import load_digits

    digits = load_digits()
    codes, labels = torch.from_numpy(0.02 / 16 * digits.data), torch.from_numpy(digits.target).long()
    train, test = slice(None, 1200), slice(1200, None)

    def loss(flat):
        weights = torch.tensor(flat.reshape(64, 10), requires_grad=True)
        value = torch.nn.functional.cross_entropy(codes[train] @ weights, labels[train]) + 1e-4 / 2 * weights.square().sum()
        value.backward()
        return value.item(), weights.grad.flatten().numpy()

    solution = minimize(loss, np.zeros(640), jac=True, method="L-BFGS-B", tol=1e-12)
    weights = torch.from_numpy(solution.x.reshape(64, 10))
    by_hand = 100 * (1 - float(((codes[test] @ weights).argmax(1) == labels[test]).double().mean()))
    given = SimpleNamespace(
        codes=codes[test].float(), labels=labels[test], reference_codes=codes[train].float(), reference_labels=labels[train]
    )
    assert measures.softmax_error(given) == pytest.approx(by_hand, abs=0.2)
    other = SimpleNamespace(**vars(given) | {"reference_codes": given.reference_codes * 100, "codes": given.codes * 100})
    assert abs(measures.softmax_error(other) - by_hand) > 1


def test_seeds_trained_together_give_what_each_gives_alone(project):
    run("small")
    together = lines()
    write(seeds=[5])
    run("small")
    assert lines()["ae", "sse", 5] == pytest.approx(together["ae", "sse", 5], rel=1e-6)


def test_runs_side_by_side_give_the_same_results(project):
    run("small")
    alone = lines()
    for file in storage.CHECKPOINTS.rglob("*.json"):
        file.unlink()
    write(compute={"processes": 2})
    run("small")
    assert lines() == alone


def test_finished_runs_are_not_repeated_until_their_own_settings_change(project, monkeypatch):
    computed = counted(monkeypatch)
    run("small")
    first = lines()
    run("small")
    assert computed == ["pca", "ae"] and lines() == first
    write(title="Another title", rows=PAPER["rows"][:1])
    run("small")
    assert computed == ["pca", "ae"]
    changed = json.loads(json.dumps(PAPER["runs"]))
    changed["ae"]["model"]["latent_dim"] = 5
    write(runs=changed)
    run("small")
    assert computed == ["pca", "ae", "ae"] and lines() != first


@pytest.mark.parametrize("changes", [{"seeds": [3]}, {"data": PAPER["data"] | {"split_seed": 1}}])
def test_other_seeds_or_data_repeat_all_runs(project, monkeypatch, changes):
    computed = counted(monkeypatch)
    run("small")
    write(**changes)
    run("small")
    assert computed == ["pca", "ae"] * 2


def test_a_reproduction_that_is_killed_goes_on_with_the_same_results(project, monkeypatch):
    """The process ends while the second run is measured: neither the first run nor the training of the second is repeated."""
    write("whole")
    run("whole")
    computed, measure = counted(monkeypatch), runs.PaperRun.measure

    def fail_once(job, trained):
        if job.name == "ae":
            monkeypatch.setattr(runs.PaperRun, "measure", measure)
            raise KeyboardInterrupt
        return measure(job, trained)

    monkeypatch.setattr(runs.PaperRun, "measure", fail_once)
    with pytest.raises(KeyboardInterrupt):
        run("small")
    assert not storage.paper_file("small").exists()
    monkeypatch.setattr("aebench.training.seed_group.SeedGroup._train", None)
    run("small")
    assert computed == ["pca", "ae", "ae"]
    assert lines("small") == lines("whole")
    assert not list(storage.CHECKPOINTS.rglob("*.safetensors"))


CLASSIFIER = {"epochs": 4, "optimiser": "sgd", "momentum": 0.5, "learning_rate": 0.1, "criterion": "error", "patience": 2}
LAYER = {"kind": "denoising", "corruption": "subset_masking", "level": 0.25, "tied": True, "loss": "bernoulli"}
LAYER |= {"code_activation": "sigmoid", "initialisation": "uniform"}
SIGMOID = {"latent_dim": 8, "code_activation": "sigmoid", "tied": True, "loss": "bernoulli"}


def write_vae(observation=None, **data):
    model = {"kind": "variational", "latent_dim": 4} | ({"observation": observation} if observation else {})
    write(
        data=PAPER["data"] | data,
        runs={"vae": {"model": model, "measures": ["nll", "active_units"]}},
        rows=[PAPER["rows"][0] | {"run": "vae", "measure": "nll"}],
    )


def test_the_hash_of_data_covers_images_labels_and_probabilities(project, monkeypatch):
    paper, original = papers.find("small"), runs.divide

    def digest(change):
        with monkeypatch.context() as patch:
            patch.setattr(runs, "divide", lambda *args: {name: change(split) for name, split in original(*args).items()})
            return runs.Data.read(paper, "data").digest

    changes = [
        lambda split: split,
        lambda split: replace(split, images=split.images[:, ::-1].copy()),
        lambda split: replace(split, labels=split.labels[::-1].copy()),
        lambda split: replace(split, probabilities=split.images),
        lambda split: replace(split, probabilities=split.images / 2),
    ]
    assert len({digest(change) for change in changes}) == len(changes) and digest(changes[0]) == digest(changes[0])


def test_a_likelihood_is_that_of_the_binary_test_images(project, monkeypatch):
    monkeypatch.setattr(measures, "SAMPLES", 3)
    seen, original = [], measures.own_weights
    monkeypatch.setattr(measures, "own_weights", lambda view, rows, *a: (seen.append(rows), original(view, rows, *a))[1])
    write_vae(binarised="dynamic")
    run("small")
    test = torch.from_numpy(runs.Data.read(papers.find("small"), "data").splits["test"].images)
    assert set(test.unique().tolist()) == {0, 1} and torch.equal(torch.cat(seen), torch.cat([test, test]))


def test_a_likelihood_of_grey_images_is_refused_before_training(project, monkeypatch):
    monkeypatch.setattr(runs, "minimise", None)
    write_vae()
    with pytest.raises(InputError, match=r"conf/papers/small.yaml:data.binarised must be static or dynamic for nll"):
        run("small")


def test_a_gaussian_likelihood_needs_no_binary_images(project):
    write_vae("gaussian")
    paper = papers.find("small")
    checks.check_images(paper, runs.Data.read(paper, "data").splits, "small.yaml:")


def test_a_likelihood_has_as_many_samples_as_in_the_paper():
    assert measures.SAMPLES == 5000, "L_5000 of Burda et al. (2016)"


def test_the_identity_of_a_run_changes_with_settings_seeds_code_and_data(project, monkeypatch):
    def identity(**changes):
        write(**changes)
        paper = papers.find("small")
        read = runs.Data.read(paper, "data")
        return runs.PaperRun(paper, "ae", paper.runs["ae"], read, Path("x"), "runs.ae.model").identity

    digits = PAPER["data"]
    changed = [
        identity(),
        identity(seeds=[3, 6]),
        identity(training=PAPER["training"] | {"epochs": 4}),
        identity(data=digits | {"split_seed": 7}),
        identity(data=digits | {"binarised": "static"}),
        identity(data=digits | {"binarised": "dynamic"}),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(runs, "code_hashes", lambda *modules: {"aebench": "another"})
        changed.append(identity())
    assert len(set(changed)) == len(changed) and changed[0] == identity()


@pytest.mark.parametrize(
    ("ending", "old", "new", "got"),
    [
        (".csv", "pca,sse,3", "pcb,sse,3", "no sse of pca"),
        (".csv", "pca,sse,3,", "pca,sse,3,x", "could not convert string to float"),
        (".csv", "seconds", "second", "KeyError: 'seconds'"),
        (".json", "{", "<<<<<<< HEAD\n{", "JSONDecodeError"),
        (".json", '"settings"', '"setting"', "KeyError: 'settings'"),
    ],
)
def test_damaged_results_of_a_paper_are_reported_in_one_line(project, ending, old, new, got):
    run("small")
    file = storage.paper_file("small", ending)
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=re.escape(got)) as error:
        reporting.read()
    assert str(error.value).startswith("reports/papers/small.csv and .json must be as the stage reproduce wrote them (`git ")


CLASSIFIERS = {
    "linear": {"model": {"kind": "raw_pixels"}},
    "mlp": {"model": {"kind": "vanilla", "latent_dim": 20, "code_activation": "tanh"}, "pretraining": False},
    "stack": {"model": {"kind": "stacked", "layers": [LAYER | {"latent_dim": k, "training": {"epochs": 1}} for k in (20, 16)]}},
    "cae": {"model": {"kind": "contractive", "weight": 0.1} | SIGMOID, "measures": ["jacobian", "saturated"]},
    "decay": {"model": {"kind": "vanilla", "training": {"optimiser": "sgd", "weight_decay": 0.01}} | SIGMOID},
}
"""Runs of classifiers, as in papers on pretraining, each with a classification error."""


def write_classifiers(*names, **classifier):
    every = {name: run | {"measures": [*run.get("measures", []), "classification_error"]} for name, run in CLASSIFIERS.items()}
    chosen = {name: run | {"classifier": CLASSIFIER | classifier} for name, run in every.items() if name in (names or every)}
    write(runs=chosen, rows=[PAPER["rows"][0] | {"run": next(iter(chosen)), "measure": "classification_error"}])


def test_classifiers_are_trained_with_labels_and_measured_on_test_images(project):
    write_classifiers(epochs=20)
    run("small")
    values = lines()
    assert {name for name, measure, _ in values if measure == "classification_error"} == set(CLASSIFIERS)
    seeds = {name: {seed for run, _, seed in values if run == name} for name in CLASSIFIERS}
    assert seeds == {key: {3, 5} for key in CLASSIFIERS}, "a classifier on raw pixels depends on the seed, too"
    errors = {name: values[name, "classification_error", 3] for name in CLASSIFIERS}
    assert errors["mlp"] < 20
    from sklearn.linear_model import LogisticRegression

    read = runs.Data.read(papers.find("small"), "data").splits
    fitted = LogisticRegression(C=1e6, max_iter=2000).fit(read["train"].images, read["train"].labels)
    best = 100 * (fitted.predict(read["test"].images) != read["test"].labels).mean()
    assert errors["linear"] == pytest.approx(best, abs=8), "20 epochs do not reach the minimum"


def trained(monkeypatch):
    """The phases of training: (ensemble before and after, images, settings)."""
    phases, original = [], runs.minimise

    def minimise(ensemble, images, training, *args, **kw):
        before = {name: value.clone() for name, value in ensemble.state.items()}
        history = original(ensemble, images, training, *args, **kw)
        phases.append((before, {name: value.clone() for name, value in ensemble.state.items()}, images, training))
        return history

    monkeypatch.setattr(runs, "minimise", minimise)
    return phases


def test_a_stack_is_pretrained_layer_by_layer_and_then_fine_tuned_with_labels(project, monkeypatch):
    phases = trained(monkeypatch)
    write_classifiers("stack")
    run("small")
    (_, first, images, training), (_, second, codes, _), (start, _, labelled, tuning) = phases
    assert [images.train.shape, codes.train.shape, labelled.train.shape] == [(997, 64), (2, 997, 20), (997, 74)]
    assert (training.epochs, training.optimiser) == (1, "adam")
    assert (tuning.epochs, tuning.optimiser, tuning.momentum, tuning.criterion) == (4, "sgd", 0.5, "error")
    for layer, state in enumerate((first, second)):
        name = f"encoder.layers.{layer}.encoder.layers.0.weight"
        assert torch.equal(start[name], state["encoder.layers.0.weight"])


def test_threads_of_measures_do_not_change_those_of_training(project, monkeypatch):
    threads, original = [], runs.minimise
    monkeypatch.setattr(runs, "minimise", lambda *a, **kw: (threads.append(torch.get_num_threads()), original(*a, **kw))[1])
    write_classifiers("cae")
    document = YAML(typ="safe").load(papers.file("small")) | {"compute": {"threads": 2}}
    with papers.file("small").open("w") as stream:
        YAML().dump(document, stream)
    run("small")
    assert threads == [1, 1]


def test_without_pretraining_the_encoder_starts_from_its_initial_weights(project, monkeypatch):
    phases = trained(monkeypatch)
    write_classifiers("mlp")
    run("small")
    ((start, *_),) = phases
    fresh = runs.Ensemble(lambda: runs.models.build(CLASSIFIERS["mlp"]["model"], 64), (3, 5)).state
    assert all(torch.equal(start[f"encoder.{name}"], value) for name, value in fresh.items())


def test_jacobian_and_saturation_are_those_of_the_encoder_before_fine_tuning_on_validation_images(project, monkeypatch):
    phases = trained(monkeypatch)
    write_classifiers("cae")
    run("small")
    validation = torch.from_numpy(runs.Data.read(papers.find("small"), "data").splits["validation"].images)
    weight, bias = (phases[0][1][f"encoder.layers.0.{name}"][1] for name in ("weight", "bias"))
    h = torch.sigmoid(validation @ weight + bias).double()
    norm = ((h * (1 - h)).square() @ weight.double().square().sum(0)).sqrt().mean()
    values = lines()
    assert values["cae", "jacobian", 5] == pytest.approx(float(norm), rel=1e-5)
    assert values["cae", "saturated", 5] == pytest.approx(100 * float(((h < 0.05) | (h > 0.95)).double().mean()), abs=0.1)


def test_a_classifier_that_is_killed_while_it_is_fine_tuned_goes_on_with_the_same_results(project, monkeypatch):
    write_classifiers("stack")
    run("small")
    whole = lines()
    for file in storage.CHECKPOINTS.rglob("*.json"):
        file.unlink()
    phases, original = trained(monkeypatch), runs.minimise

    def fail_at_the_third(*args, **kw):
        if len(phases) == 2:
            raise KeyboardInterrupt
        return original(*args, **kw)

    monkeypatch.setattr(runs, "minimise", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run("small")
    assert len(list(storage.CHECKPOINTS.rglob("stack-*.safetensors"))) == 2
    monkeypatch.setattr(runs, "minimise", original)
    run("small")
    assert lines() == whole and not list(storage.CHECKPOINTS.rglob("*.safetensors"))


def test_a_quantity_may_be_relative_to_another_run(project):
    row = PAPER["rows"][0] | {"run": "ae", "relative_to": "other", "band": [0, 1]}
    paper = config.check(Paper, PAPER | {"rows": [row]}, "p")
    values = {"ae": {"sse": [1.0, 6.0]}, "other": {"sse": [4.0, 8.0]}}
    each = reporting.PaperResults("p", paper, values, {"ae": 1.0}, {"ae": "x"})
    assert each.estimate(each.paper.rows[0]).mean == 0.5, "the mean of 1/4 and 6/8"
    assert each.columns[1].cells == ["SSE (relative to other)"]


def test_the_report_shows_published_numbers_ours_and_what_differs(project):
    write(rows=[*PAPER["rows"], PAPER["rows"][0] | {"title": "PCA-2 again", "adapted": "Fewer images."}])
    write("absent")
    run("small")
    reporting.write()
    text, latex = (Path(f"reports/papers.{ending}").read_text() for ending in ("md", "tex"))
    sse = lines()["pca", "sse", 3]
    first = next(line for line in text.splitlines() if line.startswith("| PCA-2 "))
    cells = [cell.strip() for cell in first.split("|")[1:8]]
    assert cells == ["PCA-2", "SSE (per image)", "3.4", f"{sse:.3f}", "1", "3 to 4", "reproduced"]
    assert "not reproduced" in text and "adapted, within band" in text
    assert "**AE-4.** Source: Fig. 1. Explanation: Too short." in text
    assert "**PCA-2 again.** Source: Table 1. Adapted: Fewer images." in text
    assert "absent: `make reproduce PAPERS=absent`" in text
    assert r"A \& B (2000)" in latex and r"100 \% autoencoders" in latex


def test_the_page_has_a_section_of_papers_with_results(fake_project):
    write(rows=[PAPER["rows"][0], PAPER["rows"][1] | {"adapted": "Adam < SGD.", "published": 0.1}])
    file = page.section_file(fake_runs.DATASET)
    file.parent.mkdir(parents=True)
    file.write_text("<p>a data set</p>")
    page.write_index()
    assert "published numbers" not in page.INDEX.read_text()
    run("small")
    page.write_index()
    text = page.INDEX.read_text()
    assert "<h2>Which published numbers do we reproduce?</h2>" in text and "A &amp; B (2000)" in text
    assert '<td class="left text reproduced">reproduced</td>' in text
    assert '<td class="left text not-reproduced">not reproduced</td>' in text
    assert "Adapted: Adam &lt; SGD." in text and "Explanation: Too short." in text
    (cell,) = re.findall(r">(\d\.\d{3} ± \d\.\d{3})<", text)
    low, high = (lines()["ae", "sse", seed] for seed in (3, 5))
    assert cell.startswith(f"{(low + high) / 2:.3f}")


def results(band, value, kind="paper", **changes):
    row = PAPER["rows"][0] | {"band": band} | changes
    paper = config.check(Paper, PAPER | {"kind": kind, "rows": [row]}, "p")
    return reporting.PaperResults("p", paper, {"pca": {"sse": value}}, {"pca": 1.0}, {"pca": "x"})


@pytest.mark.parametrize(
    ("band", "value", "changes", "verdict"),
    [
        ([3.0, 4.0], [3.9, 4.1], {}, "reproduced"),
        ([3.0, 4.0], [3.9, 4.2], {}, "not reproduced"),
        ([3.0, None], [2.9], {}, "not reproduced"),
        ([3.0, None], [300.0], {}, "reproduced"),
        ([None, 3.0], [3.0], {"adapted": "Adam."}, "adapted, within band"),
        ([None, 3.0], [3.1], {"adapted": "Adam."}, "not reproduced"),
        ([None, 3.0], [float("nan")], {}, "not reproduced"),
        ([None, 3.0], [2.0], {"published": None}, "no published number"),
        ([None, 3.0], [2.0], {"kind": "record", "adapted": "SiLU."}, "target reached"),
        ([None, 3.0], [3.1], {"kind": "record"}, "target not reached"),
    ],
)
def test_a_verdict_compares_the_mean_over_seeds_with_the_band(band, value, changes, verdict):
    each = results(band, value, **changes)
    assert each.verdict(each.paper.rows[0]) == verdict


def test_rows_with_equal_notes_share_one_note():
    rows = [
        {"title": title, "run": run, "measure": measure, "published": 1.0, "source": "Table 1", "adapted": adapted}
        for title, run, measure, adapted in (
            ("A", "ae", "sse", "Adam."),
            ("A", "ae", "linear_probe_error", "Adam."),
            ("B", "pca", "sse", "Adam."),
            ("C", "pca", "sse", "Adam."),
            ("C", "pca", "knn_3_error", "Fewer images."),
        )
    ]
    results = reporting.PaperResults("small", Paper(**PAPER | {"rows": rows}), {}, {}, {})
    assert results.notes == [
        ("A; B; C (SSE)", "Source: Table 1. Adapted: Adam."),
        ("C (3-NN error)", "Source: Table 1. Adapted: Fewer images."),
    ]


def test_an_explanation_is_shown_only_where_a_band_is_missed():
    for value, shown in ((3.5, False), (5.0, True)):
        each = results([3.0, 4.0], [value], explanation="Too short.")
        assert ("Too short." in each.notes[0][1]) == shown


def test_results_of_other_settings_are_left_out_with_a_line(project, capsys):
    run("small")
    assert [each.name for each in reporting.read()[0]] == ["small"]
    write(rows=[PAPER["rows"][0] | {"band": [0, 1]}])
    assert [each.name for each in reporting.read()[0]] == ["small"]
    write(training=PAPER["training"] | {"epochs": 5})
    assert reporting.read() == ([], ["small"])
    reporting.write()
    assert "left out; to update it: make reproduce PAPERS=small" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(35.2, "35 s"), (720, "12 min"), (11_100, "3 h 05 min")])
def test_wall_times_are_printed_in_units_that_people_read(seconds, text):
    assert reporting.duration(seconds) == text


def changed_run(**changes):
    return {"runs": PAPER["runs"] | {"ae": PAPER["runs"]["ae"] | changes}}


def changed_row(**changes):
    return {"rows": [PAPER["rows"][0] | changes]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tite": "x"}, "a key of conf/papers/small.yaml must be one of"),
        ({"kind": "recrd"}, "conf/papers/small.yaml:kind must be one of paper, record, got 'recrd' (did you mean 'record'?)"),
        ({"seeds": [1, 1]}, "conf/papers/small.yaml:seeds must not contain duplicates"),
        ({"data": {"source": "mnst", "validation": 1}}, "conf/papers/small.yaml:data.source must be one of"),
        (changed_run(measures=["sse", "knn_2_error"]), "runs.ae.measures must be one of"),
        (changed_run(measures=["sse", "sse"]), "runs.ae.measures must not contain duplicates"),
        (changed_run(model={"kind": "vanila", "latent_dim": 2}), "runs.ae.model.kind must be one of"),
        (
            changed_run(model={"kind": "vanilla", "laten_dim": 2}),
            "a key of conf/papers/small.yaml:runs.ae.model must be one of",
        ),
        (
            changed_run(model={"kind": "vanilla", "latent_dim": 2, "training": {"epoch": 2}}),
            "a key of conf/papers/small.yaml:runs.ae.model.training must be one of",
        ),
        (
            {"runs": {"a b": PAPER["runs"]["ae"]}},
            "runs must have names of 1 to 64 letters, digits and underscores that begin with a letter, got 'a b'",
        ),
        (changed_row(run="pcs"), "rows.0.run must be one of ae, pca, got 'pcs' (did you mean 'pca'?)"),
        (
            changed_row(measure="ssr"),
            "rows.0.measure (of runs.pca.measures) must be one of knn_3_error, sse, got 'ssr' (did you mean 'sse'?)",
        ),
        (
            changed_run(measures=["classification_error"]),
            "runs.ae.classifier must be given for the measure classification_error",
        ),
        (changed_run(classifier={"epoch": 2}), "a key of conf/papers/small.yaml:runs.ae.classifier must be one of"),
        (
            {"training": PAPER["training"] | {"criterion": "error"}},
            "runs.pca.model.training.criterion must be loss except in classifier, got error",
        ),
        (
            changed_run(model={"kind": "stacked", "layers": [LAYER | {"latent_dim": 2, "training": {"epoch": 1}}]}),
            "a key of conf/papers/small.yaml:runs.ae.model.layers.0.training must be one of",
        ),
        (
            changed_run(
                model={"kind": "stacked", "layers": [LAYER | {"latent_dim": 2, "training": {"criterion": "error"}}]},
                measures=["sse"],
            ),
            "runs.ae.model.layers.0.training.criterion must be loss except in classifier, got error",
        ),
        (changed_run(model={"kind": "vanilla", "latent_dim": 2 * 10**9}), "small.yaml:runs.ae.model (one seed) must fit into"),
        (changed_run(model={"kind": "vanilla", "latent_dim": 2**61}), "runs.ae.model must fit into memory, got more weights"),
        (changed_run(measures=["nll"]), "runs.ae.measures must be measures of this model, got nll, which needs a likelihood"),
        (changed_run(measures=["active_units"]), "measures of this model, got active_units, which needs a posterior"),
        (changed_run(measures=["saturated"]), "measures of this model, got saturated, which needs sigmoid units in the code"),
        ({"seeds": [2**70]}, "conf/papers/small.yaml:seeds.0 must be"),
        (changed_row(relative_to="a"), "rows.0.relative_to must be one of ae, pca, got 'a'"),
        (changed_row(relative_to="ae", measure="knn_3_error"), "rows.0.measure (of runs.ae.measures) must be one of"),
        (changed_row(band=[2.0, 1.0]), "rows.0.band must be [low, high] with low <= high, one of which may be null"),
        (changed_row(band=[None, None]), "rows.0.band must be [low, high]"),
        (changed_row(band=[1.0]), "rows.0.band"),
        (changed_row(publishd=1.0), "a key of conf/papers/small.yaml:rows.0 must be one of"),
    ],
)
def test_invalid_settings_are_named(project, changes, message):
    write(**changes)
    with pytest.raises(InputError) as error:
        checks.check(papers.find("small"), "conf/papers/small.yaml:")
    assert message in str(error.value)


def test_an_unknown_paper_names_the_nearest(project):
    with pytest.raises(InputError, match=r"suite.papers must be one of small, got 'smal' \(did you mean 'small'\?\)"):
        papers.find("smal")


def test_no_path_leads_from_test_images_into_training(project, monkeypatch):
    """With other test images, training and selection are the same, only the measures differ."""
    phases = trained(monkeypatch)
    write_classifiers("cae")
    run("small")
    read = runs.Data.read.__func__

    def other_test_images(cls, paper, path):
        whole = read(cls, paper, path)
        test = whole.splits["test"]
        other = storage.Split(test.images[::-1].copy() * 0.5, test.labels)
        return cls(whole.splits | {"test": other}, whole.about, "other")

    first = lines()
    monkeypatch.setattr(runs.Data, "read", classmethod(other_test_images))
    run("small")
    assert len(phases) == 4
    for (_, before, *_), (_, after, *_) in zip(phases[:2], phases[2:], strict=True):
        assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    values = lines()
    assert values["cae", "jacobian", 3] == first["cae", "jacobian", 3]
    assert values["cae", "classification_error", 3] != first["cae", "classification_error", 3]


@pytest.mark.parametrize("name", papers.names())
def test_the_papers_are_valid_and_every_measure_has_a_row(name):
    paper = papers.find(name)
    checks.check(paper, f"conf/papers/{name}.yaml:")
    measured = {(run, measure) for run, settings in paper.runs.items() for measure in settings.measures}
    assert measured == {(run, row.measure) for row in paper.rows for run in (row.run, row.relative_to) if run}


def test_rows_have_a_number_or_say_that_there_is_none():
    for name in papers.names():
        for row in papers.find(name).rows:
            assert row.published is not None or "no" in row.source or "without" in row.source, (name, row.title)
