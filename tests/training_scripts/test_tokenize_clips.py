"""Clips -> cached ids: the ids of the tokenizers themselves, for clips with depth, with a path alone, and without one."""

import copy

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from camvig.dataset_builders import render_clips as rendering
from camvig.dataset_builders.clip_folders import clip_of_row, parts_of
from camvig.dataset_builders.clip_rows import SHARED_COLUMNS, no_path_columns, video_column
from camvig.dataset_builders.exact_flow import backward_flow
from camvig.dataset_builders.render_clips import render_clips
from camvig.dataset_builders.token_cache import TokenCache, parts_in
from camvig.training_scripts.token_batches import TokenBatches
from camvig.training_scripts.tokenize_clips import (
    Tokenizers,
    encode_clips,
    fingerprint_of,
    tokenize_clips,
    variants_of,
)


@pytest.fixture(scope="module")
def tokenizers(tiny_pipeline) -> Tokenizers:
    visual, camera = tiny_pipeline.visual_tokenizer, tiny_pipeline.camera_tokenizer
    return Tokenizers(visual, camera, fingerprint_of(visual, camera))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """5 clips of a room, in files of 3, at another size than the tokenizer's."""
    folder = tmp_path_factory.mktemp("clips") / "room"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "CLIPS_PER_FILE", 3)
        render_clips(["room:train/5"], 5, folder, size=48)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """2 clips of plain video."""
    folder = tmp_path_factory.mktemp("clips") / "videos"
    folder.mkdir()
    frames = np.random.default_rng(0).integers(0, 256, (2, 17, 32, 32, 3), dtype=np.uint8)
    texts = {"clip_id": "a", "scene_id": "a", "source": "video", "credit": "", "licence": "CC0-1.0"}
    rows = [
        {"video": video_column(clip, 8.0), **no_path_columns(1.0), "fps": 8.0, **texts, "generator_version": "1"}
        for clip in frames
    ]
    datasets.Dataset.from_list(rows, features=datasets.Features(SHARED_COLUMNS)).to_parquet(folder / "part.parquet")
    return folder


def test_ids_are_the_tokenizers_own(tokenizers, rendered, tmp_path):
    assert tokenize_clips([rendered], tokenizers, tmp_path) == 5
    cache = TokenCache(tmp_path, tokenizers.fingerprint)
    assert len(cache) == 5 and cache.columns["has_path"].all()
    clip = next(iter(parts_of(rendered)[0].clips()))
    assert clip["frames"].shape == (17, 48, 48, 3)
    image = torch.from_numpy(clip["frames"][0]).permute(2, 0, 1)[None].float() / 127.5 - 1
    image = torch.nn.functional.interpolate(image, (32, 32), mode="area")
    expected = tokenizers.visual.encode(image[:, :, None]).flatten()
    np.testing.assert_array_equal(cache.columns["image_ids"][0], expected)
    flow, visibility, _ = backward_flow(clip["depth"], clip["camera_to_world"], clip["intrinsics"])
    assert np.abs(flow).max() > 0 and visibility.any()
    poses = np.linalg.inv(clip["camera_to_world"][0]) @ clip["camera_to_world"]
    poses[:, :3, 3] /= clip["median_depth"]
    ids = tokenizers.camera.encode(
        torch.tensor(poses[None], dtype=torch.float32), torch.tensor(clip["intrinsics"][None], dtype=torch.float32)
    )
    np.testing.assert_array_equal(cache.columns["camera_ids"][0], ids[0])


def test_plain_video_trains_with_the_missing_camera(tokenizers, rendered, plain, tmp_path):
    assert tokenize_clips([rendered, plain], tokenizers, tmp_path) == 7
    cache = TokenCache(tmp_path, tokenizers.fingerprint)
    assert cache.columns["has_path"].tolist() == [True] * 5 + [False] * 2
    batches = TokenBatches([cache], [1.0], 7, missing_camera_share=0.0, seed=0)
    batch, rows = batches(0), [batches.place_of(sample)[1] for sample in range(7)]
    assert sorted(rows) == list(range(7))
    assert batch["camera_is_missing"].tolist() == [row >= 5 for row in rows]
    assert batch["image_ids"].dtype == torch.int64 and "has_path" not in batch
    assert TokenBatches([cache], [1.0], 7, missing_camera_share=1.0, seed=0)(0)["camera_is_missing"].all()


