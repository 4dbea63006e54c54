"""Estimated flow: shapes and signs of the exact one, close to it on a clip with known motion."""

import numpy as np

from camvig.dataset_builders.estimated_flow import estimated_backward_flow
from camvig.dataset_builders.exact_flow import backward_flow
from camvig.dataset_builders.rooms.room_clips import room_clip


def test_a_picture_that_moves_right_is_to_be_found_on_the_left(make_frames):
    frames = make_frames(5, step=2.0)  # the scene moves 2 pixels to the left a frame
    flow, visibility, in_front = estimated_backward_flow(frames)
    height, width = frames.shape[1:3]
    assert flow.shape == (4, 2, height, width) and visibility.shape == in_front.shape == (4, height, width)
    for t in range(4):
        middle = flow[t, :, 8:-8, 8 : -8 - 2 * (t + 1)]
        np.testing.assert_allclose(np.median(middle[0]), 2 * (t + 1) / width, atol=0.004)
        np.testing.assert_allclose(np.median(middle[1]), 0, atol=0.004)
        assert visibility[t, 8:-8, 8 : -16 - 2 * (t + 1)].mean() > 0.95
        assert visibility[t, :, -(t + 1) :].mean() < 0.5  # came into view from the right


def test_it_is_close_to_the_exact_flow_of_a_room():
    clip = room_clip("validation", 4, 0, size=64, move="truck_left", threads=1)
    exact, seen, _ = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
    flow, visibility, _ = estimated_backward_flow(clip.frames)
    error, size = (np.linalg.norm(each, axis=1) for each in (flow - exact, exact))
    assert np.median(error[seen > 0]) < 0.25 * np.median(size[seen > 0])
    assert (visibility == seen).mean() > 0.75
