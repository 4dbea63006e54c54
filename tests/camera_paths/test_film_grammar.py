"""Film grammar: that words give the path they say, and that each mistake is answered with what to write instead."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camvig.camera_paths import CameraPath
from camvig.camera_paths.film_grammar import MOVES
from camvig.camera_paths.moves import in_parallel, in_sequence
from camvig.camera_paths.rigid_motion import yaw_pitch_roll


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("dolly in 30%", CameraPath.dolly(0.3)),
        ("dolly forward 30 %", CameraPath.dolly(0.3)),
        ("dolly out 30%", CameraPath.dolly(-0.3)),
        ("dolly backward 30%", CameraPath.dolly(-0.3)),
        ("truck left 5.5%", CameraPath.truck(-0.055)),
        ("pedestal down .5%", CameraPath.pedestal(-0.005)),
        ("pan right 10deg", CameraPath.pan(10)),
        ("  PAN Right 10°  ", CameraPath.pan(10)),
        ("tilt up 10 degrees", CameraPath.tilt(10)),
        ("tilt down 1 degree", CameraPath.tilt(-1)),
        ("roll left 10 deg", CameraPath.roll(-10)),
        ("zoom in 20%", CameraPath.zoom(1.2)),
        ("zoom out 20%", CameraPath.zoom(1 / 1.2)),
        ("zoom in 1.5x", CameraPath.zoom(1.5)),
        ("zoom out 1.5 x", CameraPath.zoom(1 / 1.5)),
        ("orbit left 20deg", CameraPath.orbit(-20)),
        ("dolly-zoom in 30%", CameraPath.dolly_zoom(0.3)),
        ("dolly zoom out", CameraPath.dolly_zoom(-0.2)),
        ("handheld", CameraPath.handheld(0.01, 0.5)),
        ("handheld 2 %", CameraPath.handheld(0.02, 1.0)),
        ("handheld 2deg", CameraPath.handheld(0.04, 2.0)),
        ("handheld 1% 2deg", CameraPath.handheld(0.01, 2.0)),
        ("dolly in, handheld 1%", in_parallel(CameraPath.dolly(0.2), CameraPath.handheld())),
        ("static", CameraPath.static()),
        ("hold for 2s", CameraPath.static()),
        ("pan right 10deg ease-in-out", CameraPath.pan(10, easing="ease-in-out")),
        ("pan right ease-out 10deg", CameraPath.pan(10, easing="ease-out")),
        ("pan right", CameraPath.pan(15)),
        ("dolly in 30%, pan right 10deg", in_parallel(CameraPath.dolly(0.3), CameraPath.pan(10))),
        ("dolly in 30% and pan right 10deg", in_parallel(CameraPath.dolly(0.3), CameraPath.pan(10))),
        (
            "dolly in 30%, then orbit left 20deg",
            in_sequence(CameraPath.dolly(0.3, num_frames=9), CameraPath.orbit(-20, num_frames=9)),
        ),
        (
            "pan right 10deg for 0.5s then hold for 0.5 seconds then truck left 10% ease-in",
            in_sequence(
                CameraPath.pan(10, num_frames=5),
                CameraPath.static(5),
                CameraPath.truck(-0.1, num_frames=9, easing="ease-in"),
            ),
        ),
        ("pan right 10deg for 1s", in_sequence(CameraPath.pan(10, num_frames=9), CameraPath.static(9))),
    ],
)
def test_words_give_the_path_they_say(text, path):
    assert CameraPath.from_text(text).allclose(path)


@pytest.mark.parametrize("name", MOVES)
def test_every_direction_has_a_default_amount_that_can_be_said(name):
    for direction in MOVES[name].directions:
        path = CameraPath.from_text(f"{name} {direction}")
        assert path.allclose(CameraPath.from_text(f"{name} {direction} {MOVES[name].default}"))
        assert not path.allclose(CameraPath.static())


def signed(largest: float) -> st.SearchStrategy[float]:
    """A float that is not too near 0 to be an amount."""
    return st.floats(0.01, largest) | st.floats(-largest, -0.01)


@given(
    forward=signed(90), right=signed(90), pan=signed(170), tilt=signed(80), zoom=st.floats(1.01, 4),
    num_frames=st.integers(2, 40),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_total_amounts_round_trip(forward, right, pan, tilt, zoom, num_frames):
    text = (
        f"dolly {'in' if forward > 0 else 'out'} {abs(forward):.6f}%, truck {'right' if right > 0 else 'left'} "
        f"{abs(right):.6f}%, pan {'right' if pan > 0 else 'left'} {abs(pan):.6f}deg ease-in, "
        f"tilt {'up' if tilt > 0 else 'down'} {abs(tilt):.6f} degrees, zoom in {zoom:.6f}x"
    )
    path = CameraPath.from_text(text, num_frames=num_frames)
    assert path.num_frames == num_frames
    np.testing.assert_allclose(path.camera_to_world[-1, :3, 3], [right / 100, 0, forward / 100], atol=1e-7)
    np.testing.assert_allclose(yaw_pitch_roll(path.camera_to_world[-1:, :3, :3])[0], [pan, tilt, 0], atol=1e-5)
    assert path.intrinsics[-1, 0] / path.intrinsics[0, 0] == pytest.approx(zoom, rel=1e-6)


@pytest.mark.parametrize("shots", range(1, 17))
def test_shots_share_the_frames_of_the_clip(shots):
    path = CameraPath.from_text(" then ".join(["pan right 2deg"] * shots))
    assert path.num_frames == 17
    np.testing.assert_allclose(yaw_pitch_roll(path.camera_to_world[:, :3, :3])[-1], [2 * shots, 0, 0], atol=1e-9)


KNOWN = r"expected a camera move \(dolly, truck, pedestal, pan, tilt, roll, zoom, orbit, dolly-zoom, handheld, static, hold\), got "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'expected a camera move such as "dolly in 30%, pan right 10deg", got an empty text'),
        (" \n", "expected a camera move such as .* got an empty text"),
        ("doly in 30%", KNOWN + '"doly" in "doly in 30%"; did you mean "dolly"'),
        ("teleport", KNOWN + '"teleport" in "teleport"$'),
        ("dolly in 30%,", KNOWN + "nothing between two separators, or at an end of the text"),
        ("then pan right", KNOWN + "nothing between two separators, or at an end of the text"),
        ("dolly 30%", 'expected a direction after "dolly", "dolly in" or "dolly out", got "dolly 30%"'),
        ("pan up 10deg", 'expected a direction after "pan", "pan left" or "pan right", got "pan up 10deg"'),
        ("zoom", 'expected a direction after "zoom", "zoom in" or "zoom out", got "zoom"'),
        ("pan right 10", 'expected an amount with its unit, "pan right 10deg", got "10"'),
        ("zoom in 20", 'expected an amount with its unit, "zoom in 20%" or "zoom in 20x", got "20"'),
        ("pan right 10%", 'expected the amount of a pan in deg, such as "pan right 15deg", got "10%"'),
        ("dolly in 2m", 'expected the amount of a dolly in %, such as "dolly in 20%", got "2m"'),
        ("zoom in 3deg", 'expected the amount of a zoom in % or x, such as "zoom in 1.25x", got "3deg"'),
        ("pan left -5deg", 'expected an amount without a sign, such as "pan left 15deg", got "-5deg"'),
        ("zoom in 0.5x", 'expected a zoom of 1x or more, such as "zoom in 1.25x", got "0.5x"'),
        (
            "pan left slowly",
            r'one amount and one easing \(linear, .*\) after "pan left", got "slowly" in "pan left slowly"',
        ),
        ("pan left 5deg 6deg", 'one amount and one easing .* got "6deg"'),
        ("pan left ease-in linear", 'one amount and one easing .* got "linear"'),
        ("dolly in 30% pan right", 'got "pan" in "dolly in 30% pan right": put "," or "then" between two moves'),
        ("dolly in 0%", 'expected a dolly of more than "0%": to stay still, write "static"'),
        ("pan right 0.0deg", 'expected a pan of more than "0.0deg": to stay still, write "static"'),
        ("zoom in 1x", 'expected a zoom of more than "1x": to stay still, write "static"'),
        ("dolly-zoom in 100%", "expected a dolly-zoom that ends before the subject, 1 ahead, got 1"),
        ("handheld 0%", 'expected a shake of more than nothing, got "handheld 0%": to stay still, write "static"'),
        ("handheld 1", 'expected an amount with its unit, "handheld 1%" or "handheld 1deg", got "1"'),
        ("handheld 2x", 'expected the amount of a handheld in % or deg, such as "handheld 1%", got "2x"'),
        ("handheld 1% 2%", 'expected one % and one deg after "handheld", got "handheld 1% 2%"'),
        ("handheld left", 'expected "handheld", "handheld 1%" or "handheld 1% 0.5deg", got "handheld left"'),
        ("hold 3deg", 'expected nothing after "hold" but "for ... s", got "hold 3deg"'),
        (
            "pan left for 1s, tilt up for 1s",
            'expected one "for ... s" in each shot, got 2 in "pan left for 1s, tilt up',
        ),
        ("pan left for 3s", r"expected shots of at most 2 s \(17 frames at 8 fps\), got 3 s"),
        ("pan left for 2s then hold", "at least one frame each, got 2 shots in 17 frames of which shot 2 has none"),
        (" then ".join(["hold"] * 17), "at least one frame each, got 17 shots in 17 frames"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write_instead(text, message):
    with pytest.raises(ValueError, match=message) as error:
        CameraPath.from_text(text)
    assert "\n" not in str(error.value).replace(text, "")


def test_a_clip_of_one_frame_has_no_room_for_a_move():
    with pytest.raises(ValueError, match="at least 2 frames for a camera move, got 1"):
        CameraPath.from_text("pan left", num_frames=1)


WORDS = ["dolly", "pan", "zoom", "in", "left", "3deg", "20%", "2x", ",", "then", "for", "1s", "hold", "ease-in"]


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS)).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_any_other_text_gives_a_path_or_one_clear_error(text):
    try:
        assert CameraPath.from_text(text).num_frames == 17
    except ValueError as error:
        assert str(error).startswith("expected ")
