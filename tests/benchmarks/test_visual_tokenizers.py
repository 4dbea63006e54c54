"""The benchmark of visual tokenizers, whole: untrained tiny tokenizers of both kinds on clips of every source."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.clip_videos import encode_video
from camvig.dataset_builders.render_clips import render_clips

SETS = ("rooms", "captures:walk", "rendered:room", "videos:films")


def sliding_pictures(count: int, size: int = 40) -> np.ndarray:
    """A blurred noise picture that slides two pixels a frame, [count, size, size, 3] uint8."""
    noise = np.random.default_rng(0).integers(0, 256, (size, size + 2 * count, 3), dtype=np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.stack([picture[:, 2 * step : 2 * step + size] for step in range(count)])


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import visual_tokenizers

        yield visual_tokenizers


@pytest.fixture(scope="module")
def record(benchmark, build_tiny_pipeline, tmp_path_factory):
    """The line that was printed, parsed, and the folder that it was told to write to."""
    folder = tmp_path_factory.mktemp("benchmark")
    for kind in ("motion", "plain"):
        build_tiny_pipeline(kind).visual_tokenizer.save_pretrained(folder / kind / "model")
    (folder / "plain" / "training.json").write_text('{"step": 5, "batch_size": 4, "cpu_seconds": 60.5, "seed": 0}')
    pictures = sliding_pictures(34)
    (folder / "walk" / "images").mkdir(parents=True)
    frames = []
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "walk" / "images" / f"{number:02d}.png")
        pose = np.eye(4)
        pose[0, 3] = number / 10
        frames.append({"file_path": f"images/{number:02d}.png", "transform_matrix": pose.tolist()})
    lens = {"w": 40, "h": 40, "fl_x": 40, "fl_y": 40, "cx": 20, "cy": 20}
    (folder / "walk" / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    render_clips(["room:train/5"], 2, folder / "room", size=48)
    (folder / "films").mkdir()
    (folder / "films" / "film.mp4").write_bytes(encode_video(pictures, 8.0))
    arguments = [f"--tokenizer={kind}={folder / kind / 'model'}" for kind in ("motion", "plain")]
    arguments += [
        "--clips=2",
        "--captures",
        folder / "walk",
        "--rendered",
        folder / "room",
        "--videos",
        folder / "films",
    ]
    arguments += ["--json", folder / "out.json", "--sheets", folder / "sheets"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["visual_tokenizers", *map(str, arguments)])
        benchmark.main()
    (line,) = (folder / "out.json").read_text().splitlines()
    return json.loads(line), folder


def test_every_set_is_measured(record):
    line, folder = record
    assert line["benchmark"] == "visual_tokenizers" and tuple(line["sets"]) == SETS
    for name in SETS:
        figures = line["sets"][name]["32x32"]
        assert figures["clips"] == 2
        assert (folder / "sheets" / f"{name.replace(':', '-')}-32.png").stat().st_size > 1000
    assert line["tokenizers"]["plain"]["training"] == {"step": 5, "batch_size": 4, "cpu_seconds": 60.5}
    assert line["tokenizers"]["motion"]["training"] == {}
    assert line["tokenizers"]["motion"]["ids_of_a_clip"] == [5, 4, 4]


def test_rows_and_their_bits(record):
    for figures in (each["32x32"] for each in record[0]["sets"].values()):
        decoded = figures["decoded"]
        assert decoded["motion, ids alone"]["bits_of_a_clip"] == decoded["plain, ids alone"]["bits_of_a_clip"] == 1440
        assert decoded["motion, with picture"]["bits_of_a_clip"] == 1152
        for row, budget in (("H.264 in 1440 bits", 1440), ("H.264 in 1152 bits, first frame given", 1152)):
            assert decoded[row]["bits_of_a_clip"] <= budget or decoded[row]["clips_over_budget"] > 0
        for row in decoded.values():
            assert 5 < row["psnr"] < 60 and -1 < row["ssim"] < 1 and row["perceptual_distance"] > 0


def test_what_is_given_is_exact(record):
    """The picture is frame 0 of a decoded motion clip and of the control; ids alone lose it."""
    for figures in (each["32x32"] for each in record[0]["sets"].values()):
        for name in ("motion, with picture", "first frame repeated"):
            assert figures["decoded"][name]["first_frame_psnr"] is None  # infinite
            assert figures["decoded"][name]["first_frame_ssim"] == 1.0
        assert figures["decoded"]["plain, ids alone"]["first_frame_psnr"] < 30


def test_ids_agree_and_speeds_are_positive(record):
    for figures in (each["32x32"] for each in record[0]["sets"].values()):
        for measured in figures["tokenizers"].values():
            assert measured["first_frame_ids_agree"] == 1.0
            assert measured["usage_first_frame"]["ids"] == 2 * 16
            assert measured["usage_later_frames"]["ids"] == 2 * 64
            assert measured["encode"]["frames_per_processor_second"] > 0
            assert measured["decode"]["frames_per_processor_second"] > 0
        assert "decode_with_picture" in figures["tokenizers"]["motion"]
        assert "decode_with_picture" not in figures["tokenizers"]["plain"]


def test_flow_is_exact_where_depth_is_known_and_zero_in_stills(benchmark):
    import benchmark_clips

    clip = benchmark_clips.rooms(1, 32)[0]
    assert clip.flow.shape == (16, 2, 32, 32) and np.abs(clip.flow).max() > 0.01
    still = benchmark_clips._with_estimated_flow(np.repeat(sliding_pictures(1), 17, axis=0))
    assert np.abs(still.flow).max() < 1e-3 and still.visibility.all()


def test_sources_without_clips_are_refused(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["visual_tokenizers", "--clips=1", "--videos", str(tmp_path)])
    with pytest.raises(ValueError, match="expected clips in videos:"):
        benchmark.main()
