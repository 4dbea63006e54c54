"""The study of camera tokenizers on a few paths: what it reports, on which paths, and the codec it does not have."""

import json
import math

import numpy as np
import pytest
import torch
from transformers import DacConfig

from camvig.modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from camvig.modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from camvig.pipelines.camera_tokenizer_study import (
    build_tokenizers,
    in_range,
    study_camera_tokenizers,
    study_paths,
)
from camvig.pipelines.camera_tokenizer_table import plot_study, study_table
from camvig.pipelines.json_values import without_nan

FIGURES = {"tokens", "bits", "rotation_deg_mean", "rotation_deg_p95", "translation_pct_mean", "translation_pct_p95"}


@pytest.fixture(scope="module")
def study(real_paths_file) -> dict:
    return study_camera_tokenizers(real_paths_file, sampled_paths=300, sampled_held_out=40)


def test_every_tokenizer_has_its_figures_on_sampled_and_real_paths(study):
    assert list(study["tokenizers"]) == [
        "codec-4x106",
        "codec-compact",
        "codec-camvig-tiny",
        "uniform-256",
        "uniform-62",
        "gendop",
        "dct-bpe",
        "dct-bpe-fine",
    ]
    for figures in study["tokenizers"].values():
        assert {*FIGURES, "encode_ms", "decode_ms", "sampled", "real", "real_in_range"} < set(figures)
        assert {key: figures[key] for key in FIGURES} == {key: figures["real"][key] for key in FIGURES}
        for paths in ("sampled", "real", "real_in_range"):
            assert all(math.isfinite(value) for value in figures[paths].values())
        assert list(figures["by_source"]) == ["a", "d"]
        halves = [figures["by_source"][source]["rotation_deg_mean"] for source in "ad"]
        assert sum(halves) / 2 == pytest.approx(figures["rotation_deg_mean"], rel=1e-3)  # 12 paths each, float32
    json.dumps(study)


@pytest.mark.parametrize(
    ("name", "tokens", "bits"),
    [
        ("codec-4x106", 424, 4240),
        ("codec-compact", 68, 680),
        ("codec-camvig-tiny", 68, 680),
        ("uniform-256", 114, 912),
        ("gendop", 170, 1360),
    ],
)
def test_known_numbers_of_tokens_and_bits(study, name, tokens, bits):
    for paths in ("sampled", "real"):
        figures = study["tokenizers"][name][paths]
        assert figures["tokens"] == figures["tokens_p95"] == tokens
        assert figures["bits"] == pytest.approx(bits)


def test_bits_to_compare_at_are_the_codecs(study):
    same = study["tokenizers"]["uniform-62"]["bits"]
    assert 680 - 114 * math.log2(63 / 62) < same <= 680
    assert study["tokenizers"]["dct-bpe"]["bits"] == pytest.approx(10 * study["tokenizers"]["dct-bpe"]["tokens"])
    assert (
        study["tokenizers"]["dct-bpe-fine"]["rotation_deg_mean"] < study["tokenizers"]["dct-bpe"]["rotation_deg_mean"]
    )


def test_paths_are_counted_and_no_source_is_on_both_sides(study):
    paths = study["paths"]
    assert paths["sampled_fit"] == 300 and paths["sampled"]["held_out"] == 40
    assert paths["real_fit_sources"] == ["b", "c"] and paths["real_sources"] == ["a", "d"]
    assert paths["real_fit"] == 24 and paths["real"] == {"held_out": 24, "hardly_move": 3}
    assert paths["real_in_range"]["held_out"] == 21


def test_paths_beyond_the_models_range_are_told_apart():
    poses = torch.eye(4).repeat(3, 17, 1, 1)
    poses[1, 5, 0, 3] = 0.61
    poses[2, 5, :3, :3] = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    assert in_range((poses, torch.ones(3, 17, 4)))[0].shape[0] == 1


def test_a_set_without_paths_is_left_out(tmp_path):
    poses = np.tile(np.eye(4, dtype=np.float32), (2, 17, 1, 1))
    poses[:, 8:] = np.diag([-1, 1, -1, 1])  # turns round at once
    np.savez(tmp_path / "far.npz", c2w=poses, source=np.array(["a", "b"]), fps=np.zeros(2))
    assert list(study_paths(tmp_path / "far.npz", 4, 4).judged) == ["sampled", "real"]