def test_augmented_clips_are_mirrored_and_reversed(tokenizers, rendered, plain, tmp_path):
    clip, video = (next(iter(parts_of(folder)[0].clips())) for folder in (rendered, plain))
    assert [name for _, name in variants_of(video)] == ["as rendered", "as rendered, mirrored"]
    names = [name for _, name in variants_of(clip)]
    assert names[0] == "as rendered" and "as rendered, mirrored" in names
    tokenize_clips([plain], tokenizers, tmp_path, augment=True)
    (part,) = parts_in(tmp_path)
    assert pq.read_table(part)["variant"].to_pylist() == ["as rendered", "as rendered, mirrored"] * 2
    assert pq.read_table(part)["clip_index"].to_pylist() == [0, 0, 1, 1]


def test_a_killed_run_goes_on_and_shards_share_the_parts(tokenizers, rendered, tmp_path):
    tokenize_clips([rendered], tokenizers, tmp_path / "whole")
    tokenize_clips([rendered], tokenizers, tmp_path / "parts", shard=(1, 2))
    assert [part.name for part in parts_in(tmp_path / "parts")] == ["room-00001.parquet"]
    time = parts_in(tmp_path / "parts")[0].stat().st_mtime_ns
    assert tokenize_clips([rendered], tokenizers, tmp_path / "parts") == 3
    assert parts_in(tmp_path / "parts")[1].stat().st_mtime_ns == time
    for whole, part in zip(parts_in(tmp_path / "whole"), parts_in(tmp_path / "parts"), strict=True):
        assert pq.read_table(whole).equals(pq.read_table(part))


def test_other_tokenizers_are_refused_before_any_work(tokenizers, rendered, tmp_path):
    tokenize_clips([rendered], tokenizers, tmp_path, shard=(0, 2))
    other = Tokenizers(tokenizers.visual, tokenizers.camera, "another")
    with pytest.raises(ValueError, match="expected ids of the tokenizers another"):
        tokenize_clips([rendered], other, tmp_path)
    assert len(parts_in(tmp_path)) == 1


def test_the_fingerprint_is_of_weights_and_configuration(tokenizers, build_tiny_pipeline):
    assert fingerprint_of(tokenizers.visual, tokenizers.camera) == tokenizers.fingerprint
    other = build_tiny_pipeline(seed=1)
    assert fingerprint_of(other.visual_tokenizer, tokenizers.camera) != tokenizers.fingerprint
    assert fingerprint_of(tokenizers.visual, other.camera_tokenizer) != tokenizers.fingerprint


def test_the_fingerprint_leaves_the_visual_decoder_out_which_ids_do_not_depend_on(tokenizers):
    visual = copy.deepcopy(tokenizers.visual)
    with torch.no_grad():
        visual.autoencoder.decoder.from_code.weight.add_(1)
    assert fingerprint_of(visual, tokenizers.camera) == tokenizers.fingerprint
    with torch.no_grad():
        visual.autoencoder.encoder.to_latent.weight.add_(1)
    assert fingerprint_of(visual, tokenizers.camera) != tokenizers.fingerprint


def test_what_is_no_folder_of_clips(tokenizers, rendered, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="expected a folder of clips"):
            tokenize_clips([folder], tokenizers, tmp_path / "ids")
    with pytest.raises(ValueError, match="folders of clips with different names, got room, room"):
        tokenize_clips([rendered, rendered], tokenizers, tmp_path / "ids")


def test_a_row_with_a_path_but_without_depth(rendered, tokenizers):
    row = pq.read_table(parts_of(rendered)[0].file).to_pylist()[0]
    clip = clip_of_row({name: value for name, value in row.items() if name != "depth"})
    assert clip["depth"] is None and clip["has_path"]
    (encoded,) = encode_clips([clip], tokenizers)
    (exact,) = encode_clips([clip_of_row(row)], tokenizers)
    assert encoded["camera_ids"] == exact["camera_ids"] and encoded["image_ids"] == exact["image_ids"]


def test_another_version_of_transformers_is_the_same_tokenizer(tokenizers, monkeypatch):
    monkeypatch.setattr("transformers.configuration_utils.__version__", "99.0")
    assert tokenizers.visual.config.to_diff_dict()["transformers_version"] == "99.0"
    assert fingerprint_of(tokenizers.visual, tokenizers.camera) == tokenizers.fingerprint
