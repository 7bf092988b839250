"""Claims about studies and about pairs of models get another verdict when a model, a loss or the experiment is broken.

Every model is trained here on a few digits, with and without a defect, and measured by the metrics of the report; the rules are
those of claims.yaml. Most settings differ from conf/digits.yaml: they are chosen so that training takes seconds and that every
verdict has a margin, since results on other processors differ like those of other seeds.
"""

from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from project import ROOT

from aebench import objectives, storage, studies
from aebench.classifiers import feature_classifier
from aebench.data.digits import Digits
from aebench.data.splits import divide
from aebench.evaluation.arrays.contraction import contraction
from aebench.evaluation.arrays.density import density
from aebench.evaluation.arrays.generation import generation
from aebench.evaluation.metrics import METRICS, PROFILES, QUESTIONS
from aebench.evaluation.representation import represent_codes, view_of
from aebench.evaluation.settings import evaluation
from aebench.models.images import Images
from aebench.reporting import claims
from aebench.reporting.claims import REFUTED, SUPPORTED, UNDECIDED, Claim
from aebench.reporting.results import ModelResults, Results, StudyResults
from aebench.storage import yaml_files
from aebench.studies.point import Point
from aebench.studies.run import COMPUTE
from aebench.training.cost import cost
from aebench.training.run import TrainingRun

ALL = {name: claim for chapter in claims.claims().values() for name, claim in chapter.items()}
DATASET, SEEDS, TRAINING_IMAGES = "digits", [0, 1, 2, 3, 4], 1000
SOURCE = Digits(source="digits", test=300, validation=100)
ARRAYS = {"contraction": contraction, "density": density, "generation": generation}
"""Question -> the arrays that its metrics need."""

BRIEFLY = {"epochs": 12, "learning_rate": 0.012}

# Settings: models of conf/digits.yaml, or a study


def layers(*widths: int, labels: float | list[float], updates: int, **pretraining: dict) -> dict[str, Any]:
    """A study of depth with sigmoid layers and the historical initialisation."""
    common = {"code_activation": "sigmoid", "initialisation": "uniform"}
    fractions = labels if isinstance(labels, list) else [labels]
    classifier = {"fractions": fractions, "updates": updates, "batch_size": 64, "learning_rate": 0.003}
    pretraining = {name: layer | common for name, layer in pretraining.items()}
    rest = {"pretraining": pretraining, "training": {"epochs": 6}, "classifier": classifier}
    return {"kind": "depth", "question": "?", "latent_dims": list(widths)} | rest


def images(metrics: list[str], level: float, **settings: Any) -> dict[str, Any]:
    """A study of training with 100 images."""
    ae = settings | {"kind": "vanilla"}
    models = {"ae": ae, "dae": ae | {"kind": "denoising", "level": level}}
    return {
        "kind": "sweep",
        "question": "?",
        "vary": "training_images",
        "values": [100, 300],
        "models": models,
        "metrics": metrics,
    }


def vae(**settings: Any) -> dict[str, Any]:
    return {"kind": "variational", "hidden": [128], "latent_dim": 8, "observation": "gaussian"} | settings


