"""The project's own exam: does a generated video move as the true one does? Controls stand beside every number.

Clips are procedural rooms of a split that training never sees (scenes and textures of their own). Flow MSE is that of
`metrics.flow_mse`, in px^2 of the model's frames, over all clips together: `model` with the true path, `wrong_path` with
another clip's, `no_camera` with the missing-camera token, `reconstruction` the true frames through the tokenizer, `static`
the first frame repeated. Everything is drawn from the seed; only the seconds differ between two runs.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..camera_paths.camera_path import CameraPath
from ..dataset_builders.exact_flow import backward_flow
from ..dataset_builders.rooms.room_clips import RoomClip, room_clips
from ..metrics.flow_mse import dis_flow, flow_mse_between
from ..metrics.frame_quality import mean_psnr, psnr
from .pipeline_camvig import CamViGPipeline
from .sampling_settings import DEFAULT_SAMPLING, SamplingSettings
from .video_files import write_png

BATCH_SIZE = 16
FAMILIES = ("dolly", "truck", "pedestal", "orbit", "pan", "tilt", "roll", "zoom", "free", "static")


def evaluate_rooms(
    pipeline: CamViGPipeline, split: str = "test", clips: int = 64, seed: int = 0, sheet: Path | None = None
) -> dict[str, Any]:
    """Scores a pipeline on the first `clips` clips of a split; writes a contact sheet to `sheet` if given.

    Returns:
        `flow_mse`, `psnr`, `psnr_hidden` (pixels that frame 0 does not show), `flow_mse_by_move`, `mirror`, timings.
    """
    if clips < 2:
        raise ValueError(f"expected at least 2 clips, so that one can take another's path, got {clips}")
    size = pipeline.visual_tokenizer.config.image_size
    rooms = list(tqdm(room_clips(split, clips, size=size), total=clips, desc="rendering rooms"))
    paths = [room.path for room in rooms]
    pictures = [to_picture(room.frames[0]) for room in rooms]
    seeds = list(range(seed, seed + clips))
    generated = generate_with_controls(pipeline, pictures, paths, seeds)
    videos = {
        "model": generated["model"],
        "reconstruction": [reconstruct(pipeline, room) for room in rooms],
        "static": [static_video(room.frames) for room in rooms],
        "wrong_path": generated["wrong_path"],
        "no_camera": generated["no_camera"],
    }
    true_flows = [dis_flow(room.frames) for room in rooms]
    errors = {name: flow_errors(generated, true_flows) for name, generated in videos.items()}
    hidden = [hidden_pixels(room) for room in rooms]
    if sheet is not None:
        write_sheet(sheet, rooms, [videos["reconstruction"], videos["model"], videos["wrong_path"]])
    return {
        "flow_mse": {name: mean(values) for name, values in errors.items()},
        "psnr": {name: frames_psnr(videos[name], rooms) for name in ("reconstruction", "model")},
        "psnr_hidden": {name: frames_psnr(videos[name], rooms, hidden) for name in ("reconstruction", "model")},
        "flow_mse_by_move": by_move(rooms, errors),
        "mirror": mirror_test(pipeline, rooms, seeds, errors["model"]),
        **timing(pipeline, pictures[0], paths[0], seed),
        "clips": clips,
        "split": split,
        "seed": seed,
        "settings": asdict(DEFAULT_SAMPLING),
    }


def generate_with_controls(
    pipeline: CamViGPipeline,
    pictures: list[Tensor],
    paths: list[CameraPath],
    seeds: list[int],
    settings: SamplingSettings = DEFAULT_SAMPLING,
) -> dict[str, list[np.ndarray]]:
    """As `generate`, three times: `model` with the true paths, `wrong_path` with the next clip's, `no_camera` with none."""
    asked = {"model": paths, "wrong_path": paths[1:] + paths[:1], "no_camera": [None] * len(paths)}
    return {name: generate(pipeline, pictures, given, seeds, settings) for name, given in asked.items()}


def static_video(frames: np.ndarray) -> np.ndarray:
    """The first frame, repeated."""
    return np.repeat(frames[:1], len(frames), axis=0)


def generate(
    pipeline: CamViGPipeline,
    pictures: list[Tensor],
    paths: list[CameraPath] | list[None],
    seeds: list[int],
    settings: SamplingSettings = DEFAULT_SAMPLING,
) -> list[np.ndarray]:
    """Pictures `[1, 3, S, S]` and paths, one seed each -> videos `[T, S, S, 3]` uint8."""
    videos = []
    for start in range(0, len(pictures), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        camera_ids = [None if path is None else pipeline.encode_path(path) for path in paths[part]]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds[part]]
        on_device = [picture.to(pipeline.transformer.device) for picture in pictures[part]]
        image_ids = pipeline.encode_pictures(on_device)
        ids = pipeline.generate_ids(image_ids, camera_ids, generators, asdict(settings))
        videos += [to_frames(pipeline.decode_video(*pair)) for pair in zip(ids, on_device, strict=True)]
    return videos


