"""Camera tokenizers of every kind, wherever one goes: saved, pushed, cached, trained with, generated with, checked."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from camvig import CameraPath, CamViGCameraTokenizer, CamViGCameraTokenizerConfig, CamViGPipeline
from camvig.dataset_builders.path_samples import sample_model_paths
from camvig.dataset_builders.render_clips import render_clips
from camvig.dataset_builders.token_cache import TokenCache, parts_in
from camvig.pipelines.preflight import preflight, report_lines
from camvig.training_scripts.assemble_checkpoint import assemble
from camvig.training_scripts.retokenize_cameras import retokenize_cameras
from camvig.training_scripts.token_batches import TokenBatches
from camvig.training_scripts.tokenize_clips import Tokenizers, fingerprint_of, shortened_paths, tokenize_clips

KINDS = ("codec", "dct", "uniform")


def sampled_paths(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    poses, intrinsics = sample_model_paths(count, 1)
    return torch.from_numpy(poses), torch.from_numpy(intrinsics)


@pytest.fixture(scope="module")
def pipelines(build_tiny_pipeline) -> dict[str, CamViGPipeline]:
    return {kind: build_tiny_pipeline(camera_kind=kind) for kind in KINDS}


@pytest.fixture(scope="module")
def folders(pipelines, tmp_path_factory):
    """The pipelines, saved: kind -> folder."""
    root = tmp_path_factory.mktemp("kinds")
    for kind, pipeline in pipelines.items():
        pipeline.save_pretrained(root / kind)
    return {kind: root / kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_is_loaded_without_pickle(pipelines, folders, kind):
    files = {file.name for file in (folders[kind] / "camera_tokenizer").iterdir()}
    assert files == {"config.json", "model.safetensors"}
    before, after = pipelines[kind].camera_tokenizer, CamViGPipeline.from_pretrained(folders[kind]).camera_tokenizer
    paths = sampled_paths(20)
    ids = before.encode(*paths)
    assert (
        torch.equal(after.encode(*paths), ids) and ids.shape[1] == pipelines[kind].transformer.config.num_camera_tokens
    )
    assert all(torch.equal(*pair) for pair in zip(after.decode(ids), before.decode(ids), strict=True))


@pytest.mark.parametrize("kind", ["dct", "uniform"])
def test_no_other_precision_moves_what_is_fitted(pipelines, folders, kind):
    paths = sampled_paths(20)
    ids = pipelines[kind].camera_tokenizer.encode(*paths)
    loaded = CamViGPipeline.from_pretrained(folders[kind], dtype=torch.bfloat16).camera_tokenizer
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loaded.encode(*paths), ids)
    assert torch.equal(loaded.to(torch.float16).encode(*paths), ids) and loaded.dtype == torch.float32
    assert torch.equal(loaded.decode(ids)[0], pipelines[kind].camera_tokenizer.decode(ids)[0])


def test_a_configuration_of_before_there_were_kinds_is_a_codec(pipelines, folders, tmp_path):
    folder = shutil.copytree(folders["codec"] / "camera_tokenizer", tmp_path / "codec")
    settings = json.loads((folder / "config.json").read_text())
    for name in CamViGCameraTokenizerConfig.newer_fields:
        del settings[name]
    (folder / "config.json").write_text(json.dumps(settings))
    old, new = CamViGCameraTokenizer.from_pretrained(folder), pipelines["codec"].camera_tokenizer
    assert torch.equal(old.encode(*sampled_paths(5)), new.encode(*sampled_paths(5)))
    visual = pipelines["codec"].visual_tokenizer
    loaded = CamViGCameraTokenizer.from_pretrained(folders["codec"] / "camera_tokenizer")
    assert fingerprint_of(visual, old) == fingerprint_of(visual, loaded)  # its caches stay valid


PUSH = """
import sys
from pathlib import Path
from camvig import CamViGPipeline
for kind in sys.argv[2:]:
    folder = Path(sys.argv[1]) / kind
    CamViGPipeline.from_pretrained(folder).push_to_hub(f"user/{kind}")
    pulled = CamViGPipeline.from_pretrained(f"user/{kind}")
    pulled.camera_tokenizer.save_pretrained(folder / "pulled")
