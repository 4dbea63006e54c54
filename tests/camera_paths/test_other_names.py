"""Names of other projects: that each means what the project's own numbers do, and that it says so in words."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camvig.camera_paths import CameraPath
from camvig.camera_paths.film_grammar import explain_words
from camvig.camera_paths.moves import in_parallel, in_sequence
from camvig.camera_paths.other_names import PROJECTS, what_name_means

EVERY_NAME = [(project, name) for project in PROJECTS for name in PROJECTS[project].names]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("motionctrl: pan left 30%", CameraPath.truck(-0.3)),
        ("MotionCtrl: Pan Up", CameraPath.pedestal(0.1)),
        ("motionctrl: zoom in 5% ease-in", CameraPath.dolly(0.05, easing="ease-in")),
        ("motionctrl: ACW", CameraPath.roll(-60)),
        ("motionctrl: pan left, zoom in", in_parallel(CameraPath.truck(-0.2), CameraPath.dolly(0.2))),
        (
            "motionctrl: pan left then hold",
            in_sequence(CameraPath.truck(-0.2, num_frames=9), CameraPath.static(9)),
        ),
        ("wan: ClockWise (CW) 20 deg", CameraPath.roll(20)),
        ("wan: Static", CameraPath.static()),
        ("videox-fun: Pan_Left_Up", in_parallel(CameraPath.truck(-0.2), CameraPath.pedestal(0.2))),
        ("cami2v: look left 20deg", CameraPath.pan(-20)),
        ("cami2v: rotate anti-clockwise 20deg", CameraPath.roll(20)),
        ("recammaster: Zoom Out", CameraPath.dolly(-0.5)),
        ("recammaster: arc left (with rotation) 20deg", CameraPath.orbit(-20)),
        (
            "recammaster: translate up ease-out",
            in_parallel(CameraPath.pedestal(0.25, easing="ease-out"), CameraPath.tilt(-14, easing="ease-out")),
        ),
        ("seva: orbit 45deg", CameraPath.orbit(45)),
        ("stable-virtual-camera: zoom-in 2x", CameraPath.zoom(2)),
        ("seva: dolly zoom-in", in_parallel(CameraPath.dolly(-0.1), CameraPath.zoom(3.84))),
        ("gen3c: zoom_in", CameraPath.dolly(0.3)),
        ("diffsynth: Left 10deg", CameraPath.pan(-10)),
    ],
)
def test_a_name_gives_the_path_that_it_means(text, path):
    assert CameraPath.from_text(text).allclose(path)


def test_without_a_project_words_are_the_film_maker_s():
    assert CameraPath.from_text("pan left").allclose(CameraPath.pan(-15))
    assert CameraPath.from_text("motionctrl: pan left").allclose(CameraPath.truck(-0.2))
    assert CameraPath.from_text("recammaster: pan left").allclose(CameraPath.pan(-20))


ROLLED = [[0.556, 0.831, 0], [-0.831, 0.556, 0], [0, 0, 1]]
FLIPPED = np.diag([-1.0, 1, 1])  # CamI2V's first world-to-camera rotation: a mirror image, which cancels out


@pytest.mark.parametrize(
    ("text", "rotation", "translation"),
    [  # world-to-camera of the last frame, relative to the first, as in the projects' own files and tables
        ("motionctrl: pan left", np.eye(3), (1.31, 0, 0)),
        ("motionctrl: pan up", np.eye(3), (0, 1.31, 0)),
        ("motionctrl: zoom in", np.eye(3), (0, 0, -1.31)),
        ("motionctrl: cw", ROLLED, (0, 0, 0)),
        ("videox-fun: pan left down", np.eye(3), (1.48, -1.48, 0)),
        ("cami2v: pan right", np.eye(3), (-1, 0, 0)),
        ("cami2v: look left", [[0, 0, 1], [0, 1, 0], [1, 0, 0]] @ FLIPPED, (0, 0, 0)),
        ("cami2v: look up", [[1, 0, 0], [0, 0, 1], [0, -1, 0]], (0, 0, 0)),
        ("cami2v: rotate clockwise", [[0, -1, 0], [-1, 0, 0], [0, 0, 1]] @ FLIPPED, (0, 0, 0)),
        ("cami2v: pan up", [[1, 0, 0], [0, 0.995, -0.0998], [0, 0.0998, 0.995]], (0, 0.995, 0.0998)),
        ("cami2v: orbit up", [[1, 0, 0], [0, 0.7071, -0.7071], [0, 0.7071, 0.7071]], (0, 1.4142, 0.5858)),
    ],
)
def test_a_name_does_what_the_project_s_own_numbers_do(text, rotation, translation):
    rotation, translation = np.array(rotation, dtype=float), np.array(translation)
    last = CameraPath.from_text(text).camera_to_world[-1]
    place = -rotation.T @ translation
    far = max(np.linalg.norm(place), 1e-9)
    np.testing.assert_allclose(last[:3, 3] / max(np.linalg.norm(last[:3, 3]), 1e-9), place / far, atol=2e-3)
    axis = Rotation.from_matrix(rotation.T).as_rotvec()
    np.testing.assert_allclose(Rotation.from_matrix(last[:3, :3]).as_rotvec(), axis, atol=0.1)


@pytest.mark.parametrize("text", ["seva: spiral", "seva: lemniscate", "gen3c: clockwise", "gen3c: counterclockwise"])
def test_closed_curves_return_look_at_the_subject_and_stay_upright(text):
    path = CameraPath.from_text(text, num_frames=41)
    assert np.array_equal(path.camera_to_world[0], np.eye(4))
    np.testing.assert_allclose(path.camera_to_world[-1], np.eye(4), atol=1e-9)
    positions, views = path.camera_to_world[:, :3, 3], path.camera_to_world[:, :3, 2]
    projections = np.eye(3) - views[:, :, None] * views[:, None, :]  # the point nearest to all lines of sight
    subject = np.linalg.solve(projections.sum(axis=0), (projections @ positions[:, :, None]).sum(axis=0))[:, 0]
    misses = np.linalg.norm((projections @ (subject - positions)[:, :, None])[:, :, 0], axis=1)
    assert misses.max() < 1e-9 and 0.9 < subject[2] < 1.1


def test_gen3c_s_circles_go_round_as_they_say():
    for name, first_side in (("clockwise", -1), ("counterclockwise", 1)):
        quarter = CameraPath.from_text(f"gen3c: {name}").camera_to_world[4, :3, 3]
        np.testing.assert_allclose(quarter, [0.3 * first_side, 0.3, 0], atol=1e-12)  # down, then across


@pytest.mark.parametrize(("project", "name"), EVERY_NAME)
def test_every_name_can_be_said_and_is_explained(project, name):
    path = CameraPath.from_text(f"{project}: {name}")
    assert path.num_frames == 17
    still = name in ("static", "stationary")
    assert path.allclose(CameraPath.static()) == still
    assert what_name_means(project, name).startswith(f'{PROJECTS[project].title}\'s "{name}" is ')
    assert still or not CameraPath.from_text(f"{project}: {name} ease-in").allclose(path)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("pan left", []),
        ("motionctrl: pan left", ['MotionCtrl\'s "pan left" is a truck left (20% unless said otherwise)']),
        ("recammaster: Arc Right 5deg", ['ReCamMaster\'s "arc right" is an orbit right (30deg unless said otherwise)']),
        ("seva: dolly zoom-in, hold", ['SEVA\'s "dolly zoom in" is "dolly out 10%, zoom in 3.84x"']),
        ("seva: lemniscate", ['SEVA\'s "lemniscate" is a figure of eight, looking at the subject']),
    ],
)
def test_what_a_name_means_in_words(text, sentences):
    assert explain_words(text) == sentences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("motionctl: pan left", 'projects before ":", motionctrl, .* got "motionctl"; did you mean "motionctrl:"'),
        ("motionctrl:", 'expected a name of MotionCtrl .*, got ""'),
        ("motionctrl: tilt up", r'expected a name of MotionCtrl \(pan up, pan down, .*\), got "tilt up"'),
        ("recammaster: zom in", 'expected a name of ReCamMaster .*; did you mean "zoom in"'),
        ("motionctrl: pan left 10deg", 'the amount of a truck in %.*; MotionCtrl\'s "pan left" is a truck left'),
        ("motionctrl: pan left 0%", 'a truck of more than "0%".*; MotionCtrl\'s "pan left" is a truck left'),
        ("videox-fun: pan left up 5%", 'no amount after "pan left up".*is "truck left 20%, pedestal up 20%"'),
        ("seva: spiral 5%", 'expected no amount after "spiral", which is no single move here.*is a spiral of two'),
        ("seva: spiral ease-in linear", "expected easing to be one of .*, got 'ease-in linear'"),
        ("cameractrl: trajectory 1", "expected a file: CameraCtrl has no names for its trajectories"),
    ],
)
def test_a_mistake_is_answered_with_the_names_of_that_project(text, message):
    with pytest.raises(ValueError, match=message):
        CameraPath.from_text(text)
