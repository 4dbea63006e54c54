"""Game notation: what each project's keys do, how a text is known, and what is refused."""

import numpy as np
import pytest

from camvig.camera_paths import CameraPath
from camvig.camera_paths.film_grammar import explain_words
from camvig.camera_paths.game_notation import DIALECTS, is_game_notation
from camvig.camera_paths.moves import in_sequence


def in_clip(*paths: CameraPath) -> CameraPath:
    return in_sequence(*paths).resample(17, fps=8)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("w-4", CameraPath.dolly(0.32)),
        ("s-4", CameraPath.dolly(-0.32)),
        ("a-4", CameraPath.truck(-0.32)),
        ("d-4", CameraPath.truck(0.32)),
        ("left-4", CameraPath.pan(-12)),
        ("right-4", CameraPath.pan(12)),
        ("up-4", CameraPath.tilt(12)),
        ("down-4", CameraPath.tilt(-12)),
        ("w-3,right-1", in_clip(CameraPath.dolly(0.24, num_frames=4), CameraPath.pan(3, num_frames=2))),
        (
            " W-3, right-1, d-4 ",
            in_clip(*(move(amount, num_frames=steps + 1) for move, amount, steps in (
                (CameraPath.dolly, 0.24, 3), (CameraPath.pan, 3, 1), (CameraPath.truck, 0.32, 4),
            ))),
        ),
        ("up-30,w-10", in_clip(CameraPath.tilt(90, num_frames=31), CameraPath.dolly(0.8, num_frames=11))),
        ("sana-wm: a-10", CameraPath.pan(-6)),
        ("sana-wm: l-10", CameraPath.truck(0.25)),
        ("sana-wm-diffusers: a-10", CameraPath.truck(-0.5)),
        ("diffusers: l-10", CameraPath.pan(12)),
        ("none-3,i-10", in_clip(CameraPath.static(4), CameraPath.tilt(6, num_frames=11))),
        ("sana-wm: i-200", in_clip(CameraPath.tilt(60, num_frames=101), CameraPath.static(101))),
        ("hy-worldplay: w-4,", CameraPath.dolly(0.32)),
    ],
)  # fmt: skip
def test_keys_do_what_their_project_says(text, path):
    assert CameraPath.from_text(text).allclose(path)


def test_sana_wm_travels_level_and_turns_about_the_vertical():
    path = CameraPath.from_text("sana-wm: i-50,w-10,d-50", num_frames=111)
    np.testing.assert_allclose(path.camera_to_world[-1, :3, 3], [0, 0, 0.25], atol=1e-12)
    np.testing.assert_allclose(path.camera_to_world[-1, 1, 0], 0, atol=1e-12)  # no roll
    both = CameraPath.from_text("sana-wm-diffusers: w-1,jw-1", num_frames=3)
    turn = np.radians(1.2)
    expected = [-0.05 * np.sin(turn), 0, 0.05 + 0.05 * np.cos(turn)]
    np.testing.assert_allclose(both.camera_to_world[-1, :3, 3], expected, atol=1e-12)


def test_the_clip_has_the_asked_frames_and_starts_at_the_identity():
    path = CameraPath.from_text("w-7,left-2", num_frames=33, fps=24)
    assert (path.num_frames, path.fps, path.unit) == (33, 24, "scene_depth")
    assert np.array_equal(path.camera_to_world[0], np.eye(4))


def test_no_film_grammar_looks_like_it():
    for text in ("dolly in 30%", "pan left -5deg", "dolly-zoom in 3%", "hold", "pan right 5deg, w-3"):
        assert not is_game_notation(text)
    assert is_game_notation("w-3") and is_game_notation("jw- 40,w-1")


def test_what_the_keys_mean_in_words():
    assert explain_words("w-3,right-1") == [
        "in HY-WorldPlay, a step of w s a d (forward, back, left, right) is 8.0% of the scene depth, "
        "one of left right up down turns by 3°"
    ]
    for project in DIALECTS:
        (sentence,) = explain_words(f"{project}: w-3")
        assert DIALECTS[project].title in sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "w-80,jw-40",
            r'"sana-wm: w-80,jw-40" \(a and d turn, j and l go sideways\) or "sana-wm-diffusers: w-80,jw-40"',
        ),
        ("w-3,x-2", r'HY-WorldPlay \(a d down left right s up w\) or of SANA-WM \(a d i j k l s w, .*\), got "x"'),
        ("w-3,jup-2", 'or of SANA-WM .*, got "jup"'),
        ("w-3,right-1,jw-2", r'keys of HY-WorldPlay \(.*, one in each segment\), got "jw" in "jw-2"'),
        ("sana-wm: w-3,right-1", r'keys of SANA-WM \(.*, any of them at once, or none\), got "r" in "right-1"'),
        ("w-3,right", 'expected keys, "-" and a number of steps, such as "w-3", got "right"'),
        ("w-3,,d-1", 'expected keys, "-" and a number of steps, such as "w-3", got ""'),
        ("w-0", 'expected a whole number of steps from 1, such as "w-3", got "w-0"'),
        ("right-0.5", 'expected a whole number of steps from 1, such as "right-3", got "right-0.5"'),
        ("w-99999999", "expected at most 100,000 steps, got 99,999,999"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write_instead(text, message):
    with pytest.raises(ValueError, match=message):
        CameraPath.from_text(text)
