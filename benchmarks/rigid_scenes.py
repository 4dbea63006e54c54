"""What does it bring to decode ids as a scene at rest, and what of it do the ids bring? One JSON line a way of decoding.

    python benchmarks/rigid_scenes.py [--checkpoint checkpoints/camvig-tiny] [--split validation] [--clips 64]

Of the ids that the transformer writes, with the checkpoint's own sampling, and of the true frames' ids: decoded as they are; with
the depth that they and the picture's ids say together (`rigid_scene`); with that of either alone; and with another clip's ids,
which know nothing of this one. Of the transformer's ids also with the exact depth of frame 0 alone, and of every frame: what
is wrong then is not depth. Flow MSE over static, of all clips and by move, amount of motion, PSNR, and PSNR of what frame 0
does not show.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from camvig import CamViGPipeline
from camvig.metrics.flow_mse import dis_flow, flow_mse_between, motion_ratio
from camvig.metrics.frame_quality import mean_psnr, psnr
from camvig.modeling_camvig import motion_decoder, rigid_flow
from camvig.modeling_camvig.motion_autoencoder import MotionAutoencoder
from camvig.pipelines.evaluation.controls import static_video
from camvig.pipelines.evaluation.eval_clips import EvalClip, read_eval_clips
from camvig.pipelines.evaluation.generation import BATCH_SIZE, draw_ids, to_frames, to_picture, true_ids
from camvig.pipelines.sampling_settings import SamplingSettings

PRIORS = {"both": rigid_flow.PRIOR_INFORMATION, "ids alone": 1e-9, "picture alone": 1e9}
"""How much the picture's own depth counts."""


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="camvig-tiny")
    parser.add_argument("--split", default="validation", choices=["train", "validation", "test"])
    parser.add_argument("--clips", type=int, default=64)
    options = parser.parse_args()
    pipeline = CamViGPipeline.from_pretrained(options.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    size = pipeline.visual_tokenizer.config.image_size
    clips = read_eval_clips("rooms", options.split, options.clips, size, pipeline.num_frames)[0]
    flows = [dis_flow(clip.frames) for clip in clips]
    written, true = written_ids(pipeline, clips), [true_ids(pipeline, clip) for clip in clips]
    oracles = with_exact_depth(pipeline, clips, written)
    for source, ids, others in (("transformer", written, oracles), ("true frames", true, {})):
        for way, videos in (decoded(pipeline, clips, ids) | others).items():
            line = {"benchmark": "rigid_scenes", "ids": source, "decoded": way, **scores(videos, clips, flows)}
            print(json.dumps(line), flush=True)


def written_ids(pipeline: CamViGPipeline, clips: list[EvalClip]) -> list[Tensor]:
    """Video i from seed i."""
    settings, written = replace(SamplingSettings.of(pipeline), rigid_scene=False), []
    for start in range(0, len(clips), BATCH_SIZE):
        part = clips[start : start + BATCH_SIZE]
        pictures, paths = [to_picture(clip.frames[0]) for clip in part], [clip.path for clip in part]
        written += list(draw_ids(pipeline, pictures, paths, range(start, start + len(part)), settings))
    return written


def decoded(pipeline: CamViGPipeline, clips: list[EvalClip], ids: list[Tensor]) -> dict[str, list[np.ndarray]]:
    """Way of decoding -> videos `[T, S, S, 3]` uint8."""
    next_ids = ids[1:] + ids[:1]
    others = [
        torch.cat([one[..., :1, :, :], other[..., 1:, :, :]], -3) for one, other in zip(ids, next_ids, strict=True)
    ]
    ways = {"as they are": decode(pipeline, clips, ids, rigid=False)}
    for name, prior in PRIORS.items():
        rigid_flow.PRIOR_INFORMATION = prior
        ways[f"rigid scene, depth of {name}"] = decode(pipeline, clips, ids, rigid=True)
    rigid_flow.PRIOR_INFORMATION = PRIORS["both"]
    ways["rigid scene, another clip's ids"] = decode(pipeline, clips, others, rigid=True)
    return ways


def with_exact_depth(pipeline: CamViGPipeline, clips: list[EvalClip], ids: list[Tensor]) -> dict[str, list[np.ndarray]]:
    """As `decoded`, with an oracle in the place of what ids and picture tell of depth."""
    ways: dict[str, list[np.ndarray]] = {}
    for name, every_frame in (("exact depth of frame 0", False), ("exact depth of every frame", True)):
        ways[name] = []
        for one, clip in zip(ids, clips, strict=True):
            with exact_depth(clip, every_frame):
                ways[name] += decode(pipeline, [clip], [one], rigid=True)
    return ways


@contextmanager
def exact_depth(clip: EvalClip, every_frame: bool) -> Iterator[None]:
    """Of frame 0, seen by the other frames as ever, or of every frame."""
    exact = inverse_depth(clip)
    if every_frame:
        with patch.object(motion_decoder, "fit_inverse_depth", lambda flows, scene: exact[:, 1:]):
            yield
    else:
        prior = patch.object(rigid_flow, "PRIOR_INFORMATION", PRIORS["picture alone"])
        with prior, patch.object(MotionAutoencoder, "inverse_depth", lambda *_: exact[:, 0]):
            yield


def inverse_depth(clip: EvalClip) -> Tensor:
    """True inverse depth, median of frame 0 is 1, two pixels a side: `[1, T, 1, S/2, S/2]`."""
    assert clip.depth is not None
    relative = torch.from_numpy(np.median(clip.depth[0]) / clip.depth).float()
    return F.avg_pool2d(relative[:, None], 2)[None]


def decode(pipeline: CamViGPipeline, clips: list[EvalClip], ids: list[Tensor], rigid: bool) -> list[np.ndarray]:
    return [
        to_frames(pipeline.decode_video(one, to_picture(clip.frames[0]), clip.path if rigid else None))
        for one, clip in zip(ids, clips, strict=True)
    ]


def scores(
    videos: list[np.ndarray], clips: list[EvalClip], flows: list[np.ndarray]
) -> dict[str, float | dict[str, float]]:
    found = [dis_flow(video) for video in videos]
    errors = np.array([flow_mse_between(*pair) for pair in zip(found, flows, strict=True)])
    still = [dis_flow(static_video(clip.frames)) for clip in clips]
    static = np.array([flow_mse_between(*pair) for pair in zip(still, flows, strict=True)])
    pairs = list(zip(videos, clips, strict=True))
    moves = np.array([clip.move for clip in clips])
    return {
        "flow_mse_over_static": ratio(errors, static),
        "by_move": {
            str(move): ratio(errors[moves == move], static[moves == move]) for move in np.unique(moves[static > 0])
        },
        "motion_ratio": round(float(np.nanmean([motion_ratio(*pair) for pair in zip(found, flows, strict=True)])), 3),
        "psnr": round(mean_psnr(psnr(video, clip.frames) for video, clip in pairs).mean, 2),
        "psnr_hidden": round(mean_psnr(psnr(video, clip.frames, clip.hidden) for video, clip in pairs).mean, 2),
    }


def ratio(errors: np.ndarray, static: np.ndarray) -> float:
    return round(float(errors.mean() / static.mean()), 4)


if __name__ == "__main__":
    main()
