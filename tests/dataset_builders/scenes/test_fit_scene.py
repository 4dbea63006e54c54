"""A small room is fitted in a few steps: better than its mean colour on views that were held out, saved, loaded, rendered."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.captures.capture import read_capture
from camvig.dataset_builders.scenes.fit_pixels import load_fit_pixels, scene_bounds
from camvig.dataset_builders.scenes.fit_scene import fit_scene, split_views
from camvig.dataset_builders.scenes.fit_voxels import Budget, FitSettings, fit_voxel_field
from camvig.dataset_builders.scenes.scene_files import load_scene
from camvig.dataset_builders.scenes.voxel_field import ray_colours, ray_colours_back

SETTINGS = FitSettings(rays=1024, finest_side=96, seen_rays=20_000)
STEPS = 60


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    return -10 * math.log10(np.square(picture - truth / 255).mean())


@pytest.fixture
def fitted(write_capture, tmp_path):
    """(the capture, the scene's folder, the report) of a fit with depth maps."""
    capture = read_capture(write_capture(with_depth=True, units="metres"))
    out = tmp_path / "scenes" / "a room"
    figures = fit_scene(
        capture,
        out,
        tmp_path / "report.json",
        steps=STEPS,
        shorter_side=48,
        licence="CC0-1.0",
        credit="me",
        settings=SETTINGS,
    )
    return capture, out, figures


def test_fit_report_and_scene(fitted, orbit_clip, tmp_path):
    capture, out, figures = fitted
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == json.loads(json.dumps(figures))
    with Image.open(tmp_path / "report.png") as sheet:
        assert sheet.height == 3 * 48
    assert [view["name"] for view in figures["held_out_views"]] == ["view_00.png", "view_08.png", "view_16.png"]
    views = [
        np.asarray(Image.fromarray(f).resize((48, 48), Image.Resampling.BOX)) for f in orbit_clip.frames[[0, 8, 16]]
    ]
    mean = np.mean([psnr(view.mean(axis=(0, 1)) / 255, view) for view in views])
    assert figures["psnr"]["held_out"] > mean + 5
    assert figures["psnr"]["train"] > mean + 5 and figures["steps"] == STEPS

    scene = load_scene(out)
    assert (scene.name, scene.unit, scene.licence, scene.credit) == ("room", "metre", "CC0-1.0", "me")
    np.testing.assert_array_equal(scene.views.camera_to_world, capture.camera_to_world[split_views(17)[0]])
    rendering = scene.render(capture.camera_to_world[[0, 8, 16]], capture.intrinsics[:3], (48, 48))
    measured = np.mean([psnr(picture, view) for picture, view in zip(rendering.rgb, views, strict=True)])
    assert measured == pytest.approx(figures["psnr"]["held_out"], abs=0.1)
    assert np.isfinite(rendering.depth).mean() > 0.9
    known = orbit_clip.depth[8][1::2, 1::2]
    assert np.median(np.abs(rendering.depth[1] / known - 1)) < 0.08


def fit_again(folder, seed=0):
    capture = read_capture(folder)
    fitted = capture.chosen(split_views(len(capture))[0])
    pixels = load_fit_pixels(fitted, 32)
    field, _ = fit_voxel_field(
        fitted, pixels, scene_bounds(fitted, pixels, 32), Budget(steps=5), seed, settings=SETTINGS
    )
    return field


def test_steps_repeat_and_held_out_views_do_not_matter(write_capture):
    """The same seed gives the same field even where the pictures of all held-out views are noise."""
    folder = write_capture(with_depth=True)
    first = fit_again(folder)
    for view in (0, 8, 16):
        noise = np.random.default_rng(view).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"view_{view:02d}.png")
        Image.fromarray(noise[..., 0].astype(np.uint16) * 9).save(folder / "depth" / f"view_{view:02d}.png")
    second, other = fit_again(folder), fit_again(folder, seed=1)
    np.testing.assert_array_equal(first.grid.features, second.grid.features)
    np.testing.assert_array_equal(first.grid.density, second.grid.density)
    assert first.grid.features.shape != other.grid.features.shape or (first.grid.features != other.grid.features).any()


def test_bounds_without_depth_maps_are_those_of_the_scene(write_capture, orbit_clip):
    capture = read_capture(write_capture())
    pixels = load_fit_pixels(capture, 48)
    bounds = scene_bounds(capture, pixels, 48)
    assert not pixels.depth.any() and bounds.near < orbit_clip.depth.min()
    assert 0.5 < bounds.radius < 6


def test_the_way_back_through_colours():
    """By differences: the gradient of the colours' sum of squares."""
    rng = np.random.default_rng(0)
    features, opacity, directions = rng.normal(size=(5, 12)), rng.random(5), rng.normal(size=(5, 3))
    background = rng.random((5, 3))

    def loss(features, opacity):
        return float(np.square(ray_colours(features, opacity, directions, background)).sum())

    slopes = 2 * ray_colours(features, opacity, directions, background)
    d_features, d_opacity = ray_colours_back(slopes, directions, background)
    for gradient, which in ((d_features, 0), (d_opacity, 1)):
        change = rng.normal(size=gradient.shape) * 1e-5
        ends = [
            loss(*(a + sign * change if index == which else a for index, a in enumerate((features, opacity))))
            for sign in (1, -1)
        ]
        assert (ends[0] - ends[1]) / 2 == pytest.approx((gradient * change).sum(), rel=1e-4)


def test_scenes_are_whole_or_refused(fitted, tmp_path):
    capture, out, _ = fitted
    with pytest.raises(ValueError, match="free name"):
        fit_scene(capture, out, tmp_path / "again.json", steps=1)
    assert not [name for name in out.parent.iterdir() if name != out]  # no temporary folder is left
    with pytest.raises(ValueError, match="expected a scene"):
        load_scene(tmp_path)
    content = (out / "scene.json").read_text(encoding="utf-8")
    field = (out / "field.safetensors").read_bytes()
    (out / "field.safetensors").write_bytes(field[: len(field) // 2])
    with pytest.raises(ValueError, match="whole scene"):
        load_scene(out)
    (out / "scene.json").write_text(content.replace('"voxel"', '"teapot"'), encoding="utf-8")
    with pytest.raises(ValueError, match="teapot"):
        load_scene(out)
    (out / "scene.json").write_text(content[:50], encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        load_scene(out)


def test_fits_that_are_refused(write_capture, tmp_path, orbit_clip):
    with pytest.raises(ValueError, match="minutes or steps"):
        Budget(minutes=0)
    two = read_capture(write_capture("two", poses=orbit_clip.camera_to_world[:2]))
    with pytest.raises(ValueError, match="at least 3 views"):
        fit_scene(two, tmp_path / "scene", tmp_path / "report.json", steps=1)
    folder = write_capture("blank")
    for file in (folder / "images").iterdir():
        Image.new("RGB", (96, 96), "grey").save(file)
    with pytest.raises(ValueError, match="points that neighbouring views both show, got 0"):
        fit_scene(read_capture(folder), tmp_path / "scene", tmp_path / "report.json", steps=1)
    assert not (tmp_path / "scene").exists() and not (tmp_path / "report.json").exists()
