"""What a report asks, in its order: the questions of the metrics, and those of what is reported beside them.

A table or a figure belongs to one of them, by its key.
"""

from aebench.metrics import METRICS, OTHERS, PROFILES, QUESTIONS, question

SECTIONS: dict[str, str] = {
    "claims": "What of the lecture holds?",
    **{key: question(next(iter(file.METRICS))) for key, file in QUESTIONS.items()},
    "filters": "What do the first units look for?",
    "others": OTHERS,
    "downstream": "How well does a linear classifier read the class off frozen codes, with few labels and many?",
    "stacked": "What did pretraining layer by layer give?",
    "learning": "How did they learn?",
    "cost": "What does it cost?",
    "data": "What are the images?",
}
"""Key -> question."""


def section(name: str) -> str:
    """The key of the question that a metric or profile helps to answer."""
    return next((key for key, asked in SECTIONS.items() if asked == question(name)), "others")


def metrics(key: str) -> list[str]:
    """The metrics of a section, in their order."""
    return [name for name in METRICS if section(name) == key]


def profiles(key: str) -> list[str]:
    """The profiles of a section, in their order."""
    return [name for name in PROFILES if section(name) == key]
