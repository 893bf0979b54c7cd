"""Which results commits refer to, as git says."""

import subprocess

from hfpl.versioning.objects import named_results


def committed_results(file: str = "dvc.lock") -> set[str]:
    """Every result that a ``dvc.lock`` names in any commit of any branch, tag or stash.

    Raises:
        ValueError: git does not answer: nothing may be taken for unreferred to then.
    """
    # Plumbing alone, since no setting of a person's changes what it prints; with the full history,
    # or a version that a merge left behind would not be seen.
    commits = _git("rev-list", "--all", "--full-history", "--", file).split()
    prefix = _git("rev-parse", "--show-prefix").removesuffix("\n")
    names = "".join(f"{commit}:{prefix}{file}\n" for commit in commits)
    known = (line.split() for line in _git("cat-file", "--batch-check", asked=names).splitlines())
    versions = sorted({words[0] for words in known if words[1:2] == ["blob"]})
    return {name for one in versions for name in named_results(_git("cat-file", "blob", one))}


def _git(*arguments: str, asked: str = "") -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            input=asked,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        if not done.returncode:
            return done.stdout
        reason = " ".join(done.stderr.split()) or f"'git {arguments[0]}' has failed"
    raise ValueError(
        f"git cannot tell which results commits refer to: {reason}; mend that, or add "
        "--without-git where no commit refers to any"
    )
