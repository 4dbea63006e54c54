"""The videos of a folder: which there are, their splits, and their licences.

What always holds: a video's split follows from its contents alone, so it stays when others are added, when it is renamed
and on any machine, and a copy under another name is a counted skip, not a second video; nothing says a licence but the
folder's `index.json` or the caller.

`index.json`, if there is one, is a list of {"file": "clips/a b.mp4", "licence": "CC0-1.0", "origin": "where it is from"};
the file's name is relative to the folder, with /; other keys are left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from .video_reader import VIDEO_SUFFIXES
from .video_report import VideoFileReport

INDEX_NAME = "index.json"
HASHED_END_BYTES = 1 << 20  # of each end of a file; between them two videos of one size do not differ alone
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class VideoFile:
    """A video to be cut."""

    file: Path
    name: str  # relative to the folder, with /
    content_hash: str  # 16 hexadecimal digits
    split: str
    licence: str
    credit: str  # the index's "origin", or ""

    def new_report(self) -> VideoFileReport:
        return VideoFileReport(self.name, split=self.split, licence=self.licence)


@dataclass(frozen=True)
class VideoFolder:
    """What `find_videos` found."""

    videos: list[VideoFile]  # in order of their names
    skipped: list[VideoFileReport]  # files with a video's name that are not to be cut, with the reason
    other_files: int  # without a video's name


def find_videos(folder: Path, licence: str | None, validation_share: float, test_share: float) -> VideoFolder:
    """Looks through a folder and the folders in it; `licence` is of the videos of which the index states none.

    Raises ValueError if there is no such folder, or its index cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"expected a folder of videos, got {folder}: no such folder")
    index = _read_index(folder / INDEX_NAME)
    videos, skipped = [], []
    first_with: dict[str, str] = {}  # hash of content -> name
    files = files_in(folder)
    candidates = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    for file in candidates:
        name = name_in(folder, file)
        entry = index.get(name, {})
        stated = entry.get("licence") or licence or ""
        content_hash = hash_of_content(file)
        reason = _why_not(stated, content_hash, first_with)
        if reason is not None or content_hash is None:
            skipped.append(VideoFileReport(name, licence=stated, skipped_because=reason))
            continue
        first_with[content_hash] = name
        split = split_of(content_hash, validation_share, test_share)
        videos.append(VideoFile(file, name, content_hash, split, stated, entry.get("origin") or ""))
    return VideoFolder(videos, skipped, len(files) - len(candidates))


def _why_not(licence: str, content_hash: str | None, first_with: dict[str, str]) -> str | None:
    """Why a video is not to be cut, if it is not."""
    if not licence:
        return f"no licence: neither {INDEX_NAME} nor licence= states one"
    if content_hash is None:
        return "empty, or not to be opened"
    return f"a copy of {first_with[content_hash]}" if content_hash in first_with else None


def files_in(folder: Path) -> list[Path]:
    """All files of a folder and the folders in it, in order of their names."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def name_in(folder: Path, file: Path) -> str:
    """A file's name relative to a folder, with /; bytes that are no UTF-8 become question marks."""
    return os.fsencode(file.relative_to(folder).as_posix()).decode("utf-8", errors="replace")


def hash_of_content(file: Path) -> str | None:
    """16 hexadecimal digits of a file's size and of the bytes at both of its ends; None of one that has no bytes to read."""
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            digest = hashlib.sha256(str(size).encode())
            digest.update(opened.read(HASHED_END_BYTES))
            opened.seek(max(0, size - HASHED_END_BYTES))
            digest.update(opened.read(HASHED_END_BYTES))
    except OSError:
        return None
    return digest.hexdigest()[:16] if size else None


def split_of(content_hash: str, validation_share: float, test_share: float) -> str:
    """The split of a video: the shares are those of very many videos, a few may all be in one split."""
    place = int(content_hash, 16) / 16 ** len(content_hash)
    if place < test_share:
        return "test"
    return "validation" if place < test_share + validation_share else "train"


def _read_index(file: Path) -> dict[str, dict]:
    if not file.exists():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {entry["file"]: entry for entry in entries}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f'{file}: expected a list of {{"file": ..., "licence": ...}} in JSON, got something else: {error!r}'
        ) from None
