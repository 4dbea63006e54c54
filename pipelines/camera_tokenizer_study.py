"""The question that the paper leaves open: is an audio codec the right tokenizer for a camera? Measured.

Codecs are taken as they were trained; the others are fitted to sampled paths and, with a file of real ones, to those of
its sources that are not held out. Everything is judged on paths that no tokenizer was fitted to. Bits are the mean number of
tokens times log2 of the ids among which each token is one: what a path costs before any language model guesses.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.path_samples import sample_model_paths
from ..dataset_builders.real_paths import RealPaths, read_real_paths, split_by_source
from ..metrics.camera_path_errors import LEAST_LENGTH, path_lengths, rotation_errors, summarise_path_errors
from ..modeling_camvig.binned_camera_tokenizers import GenDopCameraTokenizer
from ..modeling_camvig.camera_path_tokenizer import CameraPathTokenizer
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from ..modeling_camvig.configuration_camvig import CamViGConfig
from .checkpoint_folder import COMPACT_CODEC, EMBEDDED, PAPER_CODEC, find_checkpoint_folder

SAMPLED_PATHS, SAMPLED_HELD_OUT = 4000, 512
FIT_SEED, HELD_OUT_SEED = 0, 2  # the embedded codecs were trained on seed 0 and validated on seed 1
COARSE = {"dct_scale": 30.0, "dct_vocab_size": 1024}
"""A coarser kind "dct" than the default, which is `dct-bpe-fine` here; both were chosen on fitted paths."""
BATCH, TIMED_PATHS = 128, 32
PAPER_GEOMETRY = (4, 106)

Paths = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class StudyPaths:
    """What is fitted, and what is judged: `sampled`, and with a file of real paths `real` and, if any, `real_in_range`.

    `sources` has the paths of `real` by their source.
    """

    fit: Paths
    judged: dict[str, Paths]
    sources: dict[str, Paths]
    counts: dict


def study_camera_tokenizers(
    paths_file: str | os.PathLike[str] | None = None,
    paper_codec: str | os.PathLike[str] = PAPER_CODEC,
    compact_codec: str | os.PathLike[str] = COMPACT_CODEC,
    sampled_paths: int = SAMPLED_PATHS,
    sampled_held_out: int = SAMPLED_HELD_OUT,
) -> dict:
    """Fit and measure every tokenizer.

    Args:
        paths_file: a .npz of real paths (`dataset_builders.real_paths`).
        paper_codec: folder of a trained `CamViGCameraTokenizer` of the paper's geometry, 4 x 106 ids, or the embedded one's name.
        compact_codec: folder of a trained codec of any geometry in place of the embedded compact one.
        sampled_paths: sampled paths to fit.
        sampled_held_out: sampled paths to judge.

    Returns:
        `tokenizers`: of each its figures on the held-out real paths, or on the sampled ones without a file, all of them
        under `sampled`, `real` and `real_in_range`, and each real source's under `by_source`; `paths`: how many of
        which; `judged_on`.
    """
    tokenizers = build_tokenizers(paper_codec, compact_codec)
    paths = study_paths(paths_file, sampled_paths, sampled_held_out)
    figures = {}
    headline = "real" if "real" in paths.judged else "sampled"
    for name, tokenizer in tokenizers.items():
        if not is_codec(tokenizer):
            tokenizer.fit(*paths.fit)
        sets: dict[str, dict] = {of: judge(tokenizer, judged) for of, judged in paths.judged.items()}
        if paths.sources:
            sets["by_source"] = {source: judge(tokenizer, judged) for source, judged in paths.sources.items()}
        figures[name] = {**sets[headline], **time_tokenizer(tokenizer, paths.judged["sampled"]), **sets}
    return {
        "judged_on": headline,
        "paths": paths.counts,
        "tokenizers": figures,
    }


def is_codec(tokenizer: CameraPathTokenizer) -> bool:
    """Codecs come trained; there is nothing to fit."""
    return isinstance(tokenizer, CamViGCameraTokenizer) and tokenizer.config.kind == "codec"


def build_tokenizers(
    paper_codec: str | os.PathLike[str] = PAPER_CODEC, compact_codec: str | os.PathLike[str] = COMPACT_CODEC
) -> dict[str, CameraPathTokenizer]:
    """All tokenizers by name; uniform bins also at the bits of the compact codec, rounded down to whole bins."""
    compact = _trained_codec(_folder(compact_codec))
    uniform = _unfitted("uniform")
    bits = compact.config.num_levels * compact.config.tokens_per_level * compact.bits_per_token
    same_bits = int(2 ** (bits / uniform.config.tokens_per_level))
    return {
        "codec-4x106": _paper_codec(_folder(paper_codec)),
        "codec-compact": compact,
        "codec-camvig-tiny": _trained_codec(_folder(EMBEDDED) / "camera_tokenizer"),
        "uniform-256": uniform,
        f"uniform-{same_bits}": _unfitted("uniform", num_bins=same_bits),
        "gendop": GenDopCameraTokenizer(),
        "dct-bpe": _unfitted("dct", **COARSE),
        "dct-bpe-fine": _unfitted("dct"),
    }


def _unfitted(kind: str, **settings) -> CamViGCameraTokenizer:
    return CamViGCameraTokenizer(CamViGCameraTokenizerConfig(kind=kind, **settings))


def study_paths(paths_file: str | os.PathLike[str] | None, sampled_paths: int, sampled_held_out: int) -> StudyPaths:
    """Read and split the real paths, and sample the others."""
    real_paths = None if paths_file is None else split_by_source(read_real_paths(paths_file))
    fit, sampled = (
        _tensors(*sample_model_paths(count, seed))
        for count, seed in ((sampled_paths, FIT_SEED), (sampled_held_out, HELD_OUT_SEED))
    )
    judged = {"sampled": sampled}
    sources: dict[str, Paths] = {}
    counts: dict = {"sampled_fit": sampled_paths}
    if real_paths is not None:
        real_fit, real = real_paths
        fit = tuple(torch.cat(pair) for pair in zip(fit, real_tensors(real_fit), strict=True))
        judged["real"] = real_tensors(real)
        if len((inside := in_range(judged["real"]))[0]):
            judged["real_in_range"] = inside
        sources = {source: real_tensors(real.of([source])) for source in _names(real)}
        counts |= {"real_fit": len(real_fit.source), "real_fit_sources": _names(real_fit), "real_sources": _names(real)}
    counts |= {name: _counts(paths) for name, paths in judged.items()}
    return StudyPaths((fit[0], fit[1]), judged, sources, counts)


def in_range(paths: Paths) -> Paths:
    """The paths that the default model's training range holds: others it is not made to follow."""
    poses, limits = paths[0].numpy(), CamViGConfig()
    reach = np.linalg.norm(poses[..., :3, 3], axis=-1).max(1)
    turn = rotation_errors(np.broadcast_to(np.eye(4), poses.shape), poses).max(1)
    chosen = torch.from_numpy((reach <= limits.max_translation) & (turn <= limits.max_rotation_degrees))
    return paths[0][chosen], paths[1][chosen]


