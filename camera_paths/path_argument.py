"""A camera path as a user names it on a command line: a file or folder in any known format, or film grammar."""

from __future__ import annotations

import os
from pathlib import Path

from .camera_path import CameraPath
from .film_grammar import explain_words
from .formats import FORMATS, PathOptions, ReadPath, read_path_file
from .formats.path_format import PathSource

FILE_SUFFIXES = {suffix for path_format in FORMATS.values() for suffix in path_format.suffixes if suffix}


def names_a_file(argument: str) -> bool:
    """Whether a text names a path file: it has a slash, exists, or ends as such files do; of folders, one that holds a path."""
    file = Path(argument.strip())
    if "/" in argument or os.sep in argument:
        return True
    try:
        if file.is_dir():
            return any(path_format.recognise(PathSource(file)) for path_format in FORMATS.values())
        return file.is_file() or file.suffix.lower() in FILE_SUFFIXES
    except OSError:  # too long for a name
        return False


def path_from_argument(
    argument: str, format_name: str | None = None, options: PathOptions | None = None, num_frames: int = 17
) -> ReadPath:
    """Read the file, or the film grammar as a path of `num_frames`. `ValueError` as `read_path_file` and `from_text`."""
    if format_name is not None or names_a_file(argument):
        return read_path_file(argument, format_name, options)
    return ReadPath(CameraPath.from_text(argument, num_frames=num_frames), explain_words(argument))
