"""Clips -> cached ids, with any trained tokenizers: what `camvig data tokenize` does, and fine-tuning reads.

What always holds: a part of the cache appears whole; parts that are there are kept, so a killed run goes on, but only if
they were made by the same tokenizers, else it is refused. Sources are folders of Parquet files of clips (`clip_rows`), or of
lossless shards (`clip_cache`). The motion tokenizer gets exact flow where a clip has depth (of what moves by itself too, in
shards that hold its poses), and estimated flow where not.

The visual tokenizer's weights are first rounded as a checkpoint stores them (`visual_tokenizer_dtype`: ours to bfloat16, open
weights not at all), so that ids here and in use are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..dataset_builders.clip_folders import Part, parts_of, source_name
from ..dataset_builders.clip_variants import is_in_range, mirrored, relative_path, reversed_in_time
from ..dataset_builders.estimated_flow import estimated_backward_flow
from ..dataset_builders.exact_flow import flow_to_first_frame
from ..dataset_builders.token_cache import check_tokenizers, part_file, write_part
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from ..pipelines.checkpoint_folder import load_component, visual_tokenizer_dtype
from .visual_batches import change_colours

BATCH_CLIPS = 16
VISUAL_DECODER = "autoencoder.decoder."
"""Weights of visual tokenizers that ids do not depend on: one trained further (`decoder_alone`) keeps its cached ids."""


@dataclass(frozen=True)
class Tokenizers:
    """Both tokenizers, and a fingerprint of their configurations and weights."""

    visual: CamViGVisualTokenizer
    camera: CamViGCameraTokenizer
    fingerprint: str

    @classmethod
    def load(cls, visual: str | Path, camera: str | Path) -> Tokenizers:
        """From two folders, each a saved model. `ValueError` names what is missing or damaged."""
        stored = visual_tokenizer_dtype(Path(visual))
        visual_tokenizer = load_component(CamViGVisualTokenizer, Path(visual), stored).float().eval()
        camera_tokenizer = load_component(CamViGCameraTokenizer, Path(camera), torch.float32).eval()
        assert isinstance(visual_tokenizer, CamViGVisualTokenizer) and isinstance(
            camera_tokenizer, CamViGCameraTokenizer
        )
        return cls(visual_tokenizer, camera_tokenizer, fingerprint_of(visual_tokenizer, camera_tokenizer))


def fingerprint_of(visual: CamViGVisualTokenizer, camera: CamViGCameraTokenizer) -> str:
    """16 hexadecimal digits of everything that ids depend on: the configurations and weights of both, but for a visual decoder."""
    digest = hashlib.sha256()
    for model in (visual, camera):
        settings = model.config.to_diff_dict()
        settings.pop("transformers_version", None)  # another version gives the same ids
        for name in getattr(model.config, "decoder_fields", ()):
            settings.pop(name, None)
        for name in getattr(model.config, "newer_fields", ()):
            if settings.get(name) == getattr(type(model.config), name):
                del settings[name]
        digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
        for name, weights in sorted(model.state_dict().items()):
            if model is visual and name.startswith(VISUAL_DECODER):
                continue
            digest.update(name.encode() + weights.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


def variants_of(clip: dict) -> list[tuple[dict, str]]:
    """A clip as it is and mirrored; with depth also played backwards and both. Those that are out of range are left out."""
    named = [(clip, "as rendered")]
    if clip["depth"] is not None:
        named = [
            (variant, name) for variant, name in (*named, (reversed_in_time(clip), "reversed")) if is_in_range(variant)
        ]
    return named + [(mirrored(variant), f"{name}, mirrored") for variant, name in named]


def encode_clips(clips: Sequence[dict], tokenizers: Tokenizers) -> list[dict]:
    """Clips -> rows of the token cache without their source; a clip without a path gets the ids of a camera at rest."""
    frames, flow, visibility = (
        torch.from_numpy(np.stack(each)) for each in zip(*map(_seen_motion, clips), strict=True)
    )
    size = tokenizers.visual.config.image_size
    video = _resized(frames.permute(0, 1, 4, 2, 3).float() / 127.5 - 1, size).transpose(1, 2)
    image_ids, video_ids = tokenizers.visual.encode_clip(
        video, _resized(flow, size), (_resized(visibility.float(), size) >= 0.5).float()
    )
    poses, intrinsics = (np.stack(each) for each in zip(*map(_path_of, clips), strict=True))
    columns = {
        "image_ids": image_ids,
        "video_ids": video_ids,
        "camera_ids": tokenizers.camera.encode(torch.from_numpy(poses), torch.from_numpy(intrinsics)),
        "camera_to_world": poses.reshape(len(clips), -1),
        "intrinsics": intrinsics.reshape(len(clips), -1),
        "has_path": np.array([clip["has_path"] for clip in clips]),
    }
    return [{name: values[number].tolist() for name, values in columns.items()} for number in range(len(clips))]


def _seen_motion(clip: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames `[T, H, W, 3]`, flow `[T-1, 2, H, W]` and visibility `[T-1, 1, H, W]`."""
    if clip["depth"] is None:
        flow, visibility, _ = estimated_backward_flow(clip["frames"])
    else:
        flow, visibility, _ = flow_to_first_frame(clip)
    return np.asarray(clip.get("coloured", clip["frames"])), flow, visibility[:, None]