def judge(tokenizer: CameraPathTokenizer, paths: Paths) -> dict[str, float]:
    """Tokens, bits and errors on these paths."""
    counts, decoded = [], []
    for batch in zip(*(part.split(BATCH) for part in paths), strict=True):
        ids = tokenizer.encode(*batch)
        counts.append(tokenizer.count_tokens(ids))
        decoded.append(tokenizer.decode(ids))
    lengths = torch.cat(counts).numpy()
    poses, intrinsics = (torch.cat(parts).numpy() for parts in zip(*decoded, strict=True))
    errors = summarise_path_errors(paths[0].numpy(), poses, paths[1].numpy(), intrinsics)
    return {
        "tokens": float(lengths.mean()),
        "tokens_p95": float(np.percentile(lengths, 95)),
        "bits": float(lengths.mean() * tokenizer.bits_per_token),
        **errors,
    }


def time_tokenizer(tokenizer: CameraPathTokenizer, paths: Paths) -> dict[str, float]:
    """Milliseconds of processor time a path, one path at a time, after one that does not count."""
    singles = [(paths[0][i : i + 1], paths[1][i : i + 1]) for i in range(min(TIMED_PATHS, len(paths[0])))]
    ids = [tokenizer.encode(*singles[0])]
    tokenizer.decode(ids[0])
    start = time.process_time()
    ids = [tokenizer.encode(*single) for single in singles]
    middle = time.process_time()
    for rows in ids:
        tokenizer.decode(rows)
    end = time.process_time()
    return {"encode_ms": 1000 * (middle - start) / len(singles), "decode_ms": 1000 * (end - middle) / len(singles)}


def _folder(name: str | os.PathLike[str]) -> Path:
    folder = find_checkpoint_folder(name)
    if folder is None:
        raise ValueError(f"expected the folder of a trained camera tokenizer, got {name}: no such folder")
    return folder


def _trained_codec(folder: str | os.PathLike[str]) -> CamViGCameraTokenizer:
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(f"expected the folder of a trained camera tokenizer, got {folder}: no config.json in it")
    codec = CamViGCameraTokenizer.from_pretrained(folder).eval()
    if not is_codec(codec):
        raise ValueError(f"expected a camera tokenizer of kind 'codec', got {codec.config.kind!r} in {folder}")
    return codec


def _paper_codec(folder: str | os.PathLike[str]) -> CamViGCameraTokenizer:
    codec = _trained_codec(folder)
    levels, frames = codec.config.num_levels, codec.config.tokens_per_level
    if (levels, frames) != PAPER_GEOMETRY:
        raise ValueError(f"expected a camera tokenizer of 4 x 106 ids, got {levels} x {frames} in {folder}")
    return codec


def _tensors(poses: np.ndarray, intrinsics: np.ndarray) -> Paths:
    return torch.from_numpy(poses), torch.from_numpy(intrinsics)


def real_tensors(paths: RealPaths) -> Paths:
    """Real paths with the reference lens: their own is not in the file."""
    focal = CamViGCameraTokenizerConfig.reference_focal
    intrinsics = torch.tensor([focal, focal, 0.5, 0.5]).repeat(*paths.camera_to_world.shape[:2], 1)
    return torch.from_numpy(paths.camera_to_world), intrinsics


def _names(paths: RealPaths) -> list[str]:
    return sorted(set(paths.source.tolist()))


def _counts(paths: Paths) -> dict[str, int]:
    lengths = path_lengths(paths[0].numpy())
    return {"held_out": len(lengths), "hardly_move": int((lengths < LEAST_LENGTH).sum())}
