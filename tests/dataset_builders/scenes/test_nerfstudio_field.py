"""What of the nerfstudio adapter can be tested without nerfstudio: z-depth, views, and what is refused."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from camvig.dataset_builders.scenes.nerfstudio_field import _views, load_nerfstudio_scene, z_depth

LENS = np.array([50.0, 40.0, 30.0, 12.0])  # pixels


def test_distances_along_rays_become_z():
    """To a wall at z = 3 the ray through the pixel (row 4, column 50) is 3 |((50.5 - 30) / 50, (4.5 - 12) / 40, 1)| long."""
    x, y = np.meshgrid((np.arange(64) + 0.5 - 30) / 50, (np.arange(24) + 0.5 - 12) / 40)
    distances = 3 * np.linalg.norm(np.stack([x, y, np.ones_like(x)]), axis=0)
    assert distances[4, 50] == pytest.approx(3 * np.sqrt(0.41**2 + 0.1875**2 + 1))
    assert np.allclose(z_depth(distances, LENS), 3)


def test_training_cameras_become_views():
    """nerfstudio: x right, y up, looks along -z, lens in pixels, tensors [N, 3, 4] and [N, 1]."""
    turned = np.array([[0.0, 0, 1, 5], [0, 1, 0, 6], [-1, 0, 0, 7]])  # looks along the world's -x
    sizes = {"fx": 50, "fy": 40, "cx": 30, "cy": 12, "width": 100, "height": 20}
    cameras = SimpleNamespace(
        camera_to_worlds=torch.tensor(np.stack([np.eye(4)[:3], turned]), dtype=torch.float32),
        **{name: torch.full((2, 1), value) for name, value in sizes.items()},
    )
    views = _views(cameras)
    assert np.allclose(views.intrinsics, [[0.5, 2.0, 0.3, 0.6]] * 2)
    assert np.allclose(views.camera_to_world[0], np.eye(4))
    assert np.allclose(views.camera_to_world[1, :3, 2], [-1, 0, 0])  # forward
    assert np.allclose(views.camera_to_world[1, :3, 1], [0, 1, 0])  # down
    assert np.allclose(views.camera_to_world[1, :3, 3], [5, -6, -7])


def test_a_config_is_opened_only_when_it_is_trusted(tmp_path):
    config = tmp_path / "config.yml"
    config.write_text("!!python/object/apply:os.mkdir [never]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"trust_remote_code=True to open .*config\.yml"):
        load_nerfstudio_scene(config)
    with pytest.raises(ValueError, match="no such file"):
        load_nerfstudio_scene(tmp_path / "none.yml", trust_remote_code=True)


@pytest.mark.skipif(find_spec("nerfstudio") is not None, reason="nerfstudio is installed")
def test_without_nerfstudio_the_error_says_what_is_missing(tmp_path):
    config = tmp_path / "config.yml"
    config.write_text("trained: true\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected nerfstudio to open .*config\.yml"):
        load_nerfstudio_scene(config, trust_remote_code=True)
