"""One folder to one repository of the Hub, in one commit.

What always holds: a failure leaves the files of the repository as they were, for all of them come with a single commit at the
end; a connection that drops is tried again, and weights that have arrived are not sent twice; whatever the Hub says no to is
one `ValueError` of one line that says what to do.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import CommitInfo, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)

from .checkpoint_folder import one_line

SECONDS_BETWEEN_TRIES = (1, 2, 4, 8)
REPLACED = ["*.safetensors", "*.safetensors.index.json", "*.py", "training/*"]
"""Files of an earlier push that go with the commit if the new one has no such file: shards, code, curves."""


def check_repository(repo_id: str, kind: str, token: str | None = None) -> None:
    """Raise `ValueError`, before any work, unless the Hub is there and "user/name" is free or holds the same kind of thing.

    Args:
        kind: "pipeline" or "adapter".
    """
    with _one_line_errors(repo_id):
        _check_free(HfApi(token=token), repo_id, kind)


def prepare_repository(repo_id: str, kind: str, private: bool | None = None, token: str | None = None) -> str:
    """Makes "user/name" where it is missing, and asks the Hub whether the token may write to it; the repository's full name.

    For what pushes hours later: after this, a push fails only for what has changed in between.

    Args:
        kind: "pipeline" or "adapter".
        private: for a new repository; None is the Hub's default.

    Raises:
        ValueError: as `check_repository` does, or the token may not write; one line.
    """
    check_repository(repo_id, kind, token)
    with _one_line_errors(repo_id):
        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        api.auth_check(repo_id, write=True)
        return repo_id


def upload_folder(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    message: str | None = None,
    create_pr: bool = False,
) -> CommitInfo:
    """Sends all files of a folder to "user/name"; the repository and the branch `revision` are made where they are missing.

    Raises:
        ValueError: no such permission, no connection; one line.
    """
    with _one_line_errors(repo_id):
        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        return _commit(api, folder, repo_id, revision=revision, commit_message=message, create_pr=create_pr)


def _commit(api: HfApi, folder: Path, repo_id: str, **how) -> CommitInfo:
    for seconds in (*SECONDS_BETWEEN_TRIES, None):
        try:
            return api.upload_folder(repo_id=repo_id, folder_path=folder, delete_patterns=REPLACED, **how)
        except Exception as error:
            if seconds is None or not _is_dropped(error):
                raise
            warnings.warn(
                f"the connection to the Hub dropped ({one_line(error)}); going on in {seconds} s", stacklevel=2
            )
            time.sleep(seconds)
    raise AssertionError("the last try returns or raises")


def _is_dropped(error: Exception) -> bool:
    """Whether another try may help: the connection broke, or the server failed."""
    if isinstance(error, HfHubHTTPError):
        return error.response is not None and error.response.status_code >= 500
    return isinstance(error, TRANSPORT_ERROR)


TRANSPORT_ERROR: type[Exception] = next(base for base in HfHubHTTPError.__bases__ if base is not OSError)
"""What the HTTP client of huggingface_hub raises when there is no answer (httpx's HTTPError, of whichever httpx it uses)."""


def _check_free(api: HfApi, repo_id: str, kind: str) -> None:
    """Raise `ValueError` if the name is taken by something else than what is pushed."""
    if "/" not in repo_id:
        return  # in the user's own namespace; the Hub completes the name
    if not api.repo_exists(repo_id):
        for other in ("dataset", "space"):
            if api.repo_exists(repo_id, repo_type=other):
                raise ValueError(f"expected a model repository, got {repo_id}, which is a {other}: take another name")
        return
    found = _kind_of(api, repo_id)
    if found not in (None, kind):
        article = "an" if kind == "adapter" else "a"
        raise ValueError(f"expected a repository for {article} {kind}, got {repo_id}, which holds {found}")


def _kind_of(api: HfApi, repo_id: str) -> str | None:
    """What a model repository holds; None for an empty one."""
    files = api.list_repo_files(repo_id)
    if "model_index.json" in files:
        index = json.loads(Path(api.hf_hub_download(repo_id, "model_index.json")).read_text(encoding="utf-8"))
        named = index.get("_class_name")
        name = named[-1] if isinstance(named, list) else named
        return "pipeline" if name == "CamViGPipeline" else f"another pipeline, {name}"
    if "adapter_config.json" in files:
        return "adapter"
    return "another model" if "config.json" in files else None


@contextmanager
def _one_line_errors(repo_id: str) -> Iterator[None]:
    try:
        yield
    except OfflineModeIsEnabled:
        raise ValueError(
            f"expected a connection to the Hub for {repo_id}, got offline mode: unset HF_HUB_OFFLINE"
        ) from None
    except HFValidationError as error:
        raise ValueError(f"expected a repository as user/name, got {repo_id}: {one_line(error)}") from None
    except (RevisionNotFoundError, EntryNotFoundError) as error:
        raise ValueError(f"expected a branch of {repo_id} to push to, got {one_line(error)}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            raise ValueError(
                f"expected a token that may write to {repo_id}, got {status}, {one_line(error)}; log in with "
                "`hf auth login` or set HF_TOKEN to one with write permission. Nothing was pushed"
            ) from None
        raise ValueError(f"expected to push to {repo_id}, got {one_line(error)}. Nothing was pushed") from None
    except TRANSPORT_ERROR as error:
        raise ValueError(
            f"expected a connection to the Hub for {repo_id}, got {one_line(error)}; run the same command again, "
            "it goes on with what is missing. Nothing was pushed"
        ) from None
