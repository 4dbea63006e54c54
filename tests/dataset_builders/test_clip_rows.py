"""The columns that all clip datasets share."""

import numpy as np
import pytest

from camvig import CameraPath
from camvig.dataset_builders.clip_rows import (
    SHARED_COLUMNS,
    camera_path_of,
    clip_features,
    no_path_columns,
    path_columns,
    video_column,
)
from camvig.dataset_builders.clip_videos import decode_video

IDENTITY = dict.fromkeys(("clip_id", "scene_id", "source", "credit", "licence", "generator_version"), "x")
FRAMES = np.full((17, 16, 16, 3), 90, np.uint8)


def row_with(columns: dict) -> dict:
    return {"video": video_column(FRAMES, 8.0), "fps": 8.0, **columns, **IDENTITY}


def test_a_path_comes_back():
    path = CameraPath.orbit(20)
    row = row_with(path_columns(path, 2.5, "metre", "orbit_right"))
    assert row.keys() == SHARED_COLUMNS.keys()
    assert camera_path_of(row).allclose(path, tolerance=1e-6)
    assert np.abs(decode_video(row["video"]["bytes"]).astype(int) - 90).max() <= 2


@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 0.5])
def test_without_a_path_the_aspect_is_kept_and_the_rest_is_refused_as_a_path(aspect):
    row = row_with(no_path_columns(aspect))
    assert row.keys() == SHARED_COLUMNS.keys()
    fx, fy = row["intrinsics"][0, :2]
    assert fy / fx == pytest.approx(aspect) and min(fx, fy) == pytest.approx(0.5 / np.tan(np.radians(32.5)))
    with pytest.raises(ValueError, match="got x, which has none"):
        camera_path_of(row)


def test_both_kinds_of_rows_encode_to_the_same_features():
    features = clip_features()
    shapes = set()
    for columns in (path_columns(CameraPath.pan(9), 1.0, "scene", "recorded"), no_path_columns(1.5)):
        encoded = features.encode_example(row_with(columns))
        shapes.add((np.shape(encoded["camera_to_world"]), np.shape(encoded["intrinsics"])))
    assert shapes == {((17, 4, 4), (17, 4))}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="expected 17 poses in scene_depth, got 9 in scene_depth"):
        path_columns(CameraPath.static(9), 1.0, "metre", "static")
    with pytest.raises(ValueError, match="got 17 in metre"):
        path_columns(CameraPath.pan(9).to_unit("metre", 2.0), 1.0, "metre", "static")
    with pytest.raises(ValueError, match="relative to its first pose"):
        path_columns(CameraPath.pan(9).reversed(), 1.0, "metre", "static")
    with pytest.raises(ValueError, match="expected 17 frames, got 16"):
        video_column(FRAMES[:16], 8.0)
