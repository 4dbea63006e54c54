"""What a path says about itself: easing in words, and the numbers of a report, on paths whose answers are known."""

import numpy as np
import pytest

from camvig.camera_paths import CameraPath, path_report, report_lines
from camvig.camera_paths.description import jitter, recognise_easing
from camvig.camera_paths.moves import in_parallel, in_sequence

TIME = np.linspace(0, 1, 17)


def forward_path(distances: np.ndarray) -> CameraPath:
    """A path straight ahead: [T] distances from the start."""
    poses = np.tile(np.eye(4), (len(distances), 1, 1))
    poses[:, 2, 3] = distances
    return CameraPath.from_matrices(poses)


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("dolly in 30%, pan right 25deg", "pans 25.0° right; 17"),
        ("dolly in 30% ease-in, pan right 25deg ease-in", "pans 25.0° right, eases in; 17"),
        ("orbit left 25deg ease-out", "pans 25.0° right, eases out; 17"),
        ("zoom in 2x ease-in-out", "zooms in 2.00x, eases in and out; 17"),
        ("dolly-zoom in 50% ease-in-out", "zooms out 2.00x, eases in and out; 17"),
        ("dolly in 30% ease-in, pan right 25deg ease-out", "pans 25.0° right; 17"),  # one in, one out: neither
        ("pan right 5deg for 1s then hold", "pans 5.0° right; 17"),
        ("pan right ease-in then pan left ease-in", "returns; 17"),
    ],
)
def test_the_sentence_names_the_easing(text, ending):
    assert ending in CameraPath.from_text(text).describe()


@pytest.mark.parametrize(
    ("done", "easing"),
    [
        ((1 - np.cos(np.pi * TIME)) / 2, "in and out"),
        (TIME**3 * (TIME * (6 * TIME - 15) + 10), "in and out"),
        (np.sin(np.pi / 2 * TIME), "out"),
        ((1 - np.exp(-3 * TIME)) / (1 - np.exp(-3)), "out"),
        (TIME**3, "in"),
        (TIME, None),
        (np.minimum(2 * TIME, 1), None),
        (TIME + 0.2 * np.sin(4 * np.pi * TIME), None),
        (0 * TIME, None),
        (TIME[:4] ** 2, None),
    ],
)
def test_easings_of_other_tools_are_recognised_and_irregular_speeds_are_not(done, easing):
    assert recognise_easing(forward_path(done)) == easing


def test_metres_are_said_as_on_a_set():
    path = in_parallel(CameraPath.dolly(0.4), CameraPath.pan(25)).to_unit("metre", 2.0)
    assert path.describe() == "moves 0.80 m forward, pans 25.0° right; 17 frames, 2.1 s"


def test_a_report_of_a_known_path():
    there = in_parallel(CameraPath.dolly(0.3, num_frames=4), CameraPath.pan(-12, num_frames=4))
    back = CameraPath.truck(-0.5, num_frames=2)
    report = path_report(in_sequence(there, CameraPath.static(3), back, back.reversed(), CameraPath.zoom(2.0)))
    assert report.num_frames == 4 + 2 + 1 + 1 + 16 and report.sentence.startswith("moves 0.30 scene depths forward")
    assert (report.translation["forward"].net, report.rotation["pan"].net) == pytest.approx((0.3, -12))
    sideways = 0.5 * np.cos(np.radians(12))
    assert report.translation["right"].net == pytest.approx(0) and report.translation["up"].travelled == 0
    assert report.translation["right"].travelled == pytest.approx(2 * sideways)
    assert report.translation["forward"].travelled == pytest.approx(0.3 + 2 * 0.5 * np.sin(np.radians(12)))
    assert report.rotation["pan"].travelled == pytest.approx(12) and report.rotation["tilt"].travelled < 1e-9
    assert report.path_length == pytest.approx(1.3)
    assert (report.largest_step, report.largest_step_frame) == (pytest.approx(0.5), 6)
    assert (report.largest_turn_degrees, report.largest_turn_frame) == (pytest.approx(4), 1)
    assert (report.smallest_zoom, report.largest_zoom) == pytest.approx((1, 2))
    assert report.first_field_of_view_degrees == pytest.approx(65)
    assert report.last_field_of_view_degrees == pytest.approx(2 * np.degrees(np.arctan(np.tan(np.radians(32.5)) / 2)))


def test_jitter_is_that_of_its_definition():
    random = np.random.default_rng(0)
    smooth = np.stack([TIME, TIME**2, TIME**3], axis=1)
    assert jitter(smooth) == pytest.approx(0, abs=1e-12)
    assert jitter(np.zeros((17, 3))) == 0 and jitter(smooth[:6]) is None
    noise = random.normal(size=(17, 3))
    small, large = jitter(smooth + 0.001 * noise), jitter(smooth + 0.01 * noise)
    assert 0.02 < small < 0.1 and large / small == pytest.approx(10, rel=0.3)
    shaky = path_report(in_parallel(CameraPath.dolly(0.3), CameraPath.handheld(0.02)))
    assert shaky.translation_jitter > 0.05 > path_report(CameraPath.orbit(30)).translation_jitter


@pytest.mark.parametrize("path", [CameraPath.static(1), CameraPath.static(), CameraPath.dolly(0.3, num_frames=2)])
def test_short_and_still_paths_have_a_report_too(path):
    report = path_report(path)
    assert report.path_length == pytest.approx(path.motion_extent().largest_translation)
    assert "nan" not in "\n".join(report_lines(report))


def test_a_report_as_lines():
    assert report_lines(path_report(CameraPath.from_text("dolly in 30%, pan right 10deg"))) == [
        "moves 0.30 scene depths forward, pans 10.0° right; 17 frames, 2.1 s",
        "translation   right +0.000 (0.000 in all), up +0.000 (0.000 in all), forward +0.300 (0.300 in all), in scene depths",
        "rotation      pan +10.0 (10.0 in all), tilt +0.0 (0.0 in all), roll +0.0 (0.0 in all), in degrees",
        "length        0.300 scene depths",
        "largest step  0.019 scene depths (to frame 1), 0.63° (to frame 1)",
        "jitter        0.0% of the mean step, 0.0% of the mean turn",
        "lens          65.0° wide at the start, 65.0° at the end; zoom from 1.00x to 1.00x",
    ]
