"""Parts of a motion tokenizer that train alone, its depth network and its canvas: what changes, what stays, what they learn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file

from camvig import CamViGPipeline, CamViGVisualTokenizer, CamViGVisualTokenizerConfig
from camvig.dataset_builders.clip_cache import ClipCache, shards_in
from camvig.dataset_builders.render_rooms import RoomsPlan, render_rooms
from camvig.training_scripts import train_canvas, train_picture_depth, write_ids
from camvig.training_scripts.train_canvas import WrittenClips, hidden_log_mse, to_decode
from camvig.training_scripts.train_picture_depth import depth_batch, depth_losses, initialize, picture_batch
from camvig.training_scripts.visual_batches import log_inverse_depth

CONFIGS = Path(train_canvas.__file__).parent / "configs"
SIZE = 32
MODEL = {
    "kind": "motion",
    "quantizer": "fsq",
    "image_size": SIZE,
    "hidden_sizes": [16, 32],
    "blocks_per_level": 1,
    "has_canvas": True,
}


def arguments(stage: str, folder: Path, **changes: object) -> list[str]:
    """A shipped configuration, made small."""
    model = {f"model.{name}": value for name, value in MODEL.items()}
    small = {f"training.{name}": 2 for name in ("steps", "batch_size", "validate_every", "save_every")}
    changes = {**model, **small, "training.output_dir": folder / stage, **changes}
    settings = [text for key, value in changes.items() for text in ("--set", f"{key}={value}")]
    return ["--config", str(CONFIGS / f"{stage}_tiny.yaml"), *settings]


def run(script, monkeypatch, stage_arguments: list[str]):
    monkeypatch.setattr(sys, "argv", [script.__name__, *stage_arguments])
    script.main()


def last_metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    render_rooms(RoomsPlan(6, size=SIZE), folder)
    return folder


@pytest.fixture
def pipeline(build_tiny_pipeline) -> CamViGPipeline:
    torch.manual_seed(0)
    tokenizer = CamViGVisualTokenizer(CamViGVisualTokenizerConfig(**MODEL)).eval()
    other = build_tiny_pipeline()
    return CamViGPipeline(tokenizer, other.camera_tokenizer, other.transformer)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_the_depth_network_alone_is_added_and_trained(pipeline, clips, tmp_path, monkeypatch):
    pipeline.visual_tokenizer.save_pretrained(tmp_path / "before")
    changes = {"data.clips": [str(clips)], "data.validation_clips": 2, "training.init_from": tmp_path / "before"}
    run(train_picture_depth, monkeypatch, arguments("picture_depth", tmp_path, **changes))
    old, new = weights_of(tmp_path / "before"), weights_of(tmp_path / "picture_depth" / "model")
    assert all(torch.equal(new[name], old[name]) for name in old)
    assert {name.split(".")[1] for name in new.keys() - old.keys()} == {"depth"}
    last = last_metrics(tmp_path / "picture_depth")
    assert last["depth_l1"] > 0 and last["depth_l1_of_ids"] > 0 and last["depth_l1_constant"] > 0


def test_it_begins_as_the_picture_encoder_does(pipeline, tmp_path):
    pipeline.visual_tokenizer.save_pretrained(tmp_path)
    model = CamViGVisualTokenizer(CamViGVisualTokenizerConfig(**MODEL, has_depth_network=True))
    initialize(model, tmp_path)
    picture = torch.rand(1, 3, SIZE, SIZE)
    for one, other in zip(
        *(part.features(picture) for part in (model.autoencoder.depth, model.autoencoder.picture)), strict=True
    ):
        assert torch.equal(one, other)
    trained = model.autoencoder.depth.to_depth.weight
    model.save_pretrained(tmp_path / "with")
    again = CamViGVisualTokenizer(model.config)
    initialize(again, tmp_path / "with")
    assert torch.equal(again.autoencoder.depth.to_depth.weight, trained)


def test_it_learns_the_depth_of_what_it_is_shown(clips):
    torch.manual_seed(0)
    model = CamViGVisualTokenizer(CamViGVisualTokenizerConfig(**MODEL, has_depth_network=True))
    batch = depth_batch(ClipCache(shards_in(clips)), 8, (0, 0))
    optimizer = torch.optim.Adam(model.autoencoder.depth.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        losses.append(depth_losses(model, batch, 0.0)["loss"])
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_pictures_and_depths_are_mirrored_together(clips):
    cache = ClipCache(shards_in(clips))
    known = {}
    for clip in (cache[index] for index in range(len(cache))):
        for depth in np.asarray(clip["depth"], np.float32):
            for step in (1, -1):
                log = log_inverse_depth(depth[None, :, ::step], 2)[0]
                known[log.tobytes()] = step
    batch = depth_batch(cache, 32, (0, 1))
    steps = [known[depth[0].numpy().tobytes()] for depth in batch["depth"]]
    assert batch["video"].shape == (32, 3, 1, SIZE, SIZE) and set(steps) == {1, -1}


def test_a_depth_network_makes_scenes_at_rest(pipeline):
    """The one depth of all points that it is made to say is where the camera's flow puts them."""
    torch.manual_seed(0)
    model = CamViGVisualTokenizer(CamViGVisualTokenizerConfig(**MODEL, has_depth_network=True)).eval()
    torch.nn.init.zeros_(model.autoencoder.depth.to_depth.weight)
    ids = torch.randint(2**18, (1, 5, 4, 4))
    poses = torch.eye(4).repeat(1, 17, 1, 1)
    poses[0, 1:, 0, 3] = 1e-3  # so little that the ids say nothing of depth
    cameras = poses, torch.tensor([1.0, 1.0, 0.5, 0.5]).repeat(1, 17, 1)
    flows = []
    for bias in (0.0, float(np.log(2))):
        torch.nn.init.constant_(model.autoencoder.depth.to_depth.bias, bias)
        flows.append(model.decode(ids, torch.rand(1, 3, SIZE, SIZE), cameras).flow[:, :, 0])
    torch.testing.assert_close(flows[0], torch.full_like(flows[0], 1e-3), rtol=0.01, atol=0)
    torch.testing.assert_close(flows[1], 2 * flows[0], rtol=0.01, atol=0)


