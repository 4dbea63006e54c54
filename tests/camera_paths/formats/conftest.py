"""What the tests of all formats share."""

from collections.abc import Callable

import pytest

from camvig import CameraPath
from camvig.camera_paths import path_report


@pytest.fixture
def motion() -> Callable[[CameraPath], list[float]]:
    """Right, up, forward; pan right, tilt up, roll right (degrees): from a path's first frame to its last."""

    def net(path: CameraPath) -> list[float]:
        report = path_report(path)
        return [total.net for total in (*report.translation.values(), *report.rotation.values())]

    return net
