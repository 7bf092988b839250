"""The commit that last changed each file of a report, and whether it differs from that now; asked of Git in two questions."""

import subprocess
from collections.abc import Iterable, Iterator

MARK = "commit "
NAMED = 4
"""Changed files that are told by name."""


def lines(paths: Iterable[str]) -> Iterator[str]:
    """A line a commit, with how many of these files and folders it was the last to change."""
    wanted = sorted(paths)
    if not wanted:
        return
    last = _last(wanted)
    commits = dict.fromkeys(last.values())
    changed = sorted(line[3:] for line in _git("status", "--porcelain", "--", *wanted).splitlines())
    for commit in commits:
        files = [file for file in last if last[file] == commit]
        yield f"  {len(files)} file{'s' * (len(files) > 1)} of commit {commit}"
    if changed:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        yield f"  not committed as {'they are' if len(changed) > 1 else 'it is'}: {', '.join(changed[:NAMED])}{more}"


def _last(paths: list[str]) -> dict[str, str]:
    """File -> the commit that last changed it, of the files that Git has now."""
    present = set(_git("ls-files", "--", *paths).splitlines())
    found: dict[str, str] = {}
    commit = ""
    for line in _git("log", f"--format={MARK}%h", "--name-only", "--", *paths).splitlines():
        if line.startswith(MARK):
            commit = line.removeprefix(MARK)
        elif line in present:
            found.setdefault(line, commit)
    return found


def _git(*arguments: str) -> str:
    """What Git prints, paths as they are; nothing where there is no Git or no repository."""
    try:
        done = subprocess.run(["git", "-c", "core.quotePath=off", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout
