"""A procedural room as a radiance field: the pictures that `room_clips` has, and black where no camera can be."""

import numpy as np
import pytest

from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.dataset_builders.scenes.room_field import INSIDE_DEPTH, RoomField


def test_it_shows_what_the_rooms_clips_show():
    clip, field = room_clip("train", 3, 0, size=16), RoomField("train", 3, threads=1)
    rgb, depth = field.render(clip.camera_to_world, clip.intrinsics, (16, 16))
    np.testing.assert_array_equal(np.rint(rgb * 255).astype(np.uint8), clip.frames)
    np.testing.assert_array_equal(depth, clip.depth)


def test_a_camera_in_a_solid_or_outside_sees_black_right_before_it():
    field = RoomField("train", 3, threads=1)
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[0] = field.views.camera_to_world[0]
    poses[1, 0, 3] = 1000.0
    poses[2, :3, 3] = field.scene.boxes[np.flatnonzero(field.scene.box_is_solid)[0], :3]
    rgb, depth = field.render(poses, field.views.intrinsics[[0, 0, 0]], (8, 8))
    assert depth[0].min() > 0.1 and rgb[0].any()
    assert not rgb[1:].any() and np.all(depth[1:] == np.float32(INSIDE_DEPTH))


def test_names_views_and_what_is_refused():
    field = RoomField("test", 12)
    assert (field.name, field.unit, field.licence) == ("test-000012", "metre", "CC0-1.0")
    np.testing.assert_array_equal(field.views.camera_to_world, RoomField("test", 12).views.camera_to_world)
    assert not np.allclose(field.views.camera_to_world, RoomField("test", 13).views.camera_to_world)
    assert field.scene.clearance_is_free(field.views.camera_to_world[:, :3, 3], 0.1).all()
    with pytest.raises(ValueError, match="expected split to be one of train, validation, test, got 'exam'"):
        RoomField("exam", 1)
    with pytest.raises(ValueError, match="expected a square picture of a procedural room, got 8x16"):
        field.render(np.eye(4)[None], np.full((1, 4), 0.5), (8, 16))