def test_a_single_source_is_held_out_whole(tmp_path):
    file = tmp_path / "one.npz"
    np.savez(file, c2w=np.tile(np.eye(4), (2, 17, 1, 1)), source=np.array(["a", "a"]), fps=np.zeros(2))
    paths = study_paths(file, 4, 4)
    assert len(paths.fit[0]) == 4 and paths.counts["real_fit"] == 0 and len(paths.sources["a"][0]) == 2


def test_what_has_no_value_is_null_in_json():
    figures = {"real": {"translation_pct_mean": math.nan, "tokens": 68.0}, "names": ["a"]}
    assert json.dumps(without_nan(figures), allow_nan=False) == (
        '{"real": {"translation_pct_mean": null, "tokens": 68.0}, "names": ["a"]}'
    )


def test_without_a_file_the_sampled_paths_are_what_counts():
    paths = study_paths(None, 20, 10)
    assert list(paths.judged) == ["sampled"] and len(paths.fit[0]) == 20
    assert not torch.equal(paths.fit[0][:10], paths.judged["sampled"][0])


def save_codec(folder, **codec):
    config = CamViGCameraTokenizerConfig(
        codec_config=DacConfig(encoder_hidden_size=2, decoder_hidden_size=16, codebook_size=32, codebook_dim=4, **codec)
    )
    torch.manual_seed(0)
    CamViGCameraTokenizer(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("name", "degrees", "percent"), [("codec-4x106", 0.05, 0.2), ("codec-compact", 0.1, 1.0)])
def test_embedded_codecs_are_precise_on_paths_they_never_saw(study, name, degrees, percent):
    for paths in ("sampled", "real"):
        figures = study["tokenizers"][name][paths]
        assert figures["rotation_deg_mean"] < degrees and figures["translation_pct_mean"] < percent


def test_a_trained_codec_of_the_papers_geometry_can_be_named(tmp_path):
    codec = build_tokenizers(save_codec(tmp_path, downsampling_ratios=[8, 5, 4, 2], n_codebooks=4))["codec-4x106"]
    paths = study_paths(None, 20, 2).judged["sampled"]
    ids = codec.encode(*paths)
    assert ids.shape == (2, 424) and codec.count_tokens(ids).tolist() == [424, 424] and codec.bits_per_token == 5
    assert codec.decode(ids)[0].shape == (2, 17, 4, 4)


def test_another_compact_codec_takes_the_place_of_the_shipped_one(tmp_path):
    save_codec(tmp_path / "codec", downsampling_ratios=[8, 5, 4, 2], n_codebooks=2)
    tokenizers = build_tokenizers(compact_codec=tmp_path / "codec")
    assert tokenizers["codec-compact"].bits_per_token == 5 and "uniform-629" in tokenizers  # 1,060 bits in 114 tokens
    CamViGCameraTokenizer(CamViGCameraTokenizerConfig(kind="dct")).save_pretrained(tmp_path / "dct")
    with pytest.raises(ValueError, match="expected a camera tokenizer of kind 'codec', got 'dct'"):
        build_tokenizers(compact_codec=tmp_path / "dct")


def test_another_geometry_or_no_codec_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected a camera tokenizer of 4 x 106 ids, got 2 x 106"):
        build_tokenizers(save_codec(tmp_path / "two", downsampling_ratios=[8, 5, 4, 2], n_codebooks=2))
    with pytest.raises(ValueError, match=r"expected the folder of a trained camera tokenizer, got .*: no config\.json"):
        build_tokenizers(tmp_path)


def test_the_table_has_a_row_for_each_and_the_plot_is_a_picture(study, tmp_path):
    table = study_table(study)
    for name in study["tokenizers"]:
        assert table.count(f"| {name} |") == 3
    assert "held-out real paths (24; 3 of them hardly move):" in table
    plot_study(study, tmp_path / "study.png")
    assert (tmp_path / "study.png").read_bytes()[1:4] == b"PNG"
