"""Camera paths: the `CameraPath` type, film-maker's moves, the film grammar, files and plots.

The ground floor of camvig: it needs numpy and scipy only (matplotlib and Pillow are imported when something is drawn,
pycolmap for COLMAP's files).
"""

from .camera_path import CameraPath
from .description import MotionExtent, PathReport, path_report, report_lines

__all__ = ["CameraPath", "MotionExtent", "PathReport", "path_report", "report_lines"]
