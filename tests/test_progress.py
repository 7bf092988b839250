"""The durations from which the remaining time of a run is estimated."""

import pytest

from aebench.pipeline.progress import DURATIONS, Durations


@pytest.mark.parametrize("text", ["", "[]", '{"check": null}'])
def test_a_damaged_file_of_durations_is_a_missing_one(empty_folder, text):
    DURATIONS.parent.mkdir(parents=True)
    DURATIONS.write_text(text)
    durations = Durations()
    assert durations.of(["train@a-b", "train@a-c"]) == {}
    durations.record("train@a-b", 3.0)
    durations.save()
    assert Durations().of(["train@a-b", "train@a-c"]) == {"train@a-b": 3.0, "train@a-c": 3.0}
