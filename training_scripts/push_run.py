"""What a run has made, to the Hub: what `finetune.py --push-to-hub` does, by the code of `camvig push`.

What always holds: whether the token may write is asked before anything is trained, and a push that fails after the run
changes nothing on disk and says the command that goes on.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from ..pipelines.hub_upload import prepare_repository
from ..pipelines.push_checkpoint import push_checkpoint


def check_push(repo_id: str, is_adapter: bool, private: bool):
    """Makes the repository where it is missing. Raises ValueError unless the token may write there; one line."""
    prepare_repository(repo_id, "adapter" if is_adapter else "pipeline", private or None)


def push_run(output: Path, repo_id: str, is_adapter: bool, private: bool) -> str:
    """Pushes `<output>/pipeline`, or the adapter in `<output>/model` alone, with the record of the run; the commit's address.

    Raises:
        ValueError: the push failed; it says how to push what was trained.
    """
    result = output / ("model" if is_adapter else "pipeline")
    try:
        return push_checkpoint(result, repo_id, runs=[output], private=private or None).commit_url
    except Exception as error:
        words = ["camvig", "push", str(result), "--repo-id", repo_id, "--run", str(output)]
        command = shlex.join([*words, "--private"] if private else words)
        raise ValueError(f"{error}; what was trained is whole in {output}, push it with: {command}") from error
