"""The animated drawing: a whole GIF or none, of as many pictures and as long as it says, in which the camera moves."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from camvig.camera_paths import CameraPath
from camvig.camera_paths.animated_plot import _caption, _drawing, _shown_frames, plot_animation

MOVE = CameraPath.from_text("orbit left 30deg, pedestal up")


def test_the_gif_has_a_picture_a_pose_and_lasts_as_long_as_the_path(tmp_path):
    pictures = plot_animation(MOVE, tmp_path / "path.gif", height_px=110)
    assert pictures.shape == (17, 110, 100, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["path.gif"]
    with Image.open(tmp_path / "path.gif") as gif:
        assert gif.info["loop"] == 0
        shown, durations = [], []
        for frame in ImageSequence.Iterator(gif):
            durations.append(frame.info["duration"])
            shown.append(np.asarray(frame.convert("RGB"), dtype=int))
    assert len(shown) == 17
    assert sum(durations) == pytest.approx(1000 * (MOVE.duration_seconds + 1), abs=100)
    assert np.abs(np.stack(shown) - pictures).mean() < 2  # the palette has the colours of the drawing
    assert all((pictures[index] != pictures[index + 1]).any() for index in range(16))
    assert (shown[0][0, 0] == 255).all()


@pytest.mark.parametrize(
    ("poses", "pictures", "last_caption"),
    [
        (1, 17, "frame 1 of 1, 0.0 s, played 12.0x slower"),
        (5, 17, "frame 5 of 5, 0.5 s, played 2.4x slower"),
        (60, 60, "frame 60 of 60, 7.4 s"),
        (3000, 100, "frame 3000 of 3000, 374.9 s, played 37.5x faster"),
    ],
)
def test_short_paths_are_drawn_between_their_poses_and_long_ones_at_some_of_them(poses, pictures, last_caption):
    path = CameraPath.static(poses) if poses == 1 else CameraPath.dolly(1.0, num_frames=poses)
    frames = _shown_frames(path)
    assert (len(frames), frames[0], frames[-1]) == (pictures, 0, poses - 1)
    assert poses < 17 or np.array_equal(frames, frames.round())
    assert _caption(path, frames[-1]) == last_caption


def test_what_is_drawn_is_right_forward_and_up():
    path = CameraPath.from_text("truck right 10%, pedestal up 20%, dolly in 40%")
    drawing = _drawing(path, _shown_frames(path))
    np.testing.assert_allclose(drawing.line[-1], [0.1, 0.4, 0.2])
    np.testing.assert_allclose(drawing.cameras[-1, 5], [0.1, 0.4, 0.2])  # the centre, where the edges meet
    assert (drawing.cameras[0, :4, 1] > 0).all()  # it looks forward
    assert (drawing.marks[0, :, 2] > drawing.cameras[0, :4, 2].max()).all()  # the mark is above the picture
    assert drawing.cameras.shape == (17, 11, 3)


def test_a_turning_and_a_still_camera_can_be_drawn():
    for path in (CameraPath.static(1), CameraPath.roll(90, num_frames=2)):
        assert plot_animation(path, title="", height_px=64).shape[0] == 17


def test_animations_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.gif, got .*path\.png"):
        plot_animation(MOVE, tmp_path / "path.png")
    with pytest.raises(ValueError, match="at least 64 pixels high, got 10"):
        plot_animation(MOVE, height_px=10)
    with pytest.raises(FileNotFoundError):
        plot_animation(MOVE, tmp_path / "nowhere" / "path.gif", height_px=64)
    assert not list(tmp_path.iterdir())
