"""Rigid flow: against the exact flow of rendered rooms, against homographies, and for flow that makes no sense."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from camvig.camera_paths.camera_path import CameraPath
from camvig.dataset_builders.exact_flow import backward_flow
from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clip
from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.motion_layers import pixel_centres
from camvig.modeling_camvig.rigid_flow import RigidScene, first_hit, fit_inverse_depth, rigid_flow
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from camvig.pipelines.evaluation.controls import plane_homographies

SIZE = 32
MOVES = ("dolly_in", "dolly_out", "truck_left", "orbit_right", "free")


def cameras_of(*paths: CameraPath) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(
        torch.tensor(np.stack([getattr(path, name) for path in paths])) for name in ("camera_to_world", "intrinsics")
    )


def scene_of(path: CameraPath, inverse_depth: torch.Tensor | None = None) -> RigidScene:
    return RigidScene.of(*cameras_of(path), torch.ones(1, 1, SIZE, SIZE) if inverse_depth is None else inverse_depth)


def inverse_depths(clip: RoomClip) -> torch.Tensor:
    """`[1, T, 1, S, S]`, in scene depths."""
    return torch.tensor(clip.median_depth / clip.depth, dtype=torch.float32)[None, :, None]


def random_flow(seed: int = 0, size: int = SIZE) -> torch.Tensor:
    return torch.rand(1, 16, 2, size, size, generator=torch.Generator().manual_seed(seed)) * 3 - 1.5


def pixels_off(flow: torch.Tensor, clip: RoomClip) -> float:
    """Mean distance to the exact flow where frame 0 shows the point, pixels."""
    exact, visible, _ = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
    distances = np.linalg.norm((flow[0].numpy() - exact) * SIZE, axis=1)
    return float(distances[visible > 0].mean())


@pytest.fixture(scope="module", params=MOVES)
def clip(request) -> RoomClip:
    return room_clip("validation", 5, 0, SIZE, move=request.param)


def test_known_depth_gives_the_exact_flow(clip):
    exact, _, in_front = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
    flow = rigid_flow(inverse_depths(clip)[:, 1:], scene_of(clip.path), SIZE, SIZE)[0].numpy()
    inside = (in_front > 0) & (np.abs(exact).max(axis=1) < 1)  # exact flow is clipped
    assert inside.mean() > 0.9
    assert np.abs(flow - exact).transpose(1, 0, 2, 3)[:, inside].max() < 1e-4


def test_exact_flow_is_kept_and_noise_is_taken_away(clip):
    exact = torch.tensor(backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)[0])[None]
    scene = scene_of(clip.path, inverse_depths(clip)[:, 0])
    noisy = exact + 0.05 * torch.randn(exact.shape, generator=torch.Generator().manual_seed(1))
    kept, cleaned = (rigid_flow(fit_inverse_depth([flow], scene), scene, SIZE, SIZE) for flow in (exact, noisy))
    assert pixels_off(kept, clip) < 0.25
    assert pixels_off(cleaned, clip) < 0.4 * pixels_off(noisy, clip)


def test_flow_betters_a_wrong_depth(clip):
    exact = torch.tensor(backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)[0])[None]
    scene = scene_of(clip.path)  # all of it one scene depth away
    flat = rigid_flow(torch.ones(1, 16, 1, SIZE, SIZE), scene, SIZE, SIZE)
    assert pixels_off(rigid_flow(fit_inverse_depth([exact], scene), scene, SIZE, SIZE), clip) < pixels_off(flat, clip)


@pytest.mark.parametrize(
    ("text", "near_ends", "far_begins"), [("truck left 20%", 0.81, 0.82), ("truck right 20%", 0.18, 0.43)]
)
def test_what_is_near_hides_what_is_far(text, near_ends, far_begins):
    """Near on the left, far on the right: they overlap for a camera that goes left, and part for one that goes right."""
    scene = scene_of(CameraPath.from_text(text, num_frames=17))
    surface = torch.full((1, 1, 1, 2 * SIZE, 2 * SIZE), 0.5)
    surface[..., :SIZE] = 2
    hit = first_hit(surface, *scene.lines(SIZE, SIZE))[0, -1, 0]
    x = pixel_centres(SIZE, SIZE, hit.device)[0]
    assert (hit[x < near_ends - 1 / SIZE] - 2).abs().max() < 0.05
    assert (hit[x > far_begins + 1 / SIZE] - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("text", ["pan right 20deg", "tilt up 10deg, roll left 5deg", "zoom in 30%"])
def test_cameras_that_only_turn_or_zoom_see_a_homography_whatever_the_ids_say(text):
    path = CameraPath.from_text(text, num_frames=17)
    scene = scene_of(path)
    flow = rigid_flow(fit_inverse_depth([random_flow()], scene), scene, SIZE, 2 * SIZE)[0]
    x, y = pixel_centres(SIZE, 2 * SIZE, flow.device).double().numpy()
    for found, homography in zip(flow.numpy(), np.linalg.inv(plane_homographies(path, np.inf))[1:], strict=True):
        u, v, w = np.einsum("ij,jhw->ihw", homography, np.stack([x, y, np.ones_like(x)]))
        np.testing.assert_allclose(found, np.stack([u / w - x, v / w - y]), atol=1e-5)


@pytest.mark.parametrize(
    "text", ["dolly in 60%", "dolly out 90%", "truck left 80%", "orbit right 60deg", "pan left 170deg"]
)
def test_senseless_flow_gives_finite_flow_along_epipolar_lines(text):
    scene = scene_of(CameraPath.from_text(text, num_frames=17))
    inverse_depth = fit_inverse_depth([random_flow()], scene)
    assert inverse_depth.isfinite().all() and (inverse_depth >= 0).all()
    flow = rigid_flow(inverse_depth, scene, SIZE, SIZE)
    assert flow.isfinite().all()
    if text.startswith("truck"):
        assert flow[:, :, 1].abs().max() < 1e-6 and flow[:, -1, 0].abs().max() > 0.05


def test_a_batch_gives_what_single_scenes_give():
    paths = [CameraPath.from_text(text, num_frames=17) for text in ("dolly in 30%", "truck left 20%, pan right 5deg")]
    flow = torch.cat([random_flow(1), random_flow(2)]) * 0.1
    depth = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(3)) + 0.5
    together = fit_inverse_depth([flow], RigidScene.of(*cameras_of(*paths), depth))
    for number, path in enumerate(paths):
        alone = fit_inverse_depth([flow[number : number + 1]], scene_of(path, depth[number : number + 1]))
        torch.testing.assert_close(together[number : number + 1], alone)


@pytest.fixture(scope="module")
def tokenizer() -> CamViGVisualTokenizer:
    torch.manual_seed(0)
    config = CamViGVisualTokenizerConfig(kind="motion", quantizer="fsq", image_size=SIZE, hidden_sizes=(16, 32))
    return CamViGVisualTokenizer(config).eval()


def decode(tokenizer, cameras, height=SIZE, width=SIZE):
    ids = torch.randint(2**18, (1, 5, 4, 4), generator=torch.Generator().manual_seed(0))
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return tokenizer.decode(ids, picture, cameras)


def test_the_tokenizer_moves_its_picture_as_the_cameras_say(tokenizer):
    path = CameraPath.from_text("pan right 20deg", num_frames=17)
    output = decode(tokenizer, cameras_of(path), SIZE, 3 * SIZE)
    scene = scene_of(path)
    expected = rigid_flow(torch.ones(1, 16, 1, SIZE, SIZE), scene, SIZE, 3 * SIZE)
    torch.testing.assert_close(output.flow, expected, atol=1e-5, rtol=0)
    assert not torch.allclose(output.flow, decode(tokenizer, None, SIZE, 3 * SIZE).flow, atol=1e-2)


def test_a_camera_at_rest_shows_the_picture(tokenizer):
    output = decode(tokenizer, cameras_of(CameraPath.from_text("static", num_frames=17)))
    assert output.flow.abs().max() < 1e-5


def test_larger_references_have_the_same_flow_between_pixels(tokenizer):
    cameras = cameras_of(CameraPath.from_text("truck left 20%", num_frames=17))
    small, large = (decode(tokenizer, cameras, size, size).flow for size in (SIZE, 4 * SIZE))
    shrunk = F.interpolate(large.flatten(0, 1), (SIZE, SIZE), mode="area").unflatten(0, large.shape[:2])
    inner = (..., slice(2, -2), slice(2, -2))
    assert (shrunk[inner] - small[inner]).abs().max() < 1 / SIZE


@pytest.mark.parametrize("wrong", [0, 1])
def test_cameras_that_do_not_fit_are_told(tokenizer, wrong):
    cameras = list(cameras_of(CameraPath.from_text("dolly in 10%", num_frames=17)))
    cameras[wrong] = cameras[wrong][:, :9]
    with pytest.raises(ValueError, match=f"expected {('poses', 'intrinsics')[wrong]} .*17, .*got .*9"):
        decode(tokenizer, cameras)
    plain = CamViGVisualTokenizer(CamViGVisualTokenizerConfig(kind="plain", image_size=SIZE, hidden_sizes=(8, 8, 8, 8)))
    with pytest.raises(ValueError, match="a plain tokenizer decodes ids alone"):
        plain.decode(torch.zeros(1, 5, 4, 4, dtype=torch.int64), None, tuple(cameras))


def test_mirrored_ids_that_do_not_fit_are_told(tokenizer):
    ids = torch.zeros(1, 5, 4, 4, dtype=torch.int64)
    for wrong in (ids[:, :3], ids.repeat(2, 1, 1, 1)):
        with pytest.raises(ValueError, match="expected mirrored ids of as many videos and latent frames"):
            tokenizer.decode(ids, mirrored_ids=wrong)
    with pytest.raises(ValueError, match=r"expected ids in 0\.\.262143"):
        tokenizer.decode(ids, mirrored_ids=ids - 1)
    plain = CamViGVisualTokenizer(CamViGVisualTokenizerConfig(kind="plain", image_size=SIZE, hidden_sizes=(8, 8, 8, 8)))
    with pytest.raises(ValueError, match="got a reference picture, cameras or mirrored ids"):
        plain.decode(ids, mirrored_ids=ids)