MODELS = {
    "cae": {"kind": "contractive", "latent_dim": 128, "weight": 0.1, "training": {"epochs": 15, "learning_rate": 0.048}},
    "dae_sigmoid": {
        "kind": "denoising",
        "latent_dim": 128,
        "code_activation": "sigmoid",
        "tied": True,
        "level": 0.2,
        "training": {"epochs": 15, "learning_rate": 0.048},
    },
    "vae_mse": vae(training={"learning_rate": 0.006}),
    "vae_mse_mean": vae(variance=32),
    "vae_learnt": vae(variance="learnt", training={"learning_rate": 0.012}),
}
STUDIES = {
    "overfitting": images(["sse", "sse_gap"], 0.2, hidden=[128], latent_dim=8, training={"epochs": 25})
    | {"early_stopping": False},
    "training_size": images(["sse"], 0.8, hidden=[64], latent_dim=4, training=BRIEFLY),
    "sparsity_weight": {
        "kind": "sweep",
        "question": "?",
        "vary": "weight",
        "values": [0.01, 1.0],
        "models": {
            "kl": {"kind": "sparse", "latent_dim": 128, "target": 0.1, "training": BRIEFLY},
            "l1": {
                "kind": "sparse",
                "latent_dim": 128,
                "penalty": "l1",
                "code_activation": "relu",
                "output": "softplus",
                "training": BRIEFLY | {"learning_rate": 0.024},
            },
        },
        "metrics": ["sse", "population_sparsity", "dead_units"],
    },
    "depth": layers(64, 16, 8, 4, labels=1.0, updates=40, dae={"kind": "denoising", "level": 0.2}),
}
OTHER_SETTINGS = {
    "dae_few_images": images(["linear_probe_by_labels/10 per class"], 0.95, hidden=[64], latent_dim=4, training=BRIEFLY),
    "dae_pretrains_better": layers(
        64, 32, 16, labels=1.0, updates=100, ae={"kind": "vanilla"}, dae={"kind": "denoising", "level": 0.8}
    ),
    "pretraining_vs_modern_few_labels": layers(128, 48, 12, labels=0.01, updates=300, dae={"kind": "denoising", "level": 0.3})
    | {"training": {"epochs": 14}},
    "fine_tuning": layers(64, 32, 16, labels=[0.01, 1.0], updates=200, dae={"kind": "denoising", "level": 0.2}),
}
"""Claim -> settings of its study, if they differ from `STUDIES`."""

# Defects: path -> what replaces the object there


@dataclass(frozen=True)
class Defect:
    """`patches` replace correct code, which the models or series `affected` use."""

    patches: dict[str, Callable]
    affected: tuple[str, ...]


def with_codes_without_gradient(self, x, noise):
    return {"reconstruction": self.reconstruction(x, self.encode(x).detach())}


def pretrain_on_codes_of_untrained_layers(self, ensemble, images, train):
    for i in range(len(self.layers)):
        layer = ensemble.submodule(f"layers.{i}.")
        codes = Images(layer.codes(images.train), layer.codes(images.validation))
        train(i, layer, images)
        ensemble.load(layer.state, f"layers.{i}.")
        images = codes


def activation_kl_of_means_over_units(h, target):
    return activation_kl(h.T, target)


activation_kl, l1, layer_contraction = objectives.activation_kl, objectives.l1, objectives.layer_contraction
gaussian_kl, gaussian_nll = objectives.gaussian_kl, objectives.gaussian_nll
OBJECTIVES = "aebench.objectives"
DEFECTS = {
    "the pixels to mask are kept": Defect(
        {"aebench.models.denoising.Denoising.level": lambda self, progress: 1 - self.settings.level}, ("dae", "dae_sigmoid")
    ),
    "the encoder has no gradient": Defect({"aebench.models.vanilla.Vanilla.terms": with_codes_without_gradient}, ("ae",)),
    "the activations are averaged over units": Defect(
        {f"{OBJECTIVES}.activation_kl": activation_kl_of_means_over_units}, ("kl",)
    ),
    "the L1 penalty has the wrong sign": Defect({f"{OBJECTIVES}.l1": lambda h: -l1(h)}, ("l1",)),
    "the contraction has no gradient": Defect(
        {f"{OBJECTIVES}.layer_contraction": lambda slopes, weight: layer_contraction(slopes, weight).detach()}, ("cae",)
    ),
    "layers are trained on codes of untrained layers": Defect(
        {"aebench.models.stacked.Stacked.pretrain": pretrain_on_codes_of_untrained_layers}, ("dae",)
    ),
    "fine-tuned classifiers are those before training": Defect(
        {"aebench.studies.depth.Finetuning.train": lambda self, initialisation, *_: self.classifiers(initialisation).state},
        ("dae",),
    ),
    "depths are counted from the top": Defect(
        {"aebench.studies.depth.Point": lambda series, depth, values: Point(series, 5 - depth, values)}, ("dae",)
    ),
    "the KL is averaged over units": Defect(
        {f"{OBJECTIVES}.gaussian_kl": lambda mean, log_variance: gaussian_kl(mean, log_variance) / mean.shape[-1]}, ("vae_mse",)
    ),
    "the KL has a weight of 0.001": Defect(
        {f"{OBJECTIVES}.gaussian_kl": lambda mean, log_variance: 0.001 * gaussian_kl(mean, log_variance)}, ("vae_mse_mean",)
    ),
    "the variance has no gradient": Defect(
        {f"{OBJECTIVES}.gaussian_nll": lambda x, mean, log_variance: gaussian_nll(x, mean, log_variance.detach())},
        ("vae_learnt",),
    ),
}
SOUND = Defect({}, ())

