"""Camera paths in other tools' files: `read_path_file`, `write_path_file`, and `FORMATS`, one module a format."""

from .path_format import PathOptions, ReadPath
from .registry import FORMATS, detect_format, format_for, format_named, read_path_file, write_path_file

__all__ = [
    "FORMATS",
    "PathOptions",
    "ReadPath",
    "detect_format",
    "format_for",
    "format_named",
    "read_path_file",
    "write_path_file",
]
