"""What is wrong on the command line is reported in one line."""

import sys

import pytest
from project import write_skeleton

from aebench.cli import main


@pytest.fixture
def error(monkeypatch, capsys):
    """A function that runs a command which fails, and returns the only line that it prints."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["aebench", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        out, err = capsys.readouterr()
        assert exited.value.code == 1 and not out and err.count("\n") == 1
        return err.strip()

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["workspace", "params.yaml/x"], "params.yaml/x/.dvc must be a valid path, got: Not a directory"),
        (["workspace", "x" * 300], f"{'x' * 300} must be a valid path, got: File name too long"),
        (["compare", "x" * 300, "workspace"], f"{'x' * 300}/conf must be a valid path, got: File name too long"),
        (["judge", "module:load", "--csv", "conf"], "--csv must be a file in a folder that exists, got conf"),
    ],
)
def test_a_wrong_path_is_one_line(tmp_path, monkeypatch, error, arguments, message):
    write_skeleton(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert error(*arguments) == f"error: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "digits"], "params.yaml must be a file in the project's folder, got none"),
        (["judge", "module:load"], "params.yaml must be a file in the project's folder, got none"),
        (["sweep", "digits", "dae", "level=0,1"], "this command must be run in the project's folder or in a workspace, got {}"),
        (["new-model", "mine"], "aebench new-model must be run in the project's folder, got {} without conf"),
    ],
    ids=lambda value: value[0],
)
def test_a_command_outside_a_project_says_so(empty_folder, error, arguments, message):
    assert error(*arguments) == f"error: {message.format(empty_folder)}"
    assert not list(empty_folder.iterdir())


def test_a_model_is_not_exported_into_a_file(trained, tmp_path, monkeypatch, error):
    monkeypatch.chdir(trained)
    assert error("export", "smoke/pca", "params.yaml/x") == "error: params.yaml/x must be a valid path, got: Not a directory"