def test_ids_are_written_as_the_pipeline_writes_them_and_kept(pipeline, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.transformer.generation_config, "mean_of", 2)
    write_ids.write_ids(pipeline, shards_in(clips), tmp_path, seed=5)
    (file,) = tmp_path.iterdir()
    written = np.load(file)
    assert file.name == "shard-00000.npy" and written.shape[:2] == (6, 2)
    monkeypatch.setattr(write_ids, "ids_of", None)  # nothing is missing any more
    write_ids.write_ids(pipeline, shards_in(clips), tmp_path, seed=5)
    clips_with_ids = WrittenClips(clips, tmp_path)
    batch = clips_with_ids.batch(np.array([4, 1]))
    assert (batch["ids"].numpy() == written[[4, 1]]).all()
    assert batch["poses"].shape == (2, 17, 4, 4) and batch["visibility"].shape == (2, 16, 1, SIZE, SIZE)


def test_the_canvas_alone_is_trained_on_what_was_written(pipeline, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.transformer.generation_config, "mean_of", 2)
    write_ids.write_ids(pipeline, shards_in(clips), tmp_path / "written")
    pipeline.visual_tokenizer.save_pretrained(tmp_path / "before")
    changes = {
        "data.clips": clips,
        "data.written_ids": tmp_path / "written",
        "data.validation_clips": 2,
        "training.init_from": tmp_path / "before",
        "model.has_depth_network": False,
    }
    run(train_canvas, monkeypatch, arguments("canvas", tmp_path, **changes))
    old, new = weights_of(tmp_path / "before"), weights_of(tmp_path / "canvas" / "model")
    changed = {name for name in old if not torch.equal(new[name], old[name])}
    assert changed and {name.split(".")[2] for name in changed} == {"canvas"}
    assert {"psnr", "psnr_hidden"} <= set(last_metrics(tmp_path / "canvas"))


def test_clips_without_ids_are_told(clips, tmp_path):
    with pytest.raises(ValueError, match=r"expected ids for all clips .*shard-00000.npy is missing"):
        WrittenClips(clips, tmp_path)
    np.save(tmp_path / "shard-00000.npy", np.zeros((5, 1, 5, 4, 4), np.int32))
    with pytest.raises(ValueError, match=r"expected ids of 6 clips .*, got 5"):
        WrittenClips(clips, tmp_path)


@pytest.mark.parametrize(("script", "stage"), [(train_picture_depth, "picture_depth"), (train_canvas, "canvas")])
def test_there_must_be_a_tokenizer_to_go_on_from(script, stage, tmp_path, monkeypatch):
    without = [*arguments(stage, tmp_path), "--set", "training.init_from=null"]
    with pytest.raises(SystemExit, match=r"training\.init_from, the tokenizer"):
        run(script, monkeypatch, without)
    assert not (tmp_path / stage).exists()


def test_a_clip_with_much_error_counts_as_its_psnr_does():
    error = torch.zeros(3, 1, 3, 2, 2)
    error[0], error[1] = 0.1, 1.0
    hidden = torch.ones(3, 1, 1, 2, 2)
    hidden[2] = 0
    expected = (np.log1p(1e3 * 0.01) + np.log1p(1e3)) / 2
    assert float(hidden_log_mse(error, hidden)) == pytest.approx(expected, rel=1e-5)


def test_depth_of_a_picture_is_relative_to_its_median():
    depths = np.stack([np.full((4, 4), 3.0), np.array([[1.0] * 4] * 2 + [[2.0] * 4] * 2)])
    batch = picture_batch(np.zeros((2, 4, 4, 3), np.uint8), depths)
    assert torch.allclose(batch["depth"][0], torch.zeros(1, 2, 2))
    assert torch.allclose(batch["depth"][1, 0, :, 0], torch.tensor([1.5, 0.75]).log(), atol=1e-6)


def test_a_plain_tokenizer_has_no_depth_network():
    with pytest.raises(StrictDataclassError) as told:
        CamViGVisualTokenizerConfig(kind="plain", has_depth_network=True)
    assert "expected kind 'motion' with has_depth_network" in str(told.value.__cause__)


def test_the_later_half_of_the_draws_is_taken_for_the_mirrored_clip():
    batch = {"ids": torch.arange(3)[None, :, None, None, None], "poses": torch.eye(4), "intrinsics": torch.ones(4)}
    given = to_decode(batch)
    assert given["ids"].flatten().tolist() == [0, 1] and given["mirrored_ids"].flatten().tolist() == [2]
    assert to_decode(batch | {"ids": batch["ids"][:, :1]})["mirrored_ids"] is None
