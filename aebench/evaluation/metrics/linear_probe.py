"""How well does a linear classifier predict the class from frozen codes? Test accuracy of multinomial logistic regression.

`aebench.classifiers.linear_probe` describes how it is fitted. The metric `linear_probe` uses all training labels, with the
penalty chosen on validation images; the profile `linear_probe_by_labels` also uses fewer labels. A constant code scores the
fraction of the largest class, and codes that are unrelated to the class score chance. The stage `classify` uses the settings in
conf/<dataset>.yaml:linear_probe; the functions below use the default settings.
"""

from functools import lru_cache

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation


def linear_probe(r: Representation) -> float:
    """Test accuracy in % with all labels."""
    return _accuracies(r, all_labels_only=True)["1.0"]


def linear_probe_by_labels(r: Representation) -> dict[str, float]:
    """Return the test accuracy in % by the number of labels."""
    return _accuracies(r)


@lru_cache(maxsize=2)
def _accuracies(r: Representation, all_labels_only: bool = False) -> dict[str, float]:
    from aebench.classifiers.linear_probe import LabelledCodes, LinearProbeSettings, probe

    settings = LinearProbeSettings(per_class=[], fractions=[1.0]) if all_labels_only else LinearProbeSettings()
    parts = (
        rows.split([len(rows) - r.validation_count, r.validation_count]) for rows in (r.reference_codes, r.reference_labels)
    )
    train, validation = map(LabelledCodes, *parts)
    results = probe(train, validation, LabelledCodes(r.codes, r.labels), settings, r.seed)
    return {name: result.accuracy for name, result in results.items()}


METRICS = {
    "linear_probe": Metric(
        linear_probe,
        "Linear probe",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy of multinomial logistic regression on frozen codes, with all training labels.",
        main=True,
        stage="classify",
    ),
}
PROFILES = {
    "linear_probe_by_labels": Profile(
        linear_probe_by_labels,
        "Linear probe by number of labels",
        axis="labelled training images, per class or as a fraction",
        better="higher",
        unit="%",
        decimals=2,
        meaning="Test accuracy of multinomial logistic regression on frozen codes, by the number of training labels.",
        stage="classify",
    ),
}