def _path_of(clip: dict) -> tuple[np.ndarray, np.ndarray]:
    if not clip["has_path"]:
        return np.asarray(clip["camera_to_world"], np.float32), np.asarray(clip["intrinsics"], np.float32)
    return relative_path(clip)


def _resized(maps: Tensor, size: int) -> Tensor:  # [B, T, C, H, W] -> [B, T, C, size, size]
    if maps.shape[-1] == maps.shape[-2] == size:
        return maps
    mode = "area" if min(maps.shape[-2:]) >= size else "bilinear"
    return F.interpolate(maps.flatten(0, 1), (size, size), mode=mode).unflatten(0, maps.shape[:2])


def encode_part(part: Part, tokenizers: Tokenizers, augment: bool) -> list[dict]:
    """One part's clips -> rows; with `augment` each variant of a clip, in other colours."""
    rng, rows, waiting = np.random.default_rng((0, part.number)), [], []

    def encode_waiting() -> None:
        for row, origin in zip(encode_clips([clip for clip, _ in waiting], tokenizers), waiting, strict=True):
            rows.append({**row, **origin[1]})
        waiting.clear()

    for index, clip in enumerate(part.clips(), start=part.cache.starts[part.number] if part.cache else 0):
        for variant, name in variants_of(clip) if augment else [(clip, "as rendered")]:
            coloured = {"coloured": change_colours(variant["frames"], rng)} if augment else {}
            origin = {"source": part.source, "clip_index": index, "variant": name, "move": clip["move"]}
            origin |= {"licence": clip.get("licence", "")}
            waiting.append(({**variant, **coloured}, origin))
            if len(waiting) == BATCH_CLIPS:
                encode_waiting()
    if waiting:
        encode_waiting()
    return rows


def tokenize_clips(
    folders: Sequence[Path],
    tokenizers: Tokenizers,
    output: Path,
    augment: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> int:
    """Write what is missing of the cache of some folders of clips; returns how many rows it wrote.

    Args:
        augment: also mirrored and reversed clips, in changed colours, as camvig-tiny's training had them.
        shard: (i, n): only every n-th part, from the i-th.
    """
    names = [source_name(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"expected folders of clips with different names, got {', '.join(names)}")
    parts = [part for folder in folders for part in parts_of(folder)]
    check_tokenizers(output, tokenizers.fingerprint)
    written, shortened = 0, 0
    for part in tqdm(parts[shard[0] :: shard[1]], desc="tokenizing", unit="part", mininterval=5):
        file = part_file(output, part.source, part.number)
        if not file.exists():
            rows = encode_part(part, tokenizers, augment)
            write_part(file, rows, tokenizers.fingerprint)
            written += len(rows)
            shortened += shortened_paths(rows, tokenizers.camera)
    if shortened:
        tqdm.write(
            f"{shortened} of {written} camera paths lost their finest motion: they need more than max_tokens ids"
        )
    return written


def shortened_paths(rows: list[dict], camera: CamViGCameraTokenizer) -> int:
    """How many rows with a path have one that needs more camera ids than there are."""
    paths = [(row["camera_to_world"], row["intrinsics"]) for row in rows if row["has_path"]]
    if not paths:
        return 0
    poses, intrinsics = (torch.tensor(part) for part in zip(*paths, strict=True))
    return int(camera.is_shortened(poses.unflatten(1, (-1, 4, 4)), intrinsics.unflatten(1, (-1, 4))).sum())
