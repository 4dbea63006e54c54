"""What the captures saw: points before and behind a wall, in and beside the picture of its one view."""

import numpy as np

from camvig.dataset_builders.scenes.seen_space import SeenSpace, surface_points


def test_points_before_a_wall_are_seen_and_those_behind_or_beside_are_not(make_wall):
    seen = SeenSpace.of(make_wall())
    points = np.array([[0, 0, 1], [0, 0, 2], [1.9, -1.9, 2], [0, 0, 2.5], [1.5, 0, 1], [0, 0, -1], [np.inf, 0, 1]])
    assert seen.contains(points).tolist() == [True, True, True, False, False, False, False]


def test_emptiness_hides_nothing(make_wall):
    seen = SeenSpace.of(make_wall(half_width=0.5))
    points = np.array([[0, 0, 5], [3, 0, 5]])  # behind the wall; past its edge
    assert seen.contains(points).tolist() == [False, True]


def test_where_rays_end(make_wall):
    wall, pose = make_wall(), np.eye(4)
    pose[:3, 3] = 0.5, -0.25, 1
    pose[:3, :3] = [[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]
    lens = np.array([[1.0, 2.0, 0.4, 0.6]])
    depth = wall.render(pose[None], lens, (6, 9)).depth
    points = surface_points(depth, pose[None], lens)
    assert points.shape == (1, 6, 9, 3)
    np.testing.assert_allclose(points[np.isfinite(depth), 2], 2, atol=1e-6)
    ray = np.array([(0.5 / 9 - 0.4) / 1.0, (0.5 / 6 - 0.6) / 2.0, 1]) * depth[0, 0, 0]
    np.testing.assert_allclose(points[0, 0, 0], pose[:3, :3] @ ray + pose[:3, 3], rtol=1e-6)