NOT_SUPPORTED, NOT_REFUTED = {REFUTED, UNDECIDED}, {SUPPORTED, UNDECIDED}
"""For effects at most two half-widths from their bound, which another processor may leave undecided."""
CASES = [
    ("dae_overfitting", {SUPPORTED}, "the pixels to mask are kept", {REFUTED}),
    ("dae_error_few_images", {REFUTED}, "the encoder has no gradient", {SUPPORTED}),
    ("dae_few_images", NOT_SUPPORTED, "the encoder has no gradient", {SUPPORTED}),
    ("kl_sparser_with_weight", {REFUTED}, "the activations are averaged over units", {SUPPORTED}),
    ("l1_sparser_with_weight", {SUPPORTED}, "the L1 penalty has the wrong sign", {REFUTED}),
    ("l1_dead_units", {SUPPORTED}, "the L1 penalty has the wrong sign", {REFUTED}),
    ("cae_dae_density", {SUPPORTED}, "the contraction has no gradient", NOT_SUPPORTED),
    ("cae_dae_contracts", {SUPPORTED}, "the contraction has no gradient", NOT_SUPPORTED),
    ("fine_tuning", NOT_REFUTED, "fine-tuned classifiers are those before training", {REFUTED}),
    ("features_by_depth", {REFUTED}, "depths are counted from the top", {SUPPORTED}),
    ("deeper_classifies_better", {REFUTED}, "depths are counted from the top", {SUPPORTED}),
    ("dae_pretrains_better", {REFUTED}, "the encoder has no gradient", {SUPPORTED}),
    ("pretraining_vs_modern_few_labels", NOT_REFUTED, "layers are trained on codes of untrained layers", {REFUTED}),
    ("mse_sum", {REFUTED}, "the KL is averaged over units", {SUPPORTED}),
    ("mse_mean", {REFUTED}, "the KL has a weight of 0.001", {SUPPORTED}),
    ("learnt_variance", {SUPPORTED}, "the variance has no gradient", {REFUTED}),
]
"""Claim, possible verdicts on sound models, defect, possible verdicts on broken models."""


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory):
    """A folder with digits, settings and a feature classifier."""
    with chdir(tmp_path_factory.mktemp("digits")):
        raw = SOURCE.read()
        for name, split in divide(raw, SOURCE, "data").items():
            count = TRAINING_IMAGES if name == "train" else None
            storage.save_split(DATASET, name, storage.Split(split.images[:count], split.labels[:count]))
        storage.save_about(DATASET, raw.about)
        suite = {"datasets": [DATASET], "models": list(MODELS), "seeds": SEEDS}
        Path("conf").mkdir()
        yaml_files.write_yaml(Path("params.yaml"), {"suite": suite})
        write_settings()
        feature_classifier.train(DATASET)
        yield


def write_settings(**study: dict[str, Any]) -> None:
    training = {"epochs": 20, "batch_size": 64, "learning_rate": 0.024, "schedule": "cosine"}
    evaluated = {
        "density": {"images": 50, "samples": 10, "draws": 20, "steps": 2, "directions": 64, "levels": 17},
        "generation": {"mixture_components": 1, "mixture_rounds": 1},
    }
    changes = {"training": training, "evaluation": evaluated, "models": MODELS, "stacks": {}, "studies": study, "remarks": []}
    changes |= {"feature_classifier": {"updates": 500}, "linear_probe": {}, "compute": {}}
    yaml_files.write_yaml(Path("conf/digits.yaml"), storage.read_yaml(ROOT / "conf" / "digits.yaml") | changes)


@cache
def points(claim: str, study: str, task: str, defect: str) -> list[Point]:
    """The results of a task of a study; `claim` is a key of `OTHER_SETTINGS`, or empty."""
    write_settings(**{study: OTHER_SETTINGS.get(claim) or STUDIES[study]})
    settings = studies.find(DATASET, study)
    with broken(defect):
        return COMPUTE[settings.kind](settings, DATASET, study, task)