"""


def test_what_is_pushed_to_the_hub_is_what_is_loaded(pipelines, folders, run_on_local_hub):
    run_on_local_hub(PUSH, folders["dct"].parent, "dct", "uniform")
    for kind in ("dct", "uniform"):
        ids = pipelines[kind].camera_tokenizer.encode(*sampled_paths(5))
        pulled = CamViGCameraTokenizer.from_pretrained(folders[kind] / "pulled")
        assert torch.equal(pulled.encode(*sampled_paths(5)), ids)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::camvig.pipelines.camera_round_trip.MisheardPathWarning")
def test_videos_with_guidance_and_with_a_missing_camera(pipelines, make_picture, kind):
    pipeline = pipelines[kind]
    paths = ["dolly in 30%, pan right 10deg", None, CameraPath.orbit(20)]
    settings = {"guidance_scale": 1.5, "top_p": 0.9, "output_type": "np"}
    batch = pipeline(make_picture(), paths, generator=[torch.Generator().manual_seed(n) for n in range(3)], **settings)
    for number, path in enumerate(paths):
        single = pipeline(make_picture(), path, generator=torch.Generator().manual_seed(number), **settings)
        assert torch.equal(batch.video_ids[number], single.video_ids[0])
    assert [ids is None for ids in batch.camera_ids] == [False, True, False]
    assert not torch.equal(batch.camera_ids[0], batch.camera_ids[2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_is_checked_before_generating(pipelines, kind):
    report = preflight(CameraPath.orbit(20), pipelines[kind])
    assert any(line.startswith("heard with") for line in report_lines(report))
    if kind != "codec":  # that one is not trained
        assert report.round_trip.rotation_error_degrees < 3 and report.round_trip.translation_error < 0.06


def test_kinds_that_do_not_fit_each_other_are_told(pipelines):
    dct, uniform = pipelines["dct"], pipelines["uniform"]
    with pytest.raises(ValueError, match="got camera kind: uniform in one, dct in another"):
        CamViGPipeline(dct.visual_tokenizer, uniform.camera_tokenizer, dct.transformer)


def test_parts_are_assembled(folders, tmp_path):
    parts = (folders["dct"] / name for name in ("visual_tokenizer", "camera_tokenizer", "transformer"))
    assemble(*parts, tmp_path / "checkpoint")
    loaded = CamViGPipeline.from_pretrained(tmp_path / "checkpoint").camera_tokenizer
    assert loaded.config.kind == "dct" and loaded.encode(*sampled_paths(1)).shape == (1, 30)


def tokenizers_of(pipeline: CamViGPipeline) -> Tokenizers:
    visual, camera = pipeline.visual_tokenizer, pipeline.camera_tokenizer
    return Tokenizers(visual, camera, fingerprint_of(visual, camera))


def test_cached_ids_of_every_kind_train_and_cameras_are_tokenized_anew(pipelines, tmp_path):
    render_clips(["room:train/5"], 2, tmp_path / "room", size=32)
    tokenizers = {kind: tokenizers_of(pipeline) for kind, pipeline in pipelines.items()}
    assert len({each.fingerprint for each in tokenizers.values()}) == 3
    for kind, pipeline in pipelines.items():
        tokenize_clips([tmp_path / "room"], tokenizers[kind], tmp_path / kind)
        cache = TokenCache(tmp_path / kind, tokenizers[kind].fingerprint)
        batch = TokenBatches([cache], [1.0], 2, 0.3, 0)(0)
        assert pipeline.transformer(**batch).loss.isfinite()
        again = tmp_path / f"{kind}_anew"
        rows, _ = retokenize_cameras(tmp_path / "codec", tokenizers["codec"], tokenizers[kind], again)
        assert rows == 2
        for one, other in zip(parts_in(tmp_path / kind), parts_in(again), strict=True):
            assert pq.read_table(one).equals(pq.read_table(other), check_metadata=True)
    with pytest.raises(ValueError, match="expected ids of the tokenizers"):
        retokenize_cameras(tmp_path / "codec", tokenizers["dct"], tokenizers["uniform"], tmp_path / "wrong")


def test_paths_that_lose_motion_are_counted(pipelines):
    still, shaken = (np.tile(np.eye(4, dtype=np.float32), (17, 1, 1)) for _ in range(2))
    shaken[:, :3, 3] = np.random.default_rng(0).normal(0, 0.3, (17, 3))
    lens = np.tile(np.float32([0.8, 0.8, 0.5, 0.5]), 17)
    rows = [
        {"camera_to_world": poses.flatten().tolist(), "intrinsics": lens.tolist(), "has_path": has_path}
        for poses, has_path in ((still, True), (shaken, True), (shaken, False))
    ]
    assert shortened_paths(rows, pipelines["dct"].camera_tokenizer) == 1
    assert shortened_paths(rows, pipelines["uniform"].camera_tokenizer) == 0
    assert shortened_paths(rows[2:], pipelines["dct"].camera_tokenizer) == 0


def test_what_a_kind_cannot_do_is_one_clear_error(pipelines):
    paths = sampled_paths(2)
    codec, dct, uniform = (pipelines[kind].camera_tokenizer for kind in KINDS)
    with pytest.raises(ValueError, match="expected kind 'dct' or 'uniform' to fit, got 'codec'"):
        codec.fit(*paths)
    for method in (dct, uniform):
        with pytest.raises(ValueError, match=r"expected kind 'codec' to train, got '(dct|uniform)'"):
            method(*paths)
    with pytest.raises(ValueError, match="expected camera_feature_size 0 with camera tokens of kind 'dct'"):
        dct.code_vectors()
    assert uniform.code_vectors().shape == (uniform.config.vocab_size, uniform.config.feature_size)
    with pytest.raises(ValueError, match="expected 17 poses, got 16; resample the path"):
        dct.encode(paths[0][:, 1:], paths[1][:, 1:])
    for kind in ("dct", "uniform"):
        blank = CamViGCameraTokenizer(CamViGCameraTokenizerConfig(kind=kind))
        for use in (
            lambda blank=blank: blank.encode(*paths),
            lambda blank=blank: blank.decode(torch.zeros(1, 72).long()),
        ):
            with pytest.raises(ValueError, match=f"expected a fitted camera tokenizer, got one of kind '{kind}'"):
                use()
