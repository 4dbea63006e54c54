"""Open weights: what the original code computed (`fixtures/*.json`, `*.safetensors`) is what the converted tokenizer gives."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file

from camvig.modeling_camvig.open_weights import OPEN_WEIGHTS, convert_tokenizer, open_weights_config, original_name
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer

FIXTURES = Path(__file__).with_name("fixtures")
SOURCES = list(OPEN_WEIGHTS)
COPIES = ["raw", "ema"]
LICENCES = {"open-magvit2": "Apache-2.0", "vidtok": "MIT"}

_specification = importlib.util.spec_from_file_location("record_open_weights", FIXTURES / "record_open_weights.py")
assert _specification and _specification.loader
recorder = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(recorder)


def config_of(source, settings, image_size=32):
    sizes = [settings["ch"] * factor for factor in settings["ch_mult"]]
    blocks = settings["num_res_blocks"]
    return open_weights_config(source, hidden_sizes=sizes, blocks_per_level=blocks, image_size=image_size)


class Recorded:
    """A record of the original: its settings, the same checkpoint again, its input and outputs."""

    def __init__(self, source: str):
        self.source = source
        self.about = json.loads((FIXTURES / f"{source}.json").read_text())
        self.tensors = load_file(FIXTURES / f"{source}.safetensors")
        self.weights = recorder.formula_weights(self.about["shapes"], self.about["seed"])
        self.config = config_of(source, self.about["small"])
        self.video = self.tensors["video"] / 127.5 - 1

    def converted(self, weights: str | None = None) -> CamViGVisualTokenizer:
        return convert_tokenizer(self.weights, self.source, self.config, weights).model


@pytest.fixture(scope="module", params=SOURCES)
def recorded(request) -> Recorded:
    return Recorded(request.param)


@pytest.fixture(scope="module")
def open_magvit2() -> Recorded:
    return Recorded("open-magvit2")


def test_the_weights_are_again_those_of_the_record(recorded):
    assert recorder.hash_of(recorded.weights) == recorded.about["weights_sha256"]
    assert torch.equal(recorder.formula_video(recorded.about["seed"]), recorded.tensors["video"])
    assert len(recorded.about["commit"]) == 40
    assert recorded.about["repository"] == OPEN_WEIGHTS[recorded.source].repository
    assert OPEN_WEIGHTS[recorded.source].licence == LICENCES[recorded.source]


@pytest.mark.parametrize("copy", COPIES)
@torch.no_grad()
def test_the_converted_tokenizer_gives_the_originals_outputs(recorded, copy):
    tokenizer = recorded.converted(copy)
    compared = 0
    for what, video in (("clip", recorded.video), ("picture", recorded.video[:, :, :1])):
        expected = {
            name.rsplit(".", 1)[1]: value
            for name, value in recorded.tensors.items()
            if name.startswith(f"{copy}.{what}.")
        }
        latent = tokenizer.autoencoder.encode_latent(video).movedim(-1, 1)
        ids = tokenizer.encode(video)
        assert expected["latent"].std() > 0.1 and (latent - expected["latent"]).abs().max() <= 1e-5
        assert len(ids.unique()) > 4 and torch.equal(ids, expected["ids"].long())
        if "frames" in expected:
            codes = tokenizer.autoencoder.quantizer.ids_to_codes(ids)
            frames = tokenizer.autoencoder.decode_codes(codes)
            assert expected["frames"].std() > 0.1 and (frames - expected["frames"]).abs().max() <= 1e-5
            assert torch.equal(tokenizer.decode(ids).video, frames.clamp(-1, 1))
            compared += frames.numel()
    assert compared


def test_the_copies_differ_and_the_default_is_the_origins(recorded):
    outputs = {copy: recorded.converted(copy).encode(recorded.video) for copy in COPIES}
    assert not torch.equal(outputs["raw"], outputs["ema"])
    default = {"open-magvit2": "ema", "vidtok": "raw"}[recorded.source]
    assert torch.equal(recorded.converted().encode(recorded.video), outputs[default])


def test_ids_round_trip_and_hold_a_digit_of_each_channel(recorded):
    tokenizer = recorded.converted()
    quantizer, levels = tokenizer.autoencoder.quantizer, torch.tensor(recorded.config.code_levels)
    ids = torch.arange(0, 2**18, 7)
    assert torch.equal(quantizer.codes_to_ids(quantizer.ids_to_codes(ids)), ids)
    latent = tokenizer.autoencoder.encode_latent(recorded.video)
    places = torch.cat([torch.ones(1, dtype=torch.long), levels.cumprod(0)[:-1]])  # channel 0 the least significant
    if recorded.source == "open-magvit2":
        digits = (latent > 0).long()
    else:
        bounded = torch.tanh(latent + torch.tensor(0.5 / 3.5035).atanh()) * 3.5035 - 0.5
        digits = bounded.round().long() + 4
    assert torch.equal(tokenizer.encode(recorded.video), (digits * places).sum(-1))


@pytest.mark.parametrize("source", SOURCES)
def test_the_published_network_has_the_originals_names_shapes_and_size(source):
    about = json.loads((FIXTURES / f"{source}.json").read_text())
    with torch.device("meta"):
        tokenizer = CamViGVisualTokenizer(open_weights_config(source))
    named = dict(tokenizer.autoencoder.named_parameters())
    assert {original_name(name, source): list(value.shape) for name, value in named.items()} == about[
        "published_shapes"
    ]
    millions = {"open-magvit2": (144.9, 225.7), "vidtok": (69.2, 88.2)}[source]
    for part, expected in zip(("encoder", "decoder"), millions, strict=True):
        count = sum(value.numel() for name, value in named.items() if name.startswith(part))
        assert count == about["published_parameters"][part] and round(count / 1e6, 1) == expected
    config = tokenizer.config
    published = config_of(source, about["published"])
    assert tuple(config.hidden_sizes) == tuple(published.hidden_sizes)
    assert config.blocks_per_level == published.blocks_per_level
    assert (config.num_frames, config.latent_frames, config.latent_size, config.vocab_size) == (17, 5, 16, 2**18)


def test_what_is_not_needed_is_counted(open_magvit2):
    conversion = convert_tokenizer(open_magvit2.weights, "open-magvit2", open_magvit2.config)
    count = len(list(conversion.model.autoencoder.parameters()))
    assert (
        conversion.weights == "ema"
        and conversion.taken == conversion.dropped["of the other copy (raw and EMA)"] == count
    )
    assert conversion.taken + sum(conversion.dropped.values()) == len(open_magvit2.weights)
    assert f"took {count} moving averages (EMA); dropped" in conversion.summary()
    assert "of the losses and the discriminator" in conversion.summary()


def test_missing_and_unexpected_weights_are_named(recorded):
    name = "encoder.conv_out.conv_1.bias" if recorded.source == "open-magvit2" else "encoder.conv_out.conv.bias"
    without = {key: value for key, value in recorded.weights.items() if key != name}
    with pytest.raises(ValueError, match=f"1 missing \\({name}\\)"):
        convert_tokenizer(without, recorded.source, recorded.config, "raw")
    with pytest.raises(ValueError, match=r"1 unexpected \(encoder.quant_conv.weight\)"):
        more = {**recorded.weights, "encoder.quant_conv.weight": torch.zeros(1)}
        convert_tokenizer(more, recorded.source, recorded.config)
    averages = {key: value for key, value in recorded.weights.items() if key.startswith("model_ema.")}
    with pytest.raises(ValueError, match="with the other alone; choose it with --weights ema"):
        convert_tokenizer(averages, recorded.source, recorded.config, "raw")
    other = {"open-magvit2": "vidtok", "vidtok": "open-magvit2"}[recorded.source]
    small = config_of(other, {"ch": 32, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1})
    with pytest.raises(ValueError, match=r"\d+ missing \(.*, \.\.\.\) and \d+ unexpected \("):
        convert_tokenizer(recorded.weights, other, small, "raw")


def test_settings_that_do_not_fit_are_refused(open_magvit2):
    with pytest.raises(ValueError, match=r"expected encoder\.conv_in\.conv_1\.weight of shape"):
        wide = open_weights_config("open-magvit2", hidden_sizes=(64, 128, 128, 256), blocks_per_level=1)
        convert_tokenizer(open_magvit2.weights, "open-magvit2", wide, "raw")
    with pytest.raises(ValueError, match="from open-magvit2 or vidtok, got 'cosmos'"):
        convert_tokenizer({}, "cosmos")
    with pytest.raises(ValueError, match="'ema' or 'raw', got 'best'"):
        convert_tokenizer({}, "vidtok", weights="best")
    with pytest.raises(ValueError, match="expected a vidtok configuration"):
        convert_tokenizer({}, "vidtok", open_magvit2.config)
    with pytest.raises(ValueError, match="hidden_sizes in multiples of 32"):
        CamViGVisualTokenizer(open_weights_config("open-magvit2", hidden_sizes=(8, 8, 8, 8)))
    with pytest.raises(
        StrictDataclassError, match="expected architecture 'camvig', 'open_magvit2', 'vidtok', got 'cosmos'"
    ):
        open_weights_config("vidtok", architecture="cosmos")
    for wrong in ({"kind": "motion"}, {"quantizer": "lfq"}):
        with pytest.raises(StrictDataclassError, match=r"expected kind and quantizer \('plain', 'fsq'\)"):
            open_weights_config("vidtok", **wrong)


def test_open_magvit2_is_not_strictly_causal(open_magvit2):
    tokenizer = open_magvit2.converted()
    clip, picture = tokenizer.encode(open_magvit2.video), tokenizer.encode(open_magvit2.video[:, :, :1])
    assert not tokenizer.config.is_strictly_causal and not torch.equal(clip[:, :1], picture)
    image_ids, video_ids = tokenizer.encode_clip(open_magvit2.video)  # what a cache keeps
    assert torch.equal(image_ids, picture.flatten(1)) and torch.equal(video_ids, clip[:, 1:].flatten(1))


def test_vidtok_is_strictly_causal():
    recorded = Recorded("vidtok")
    tokenizer = recorded.converted()
    clip, picture = tokenizer.encode(recorded.video), tokenizer.encode(recorded.video[:, :, :1])
    assert tokenizer.config.is_strictly_causal and torch.equal(clip[:, :1], picture)
    assert torch.equal(tokenizer.encode_clip(recorded.video)[0], clip[:, 0].flatten(1))
    video = recorded.video.clone().requires_grad_()
    latent = tokenizer.autoencoder.encode_latent(video)
    for k in (0, 1, 4):
        (gradient,) = torch.autograd.grad(latent[:, k].square().sum(), video, retain_graph=True)
        per_frame = gradient.abs().amax((0, 1, 3, 4))
        assert (per_frame[: 4 * k + 1] > 0).all() and (per_frame[4 * k + 1 :] == 0).all()


def test_samples_of_a_batch_do_not_touch(recorded):
    tokenizer = recorded.converted()
    videos = torch.cat([recorded.video, recorded.video.flip(2), -recorded.video])
    alone = torch.cat([tokenizer.encode(video) for video in videos.split(1)])
    assert torch.equal(tokenizer.encode(videos), alone)
    decoded = torch.cat([tokenizer.decode(ids).video for ids in alone.split(1)])
    torch.testing.assert_close(tokenizer.decode(alone).video, decoded, atol=1e-4, rtol=1e-4)


def test_converted_tokenizers_are_saved_loaded_and_trained_like_our_own(recorded, tmp_path):
    tokenizer = recorded.converted()
    tokenizer.save_pretrained(tmp_path)
    loaded = CamViGVisualTokenizer.from_pretrained(tmp_path)
    assert torch.equal(loaded.encode(recorded.video), tokenizer.encode(recorded.video))
    output = loaded.train()(recorded.video)
    ids, reconstruction = output.pop("ids"), output.pop("reconstruction")
    (reconstruction.square().mean() + sum(output.values())).backward()  # the rest are the quantizer's losses
    without = [name for name, weight in loaded.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == [] and torch.equal(ids, tokenizer.encode(recorded.video))


@torch.no_grad()
def test_half_precision_keeps_shapes_and_types(recorded):
    tokenizer = recorded.converted().to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        ids = tokenizer.encode(recorded.video[:, :, :5])
        video = tokenizer.decode(ids).video
    assert ids.shape == (1, 2, 4, 4) and video is not None and video.shape == (1, 3, 5, 32, 32)