@cache
def measured(model: str, quantities: tuple[str, ...], defect: str) -> ModelResults:
    """The results of a model; `quantities` are metrics and positions of profiles."""
    write_settings()
    with broken(defect):
        experiment = TrainingRun(DATASET, model)
        ensemble = experiment.ensemble()
        history = ensemble.model.fit(ensemble, experiment.images, experiment.minimise)
    trained = storage.Trained(experiment.settings, experiment.shape, experiment.seeds, ensemble.state)
    names = {quantity.partition("/")[0] for quantity in quantities}
    needed = [q for q in ARRAYS if names & {*QUESTIONS[q].METRICS, *QUESTIONS[q].PROFILES}]
    samples: dict[str, list[float]] = {name: [] for name in names & {*METRICS}}
    profiles: dict[str, dict[str, list[float]]] = {name: {} for name in names & {*PROFILES}}
    for i in range(len(SEEDS)):
        view = view_of(DATASET, trained, i)
        arrays = replace(represent_codes(view), **{question: ARRAYS[question](view) for question in needed})
        for name, values in samples.items():
            values.append(METRICS[name].measure(arrays))
        for name, positions in profiles.items():
            for position, value in PROFILES[name].measure(arrays).items():
                positions.setdefault(position, []).append(value)
    return ModelResults(
        name=model,
        folder=experiment.folder,
        pretrained=False,
        settings=experiment.settings,
        training=experiment.training,
        cost=cost(ensemble, history, 0.0, 1),
        seeds=experiment.seeds,
        samples=samples,
        profile_samples=profiles,
        **{part: {} for part in ("classification", "layers", "history", "throughput")},
        probe=None,
    )


@contextmanager
def broken(defect: str) -> Iterator[None]:
    """A context with a defect, or without one if the name is empty."""
    with pytest.MonkeyPatch.context() as patch:
        for path, replacement in DEFECTS.get(defect, SOUND).patches.items():
            patch.setattr(path, replacement)
        yield


def results(name: str, claim: Claim, defect: str) -> Results:
    """The results that the claim quotes; only what is affected by the defect is computed with it."""
    quantities: dict[str, set[str]] = {}
    for owner, _, quantity in (each.partition(":") for test in claim.tests for each in test.quantities):
        quantities.setdefault(owner, set()).add(quantity)
    samples: dict[str, dict] = {}
    models = []
    for owner, names in quantities.items():
        mine = defect if owner in DEFECTS.get(defect, SOUND).affected else ""
        places = {tuple(quantity.split("/")[1:3]) for quantity in names if quantity.startswith("study/")}
        if not places:
            models.append(measured(owner, tuple(sorted(of_the_model(owner))), mine))
        for study, position in places:
            settings = name if name in OTHER_SETTINGS else ""
            task = owner if study == "depth" else f"{owner}={position}"
            for point in points(settings, study, task, mine):
                samples.setdefault(study, {}).setdefault(point.series, {})[f"{point.position:g}"] = point.values
    found = {study: StudyResults(studies.find(DATASET, study), values) for study, values in samples.items()}
    return Results(DATASET, models, evaluation(DATASET), tuple(SEEDS), found)


def of_the_model(model: str) -> set[str]:
    """The quantities of a model in the claims that are tested here."""
    quoted = (each.partition(":") for name, *_ in CASES for test in ALL[name].tests for each in test.quantities)
    return {quantity for owner, _, quantity in quoted if owner == model}


def decide(name: str, defect: str = "") -> str:
    verdict, tests = claims.verdict(results(name, ALL[name], defect), ALL[name])
    for each in tests:
        effect = f"{each.effect.mean:.4f} ± {each.effect.half_width:.4f}"
        print(name, defect, effect, each.test.rule, each.outcome, each.why)
    return verdict


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "sound", "defect", "wrong"), CASES, ids=[case[0] for case in CASES])
def test_a_defect_turns_the_verdict_over(claim, sound, defect, wrong):
    assert not sound & wrong
    assert decide(claim) in sound
    assert decide(claim, defect) in wrong


def test_every_claim_about_a_study_has_a_broken_model():
    """Except one that compares a study with a model of the comparison, which is not trained here."""
    about_studies = {
        name for name, claim in ALL.items() if any(":study/" in q for test in claim.tests for q in test.quantities)
    }
    assert about_studies - {"first_layer_features"} <= {name for name, *_ in CASES}
    assert {defect for *_, defect, _ in CASES} == DEFECTS.keys()
