"""What the embedded checkpoint's camera tokenizer makes of a path."""

import warnings

import pytest

from camvig import CameraPath, CamViGCameraTokenizer
from camvig.pipelines.camera_path_input import prepare_camera_path
from camvig.pipelines.camera_round_trip import MisheardPathWarning, round_trip, warn_misheard
from camvig.pipelines.checkpoint_folder import find_checkpoint_folder


@pytest.fixture(scope="module")
def tokenizer() -> CamViGCameraTokenizer:
    folder = find_checkpoint_folder("camvig-tiny")
    assert folder is not None
    return CamViGCameraTokenizer.from_pretrained(folder / "camera_tokenizer").eval()


def encode(path: CameraPath, tokenizer: CamViGCameraTokenizer):
    import torch

    poses, intrinsics = (
        torch.tensor(part[None], dtype=torch.float32) for part in (path.camera_to_world, path.intrinsics)
    )
    return tokenizer.encode(poses, intrinsics)[0]


def test_a_usual_path_is_heard_well(tokenizer):
    path = prepare_camera_path("dolly in 30%, pan right 10deg", 17, 4, 3)
    trip = round_trip(path, encode(path, tokenizer), tokenizer)
    assert trip.rotation_error_degrees < 1 and trip.translation_error < 0.02
    assert trip.translation_error_percent == pytest.approx(100 * trip.translation_error / 0.3)
    assert trip.path.describe().startswith("moves 0.") and "forward" in trip.path.describe()
    with warnings.catch_warnings():
        warnings.simplefilter("error", MisheardPathWarning)
        warn_misheard([path, None], [encode(path, tokenizer), None], tokenizer)


def test_another_paths_ids_are_misheard_by_what_lies_between(tokenizer):
    path, other = (prepare_camera_path(text, 17, 4, 3) for text in ("static", "dolly in 30%, pan right 20deg"))
    trip = round_trip(path, encode(other, tokenizer), tokenizer)
    assert trip.translation_error == pytest.approx(0.3 * 17 / 32, abs=0.03)  # the mean over frames 1.. of k / 16
    assert trip.largest_rotation_error_degrees == pytest.approx(20, abs=2)
    assert trip.translation_error_percent is None
    with pytest.warns(MisheardPathWarning, match="it is off by 10"):
        warn_misheard([path], [encode(other, tokenizer)], tokenizer)