def reconstruct(pipeline: CamViGPipeline, room: RoomClip) -> np.ndarray:
    """The true frames through the visual tokenizer, `[T, S, S, 3]` uint8."""
    tokenizer = pipeline.visual_tokenizer
    video = torch.cat([to_picture(frame) for frame in room.frames])[None].transpose(1, 2)
    if tokenizer.config.kind == "plain":
        ids = tokenizer.encode(video)
    else:
        flow, visibility, _ = backward_flow(room.depth, room.camera_to_world, room.intrinsics)
        visible = torch.from_numpy(visibility)[None, :, None].float()
        ids = tokenizer.encode(video, torch.from_numpy(flow)[None], visible)
    return to_frames(pipeline.decode_video(ids[0], video[:, :, 0]))


def to_picture(frame: np.ndarray) -> Tensor:
    """`[S, S, 3]` uint8 -> `[1, 3, S, S]` in [-1, 1]. A room's frame is already squashed, as its intrinsics say."""
    return torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_frames(video: Tensor) -> np.ndarray:
    """`[T, 3, S, S]` in [0, 1] -> `[T, S, S, 3]` uint8."""
    return (video * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def flow_errors(videos: list[np.ndarray], true_flows: list[np.ndarray]) -> np.ndarray:
    """Flow MSE of each clip, px^2."""
    return np.array([flow_mse_between(dis_flow(video), flow) for video, flow in zip(videos, true_flows, strict=True)])


def hidden_pixels(room: RoomClip) -> np.ndarray:
    """`[T-1, S, S]` bool: what frame 0 does not show."""
    return backward_flow(room.depth, room.camera_to_world, room.intrinsics)[1] == 0


def frames_psnr(videos: list[np.ndarray], rooms: list[RoomClip], masks: list[np.ndarray] | None = None) -> float:
    """Mean PSNR over clips, frames 1.., dB; with masks, over the clips that have such pixels."""
    chosen = masks or [None] * len(rooms)
    values = [psnr(video, room.frames, mask) for video, room, mask in zip(videos, rooms, chosen, strict=True)]
    return mean_psnr(values).mean


def by_move(rooms: list[RoomClip], errors: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Flow MSE of the model and of a static video for each family of moves, with the number of clips."""
    table = {}
    for family in FAMILIES:
        chosen = np.array([room.move.split("_")[0] == family for room in rooms])
        if chosen.any():
            scores = {name: mean(errors[name][chosen]) for name in ("model", "static")}
            table[family] = {"clips": int(chosen.sum()), **scores}
    return table


def mirror_test(
    pipeline: CamViGPipeline, rooms: list[RoomClip], seeds: list[int], errors: np.ndarray
) -> dict[str, float]:
    """Mean flow MSE of moves to the left and to the right over the same scenes: each clip and its mirror image."""
    sides = [room.move.rsplit("_", 1)[-1] for room in rooms]
    chosen = [index for index, side in enumerate(sides) if side in ("left", "right")]
    if not chosen:
        return {"clips": 0}
    mirrored_frames = [rooms[index].frames[:, :, ::-1] for index in chosen]
    paths = [rooms[index].path.mirrored() for index in chosen]
    pictures = [to_picture(frames[0]) for frames in mirrored_frames]
    videos = generate(pipeline, pictures, paths, [seeds[index] for index in chosen])
    mirrored = flow_errors(videos, [dis_flow(np.ascontiguousarray(frames)) for frames in mirrored_frames])
    left, right = [], []
    for index, mirrored_error in zip(chosen, mirrored, strict=True):
        pair = (errors[index], mirrored_error)
        left.append(pair[sides[index] == "right"])
        right.append(pair[sides[index] == "left"])
    difference = abs(mean(left) - mean(right)) / max(mean(left), mean(right))
    return {"clips": len(chosen), "left": mean(left), "right": mean(right), "relative_difference": difference}


def timing(pipeline: CamViGPipeline, picture: Tensor, path: CameraPath, seed: int) -> dict[str, float]:
    """Seconds of one video alone, ids and frames, and the tokens a second of its ids."""
    started = time.perf_counter()
    image_ids, camera_ids = pipeline.encode_pictures([picture]), [pipeline.encode_path(path)]
    before = time.perf_counter()
    ids = pipeline.generate_ids(image_ids, camera_ids, torch.Generator().manual_seed(seed), asdict(DEFAULT_SAMPLING))
    after = time.perf_counter()
    pipeline.decode_video(ids[0], picture)
    return {
        "seconds_per_video": time.perf_counter() - started,
        "tokens_per_second": pipeline.transformer.config.num_video_tokens / (after - before),
    }


def mean(values) -> float:
    return float(np.mean(values))


def write_sheet(file: Path, rooms: list[RoomClip], columns: list[list[np.ndarray]], count: int = 16):
    """A PNG: a row a clip; the true frames, the reconstructed, the generated, and those of a wrong path."""
    rows = []
    for index in range(min(count, len(rooms))):
        videos = [rooms[index].frames, *(column[index] for column in columns)]
        blocks = [np.concatenate([video[frame] for frame in (0, 4, 8, 12, 16)], axis=1) for video in videos]
        gap = np.full((blocks[0].shape[0], 6, 3), 255, np.uint8)
        rows.append(np.concatenate([part for block in blocks for part in (block, gap)], axis=1))
    write_png(Image.fromarray(np.concatenate(rows, axis=0)), file)
