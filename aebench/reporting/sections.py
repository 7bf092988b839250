"""The sections of a report, in order: one per question of the metrics, and others such as claims, training and cost.

Every table and figure names its section by key.
"""

from aebench.evaluation.metrics import METRICS, OTHERS, PROFILES, QUESTIONS, anomalies, question

SECTIONS: dict[str, str] = {
    "claims": "Which claims of the lecture hold?",
    **{key: question(next(iter(file.METRICS))) for key, file in QUESTIONS.items()},
    "filters": "What do the first units detect?",
    "others": OTHERS,
    "anomalies": anomalies.__doc__.partition("?")[0] + "?",
    "stacked": "What does layer-by-layer pretraining achieve?",
    "studies": "What is the effect of a single setting, of the number of training images and of depth?",
    "learning": "How did the losses evolve during training?",
    "cost": "What does each model cost?",
    "data": "What do the images look like?",
}
"""Key -> question."""


def section(name: str) -> str:
    """Return the key of the section that a metric or profile belongs to."""
    return next((key for key, text in SECTIONS.items() if text == question(name)), "others")


def metrics(key: str) -> list[str]:
    """Return the metrics of a section, in their order."""
    return [name for name in METRICS if section(name) == key]


def profiles(key: str) -> list[str]:
    """Return the profiles of a section, in their order."""
    return [name for name in PROFILES if section(name) == key]
