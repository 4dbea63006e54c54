"""The motion visual tokenizer: an image's ids, causality, the warp, references of any size, saving, learning."""

import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError

from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.motion_autoencoder import FLOW_LIMIT, MotionAutoencoder
from camvig.modeling_camvig.motion_layers import warp
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from camvig.training_scripts.visual_losses import motion_losses

both_quantizers = pytest.mark.parametrize("quantizer", ["lfq", "fsq"])


def small_config(quantizer="fsq", **changes):
    values = {"image_size": 32, "hidden_sizes": (16, 32), "blocks_per_level": 1} | changes
    return CamViGVisualTokenizerConfig(kind="motion", quantizer=quantizer, **values)


def used_weights(module, seed):
    """Weights as after training: none of them zero, every bias and gain away from its initial value."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        spread = 0.3 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
        parameter.data.add_(spread * noise)
    return module.eval()


def tokenizer_for(quantizer="fsq", seed=0, **changes):
    return used_weights(CamViGVisualTokenizer(small_config(quantizer, **changes)), seed)


def random_clip(seed, batch=1, frames=17, size=32):
    """video, flow and visibility, without any sense."""
    generator = torch.Generator().manual_seed(seed)
    video = torch.rand(batch, 3, frames, size, size, generator=generator) * 2 - 1
    flow = (torch.rand(batch, frames - 1, 2, size, size, generator=generator) - 0.5) * FLOW_LIMIT
    visibility = (torch.rand(batch, frames - 1, 1, size, size, generator=generator) > 0.3).float()
    return video, flow, visibility


def random_picture(seed, batch=1, height=32, width=32):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@both_quantizers
@pytest.mark.parametrize("seed", range(3))
def test_an_image_has_the_ids_of_the_first_latent_frame(quantizer, seed):
    tokenizer = tokenizer_for(quantizer, seed)
    video, flow, visibility = random_clip(seed, batch=3)
    ids = tokenizer.encode(video, flow, visibility)
    assert torch.equal(tokenizer.encode(video[:, :, :1]), ids[:, :1])
    assert torch.equal(tokenizer.encode(video[:, :, :5], flow[:, :4], visibility[:, :4])[:, :1], ids[:, :1])
    for sample in range(3):
        assert torch.equal(tokenizer.encode(video[sample : sample + 1, :, :1]), ids[sample : sample + 1, :1])


@torch.no_grad()
def test_a_picture_on_the_border_between_two_codes_has_the_same_ids_alone_and_in_a_batch():
    """Convolutions round differently for another batch size: the latent itself has to be the same, to the bit."""
    tokenizer = tokenizer_for("fsq", hidden_sizes=(64, 128), blocks_per_level=2)
    video, _, _ = random_clip(9, batch=12, frames=1)
    latents = []
    tokenizer.autoencoder.quantizer.register_forward_pre_hook(lambda module, inputs: latents.append(inputs[0]))
    tokenizer.encode(video)
    for picture in video.split(1):
        tokenizer.encode(picture)
    assert torch.equal(latents[0], torch.cat(latents[1:]))


@both_quantizers
def test_ids_to_frames_and_back(quantizer):
    tokenizer = tokenizer_for(quantizer)
    ids = tokenizer.encode(*random_clip(1, batch=2))
    assert ids.shape == (2, 5, 4, 4) and ids.dtype == torch.int64
    assert ids.min() >= 0 and ids.max() < tokenizer.config.vocab_size == 2**18
    assert len(ids.unique()) > 60
    output = tokenizer.decode(ids)
    assert output.video.shape == (2, 3, 17, 32, 32) and output.video.abs().max() <= 1
    assert output.flow.shape == (2, 16, 2, 32, 32)
    assert output.reference_weight.shape == (2, 16, 1, 32, 32)
    assert output.reference_weight.min() >= 0 and output.reference_weight.max() <= 1
    assert output.reference_weight.std() > 0.01 and output.flow.std() > 0.01


@pytest.mark.parametrize("temporal, spatial, size", [(1, 8, 32), (2, 12, 48), (4, 16, 64)])
def test_other_downsamplings(temporal, spatial, size):
    changes = {"temporal_downsample": temporal, "spatial_downsample": spatial, "image_size": size, "num_frames": 5}
    tokenizer = tokenizer_for(**changes)
    video, flow, visibility = random_clip(2, frames=5, size=size)
    ids = tokenizer.encode(video, flow, visibility)
    assert ids.shape == (1, 1 + 4 // temporal, size // spatial, size // spatial)
    assert tokenizer.decode(ids).video.shape == (1, 3, 5, size, size)
    output = tokenizer(video, flow=flow, visibility=visibility, pictures=video[:, :, 0])
    assert output["reconstruction"].shape == (1, 4, 3, size, size)


@both_quantizers
def test_encoder_is_causal_by_gradients(quantizer):
    autoencoder = used_weights(MotionAutoencoder(small_config(quantizer)), seed=1)
    video, *motion = (tensor.requires_grad_() for tensor in random_clip(1))
    frames = video[:, :, 1:].transpose(1, 2)
    latent = autoencoder.encoder(frames, *motion)
    assert latent.shape[:2] == (1, 4)
    for k in range(4):
        gradients = torch.autograd.grad(latent[:, k].square().sum(), (frames, *motion), retain_graph=True)
        own = torch.zeros(16, dtype=torch.bool)
        own[4 * k : 4 * k + 4] = True
        for gradient in gradients:
            per_frame = gradient.abs().amax((0, 2, 3, 4))
            assert (per_frame[own] > 0).all() and (per_frame[~own] == 0).all()


@torch.no_grad()
def test_only_hidden_pixels_are_encoded():
    autoencoder = used_weights(MotionAutoencoder(small_config()), seed=2)
    video, flow, visibility = random_clip(2, frames=5)
    frames = video[:, :, 1:].transpose(1, 2)
    latent = autoencoder.encoder(frames, flow, visibility)
    assert torch.equal(latent, autoencoder.encoder(torch.where(visibility == 1, 0.123, frames), flow, visibility))
    assert not torch.equal(latent, autoencoder.encoder(torch.where(visibility == 0, 0.123, frames), flow, visibility))


def test_decoder_is_causal_by_gradients():
    autoencoder = used_weights(MotionAutoencoder(small_config("lfq")), seed=3)
    generator = torch.Generator().manual_seed(3)
    codes = (torch.rand(1, 4, 4, 4, 18, generator=generator) * 2 - 1).requires_grad_()
    decoded = autoencoder.decoder(codes, random_picture(3))
    for frame in range(16):
        own = frame // 4  # frames 4k-3..4k of the video come from the codes of latent frames 1..k
        for tensor in decoded[:3]:  # flow, weight and content
            (gradient,) = torch.autograd.grad(tensor[:, frame].square().sum(), codes, retain_graph=True)
            per_latent = gradient.abs().amax((0, 2, 3, 4))
            assert per_latent[own] > 0 and (per_latent[own + 1 :] == 0).all()
            assert own == 0 or per_latent[own - 1] > 0


def test_training_pass_is_causal_by_gradients():
    autoencoder = used_weights(MotionAutoencoder(small_config()), seed=4)
    video, flow, visibility = random_clip(4)
    pictures = random_picture(4, batch=2)
    output = autoencoder(video, flow.requires_grad_(), visibility, pictures)
    assert output["pictures"].shape == pictures.shape and output["log_inverse_depth"].shape == (2, 1, 8, 8)
    for frame in (0, 3, 4, 15):
        future = 4 * (frame // 4 + 1)
        (gradient,) = torch.autograd.grad(output["reconstruction"][:, frame].sum(), flow, retain_graph=True)
        per_frame = gradient.abs().amax((0, 2, 3, 4))
        assert (per_frame[future - 4 : future] > 0).all() and (per_frame[future:] == 0).all()


def test_later_frames_change_neither_earlier_ids_nor_earlier_frames():
    tokenizer = tokenizer_for("lfq", seed=5)
    clip, other = random_clip(5), random_clip(6)
    mixed = [torch.cat([a[:, :, :9], b[:, :, 9:]], 2) for a, b in zip(clip[:1], other[:1], strict=True)]
    mixed += [torch.cat([a[:, :8], b[:, 8:]], 1) for a, b in zip(clip[1:], other[1:], strict=True)]
    ids, mixed_ids = tokenizer.encode(*clip), tokenizer.encode(*mixed)
    assert torch.equal(ids[:, :3], mixed_ids[:, :3]) and not torch.equal(ids[:, 3:], mixed_ids[:, 3:])
    reference = random_picture(5)
    video, mixed_video = (tokenizer.decode(x, reference).video for x in (ids, mixed_ids))
    assert torch.equal(video[:, :, :9], mixed_video[:, :, :9])
    assert not torch.equal(video[:, :, 9], mixed_video[:, :, 9])


def test_samples_of_a_batch_do_not_touch():
    tokenizer = tokenizer_for(seed=6)
    clip, other = random_clip(7, batch=2), random_clip(8, batch=2)
    replaced = [torch.cat([a[:1], b[1:]]) for a, b in zip(clip, other, strict=True)]
    ids, replaced_ids = tokenizer.encode(*clip), tokenizer.encode(*replaced)
    assert torch.equal(ids[:1], replaced_ids[:1]) and not torch.equal(ids[1:], replaced_ids[1:])
    video, replaced_video = (tokenizer.decode(x).video for x in (ids, replaced_ids))
    assert torch.equal(video[:1], replaced_video[:1])
    torch.testing.assert_close(video[:1], tokenizer.decode(ids[:1]).video, atol=1e-4, rtol=1e-4)


def test_zero_flow_moves_nothing():
    picture = random_picture(1, batch=2, height=9, width=14)
    moved = warp(picture, torch.zeros(2, 3, 2, 9, 14))
    torch.testing.assert_close(moved, picture[:, None].expand(-1, 3, -1, -1, -1), atol=1e-5, rtol=0)


def test_a_pixel_is_read_at_its_place_plus_the_flow():
    picture = random_picture(2, height=9, width=14)
    right, down = torch.zeros(2, 1, 1, 2, 9, 14)
    right[:, :, 0], down[:, :, 1] = 3 / 14, 2 / 9
    moved_right, moved_down = warp(picture, right)[:, 0], warp(picture, down)[:, 0]
    torch.testing.assert_close(moved_right[..., :-3], picture[..., 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved_down[..., :-2, :], picture[..., 2:, :], atol=1e-5, rtol=0)
    border = picture[..., -1:].expand(-1, -1, -1, 3)
    torch.testing.assert_close(moved_right[..., -3:], border, atol=1e-5, rtol=0)


def test_warp_is_bilinear_reading():
    """Against the obvious loop over pixels."""
    picture = random_picture(3, height=5, width=7)
    flow = (torch.rand(1, 1, 2, 5, 7, generator=torch.Generator().manual_seed(3)) - 0.5) * 0.8
    expected = torch.zeros(3, 5, 7)
    for j in range(5):
        for i in range(7):
            x = min(max(i + 7 * flow[0, 0, 0, j, i].item(), 0), 6)
            y = min(max(j + 5 * flow[0, 0, 1, j, i].item(), 0), 4)
            for row in range(5):
                for column in range(7):
                    weight = max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row))
                    expected[:, j, i] += weight * picture[0, :, row, column]
    torch.testing.assert_close(warp(picture, flow)[0, 0], expected, atol=1e-5, rtol=0)


def test_bicubic_reading_keeps_fine_detail():
    """Half a pixel to the right, stripes of 4 pixels a period: their amplitude, where bilinear keeps cos(pi / 4) of it."""
    stripes = torch.cos(torch.arange(32) * torch.pi / 2 + 0.3).expand(1, 1, 32, 32)
    half = torch.zeros(1, 1, 2, 32, 32)
    half[:, :, 0] = 0.5 / 32
    true = torch.cos((torch.arange(32) + 0.5) * torch.pi / 2 + 0.3).expand(32, 32)[:, 3:-3]
    bilinear, bicubic = (warp(stripes, half, mode=mode)[0, 0, 0, :, 3:-3] for mode in ("bilinear", "bicubic"))
    torch.testing.assert_close(bilinear, math.cos(math.pi / 4) * true, atol=1e-5, rtol=0)
    assert (bicubic - true).abs().max() < 0.4 * (bilinear - true).abs().max()


@pytest.mark.parametrize("size", [64, 256])
def test_flow_means_the_same_for_pictures_of_any_size(size):
    def scene(x, y):  # a smooth picture, defined at every place
        return torch.sin(5 * x + 2 * y)[None, None]

    centres = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    flow = torch.stack([0.1 * x - 0.03, 0.08 - 0.05 * y])[None, None]
    inside = (x + flow[0, 0, 0] - 0.5).abs().maximum((y + flow[0, 0, 1] - 0.5).abs()) < 0.5 - 1 / size
    error = warp(scene(x, y), flow)[:, 0] - scene(x + flow[0, 0, 0], y + flow[0, 0, 1])
    assert inside.float().mean() > 0.8 and error[0, 0][inside].abs().max() < 2e-3


@pytest.mark.parametrize("height, width", [(37, 90), (90, 37), (32, 32), (16, 24), (1, 1)])
def test_frames_have_the_size_of_the_reference_and_begin_with_it(height, width):
    tokenizer = tokenizer_for(seed=7)
    ids = tokenizer.encode(*random_clip(10, batch=2))
    reference = random_picture(4, 2, height, width)
    output = tokenizer.decode(ids, reference)
    assert output.video.shape == (2, 3, 17, height, width) and output.video.abs().max() <= 1
    assert output.flow.shape == (2, 16, 2, height, width)
    assert output.reference_weight.shape == (2, 16, 1, height, width)
    assert torch.equal(output.video[:, :, 0], reference)


def test_frames_are_the_moved_reference_where_its_weight_is_one():
    tokenizer = tokenizer_for(seed=8)
    tokenizer.autoencoder.decoder.blend2.bias.data[12:] = 50.0  # patch / 2 = 2: 4 values a channel, the weight's last
    reference = random_picture(5, 1, 40, 56)
    output = tokenizer.decode(tokenizer.encode(*random_clip(11)), reference)
    assert (output.reference_weight > 0.999).all()
    moved = warp(reference, output.flow, mode="bicubic").transpose(1, 2)
    torch.testing.assert_close(output.video[:, :, 1:], moved.clamp(-1, 1), atol=1e-3, rtol=0)


def test_decoded_flow_does_not_depend_on_the_size_of_the_reference():
    tokenizer = tokenizer_for(seed=9)
    ids = tokenizer.encode(*random_clip(12))
    flows = [tokenizer.decode(ids, torch.full((1, 3, size, size), 0.3)).flow for size in (32, 64)]
    expected = torch.nn.functional.interpolate(flows[0].flatten(0, 1), (64, 64), mode="bilinear")
    torch.testing.assert_close(flows[1].flatten(0, 1), expected, atol=1e-4, rtol=1e-4)


def test_one_latent_frame_decodes_to_the_reference_alone():
    tokenizer = tokenizer_for(seed=10)
    ids = tokenizer.encode(random_clip(13, batch=2)[0][:, :, :1])
    reference = random_picture(7, 2, 37, 90)
    output = tokenizer.decode(ids, reference)
    assert torch.equal(output.video, reference[:, :, None])
    assert output.flow.shape == (2, 0, 2, 37, 90) and output.reference_weight.shape == (2, 0, 1, 37, 90)


def test_without_a_reference_the_decoded_picture_is_moved():
    tokenizer = tokenizer_for(seed=11)
    ids = tokenizer.encode(*random_clip(14))
    picture = tokenizer.decode(ids[:, :1]).video[:, :, 0]
    assert picture.shape == (1, 3, 32, 32) and picture.std() > 0.01
    alone, given = tokenizer.decode(ids), tokenizer.decode(ids, picture)
    assert torch.equal(alone.video, given.video) and torch.equal(alone.video[:, :, 0], picture)


@both_quantizers
def test_saved_and_loaded_tokenizers_are_identical(quantizer, tmp_path):
    tokenizer = tokenizer_for(quantizer, seed=12)
    tokenizer.save_pretrained(tmp_path)
    loaded = CamViGVisualTokenizer.from_pretrained(tmp_path)
    clip, reference = random_clip(15), random_picture(8, 1, 40, 56)
    ids = tokenizer.encode(*clip)
    assert isinstance(loaded.autoencoder, MotionAutoencoder) and not loaded.training
    assert torch.equal(loaded.encode(*clip), ids)
    assert torch.equal(loaded.decode(ids, reference).video, tokenizer.decode(ids, reference).video)


def test_bfloat16_weights_load_and_work(tmp_path):
    """The shipped checkpoint is stored in half precision, and transformers loads it so."""
    tokenizer = tokenizer_for(seed=13)
    tokenizer.to(torch.bfloat16).save_pretrained(tmp_path)
    loaded = CamViGVisualTokenizer.from_pretrained(tmp_path)
    clip, reference = random_clip(16), random_picture(9, 1, 40, 56)
    ids = loaded.encode(*clip)
    assert ids.dtype == torch.int64 and ids.shape == (1, 5, 4, 4)
    assert torch.equal(loaded.encode(clip[0][:, :, :1]), ids[:, :1])
    video = loaded.decode(ids, reference).video
    assert video.shape == (1, 3, 17, 40, 56) and video.isfinite().all() and video.abs().max() <= 1
    assert loaded.decode(ids).video.shape == (1, 3, 17, 32, 32)
    upcast = CamViGVisualTokenizer.from_pretrained(tmp_path, dtype=torch.float32)
    assert (upcast.encode(*clip) == ids).float().mean() > 0.3  # of 18 bits, so not by chance
    assert (upcast.decode(ids, reference).video - video.float()).abs().mean() < 0.1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kind": "still"}, "'plain' or 'motion', got 'still'"),
        ({"quantizer": "vq"}, "'lfq' or 'fsq', got 'vq'"),
        ({"num_frames": 16}, r"1 \+ a multiple of 4, got 16"),
        ({"image_size": 36}, "multiples of 8, got 36"),
    ],
)
def test_configurations_that_cannot_work_are_refused(changes, message):
    with pytest.raises((ValueError, StrictDataclassError), match=message):
        CamViGVisualTokenizerConfig(**({"kind": "motion"} | changes))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"hidden_sizes": (16, 32, 64)}, "expected 2 hidden_sizes"),
        ({"hidden_sizes": ()}, "expected 2 hidden_sizes"),
        ({"hidden_sizes": (16, 48)}, "expected hidden_sizes .* got"),
        ({"hidden_sizes": (16, 16)}, "expected hidden_sizes .* got"),
        ({"hidden_sizes": (12, 32)}, "expected hidden_sizes .* got"),
        ({"spatial_downsample": 4}, "expected spatial_downsample"),
        ({"spatial_downsample": 10, "image_size": 40}, "expected spatial_downsample"),
    ],
)
def test_geometries_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MotionAutoencoder(small_config(**changes))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"video": (1, 3, 5, 32, 24)}, r"expected video \[B, 3, T, 32, 32\], got \[1, 3, 5, 32, 24\]"),
        ({"video": (1, 2, 5, 32, 32)}, r"expected video \[B, 3, T, 32, 32\], got \[1, 2, 5, 32, 32\]"),
        ({"video": (1, 3, 5, 33, 33)}, r"expected video \[B, 3, T, 32, 32\], got \[1, 3, 5, 33, 33\]"),
        ({"video": (1, 3, 4, 32, 32)}, r"1 \+ a multiple of 4 frames, got 4; the nearest is 1 or 5:"),
        ({"video": (1, 3, 16, 32, 32)}, r"1 \+ a multiple of 4 frames, got 16; the nearest is 13 or 17:"),
        ({"video": (1, 3, 18, 32, 32)}, r"1 \+ a multiple of 4 frames, got 18; the nearest is 17 or 21:"),
        ({"video": (1, 3, 0, 32, 32)}, r"1 \+ a multiple of 4 frames, got 0; the nearest is 1:"),
        ({"flow": None}, "with its flow"),
        ({"visibility": None}, "with its flow"),
        ({"flow": (1, 2, 2, 32, 32)}, r"expected flow .* got \[1, 2, 2, 32, 32\]"),
        ({"flow": (1, 4, 2, 32, 16)}, r"expected flow .* got \[1, 4, 2, 32, 16\]"),
        ({"visibility": (1, 4, 3, 32, 32)}, r"expected visibility .* got \[1, 4, 3, 32, 32\]"),
    ],
)
def test_clips_that_do_not_fit_are_refused(changes, message):
    shapes = {"video": (1, 3, 5, 32, 32), "flow": (1, 4, 2, 32, 32), "visibility": (1, 4, 1, 32, 32)} | changes
    with pytest.raises(ValueError, match=message):
        tokenizer_for().encode(**{name: shape and torch.zeros(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(
    "ids, reference, message",
    [
        (torch.full((1, 2, 4, 4), 2**18), None, "expected ids in 0..262143"),
        (torch.full((1, 2, 4, 4), -1), None, "expected ids in 0..262143"),
        (torch.zeros(1, 2, 4, 4), None, "expected ids of int64, got torch.float32"),
        (torch.zeros(1, 2, 4, 5, dtype=torch.long), None, r"got \[1, 2, 4, 5\]"),
        (torch.zeros(1, 16, dtype=torch.long), None, r"got \[1, 16\]"),
        (torch.zeros(1, 0, 4, 4, dtype=torch.long), None, "got .1, 0, 4, 4"),
        (torch.zeros(2, 2, 4, 4, dtype=torch.long), torch.zeros(1, 3, 8, 8), "expected reference .* got"),
        (torch.zeros(1, 2, 4, 4, dtype=torch.long), torch.zeros(3, 8, 8), "expected reference .* got"),
        (torch.zeros(1, 2, 4, 4, dtype=torch.long), torch.zeros(1, 1, 8, 8), "expected reference .* got"),
    ],
)
def test_ids_and_references_that_do_not_fit_are_refused(ids, reference, message):
    with pytest.raises(ValueError, match=message):
        tokenizer_for().decode(ids, reference)


def test_a_plain_tokenizer_takes_no_reference():
    config = CamViGVisualTokenizerConfig(image_size=16, hidden_sizes=(8, 8, 8, 8), blocks_per_level=1)
    with pytest.raises(ValueError, match="got a reference"):
        CamViGVisualTokenizer(config).decode(torch.zeros(1, 1, 2, 2, dtype=torch.long), torch.zeros(1, 3, 16, 16))


def test_every_weight_gets_a_gradient():
    autoencoder = used_weights(MotionAutoencoder(small_config()), seed=14)
    output = autoencoder(*random_clip(18, frames=9), random_picture(10, batch=2))
    sum(value.float().square().mean() for value in output.values()).backward()
    without = [name for name, weight in autoencoder.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


def moving_square(frames=5, size=32, side=12, step=2):
    """A textured square that goes right and down over a textured ground, with its exact backward flow."""
    generator = torch.Generator().manual_seed(0)
    ground = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=generator), (size, size), mode="bilinear")
    square = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4, generator=generator), (side, side), mode="bilinear")
    video = ground[:, :, None].repeat(1, 1, frames, 1, 1)
    is_square = torch.zeros(frames, size, size, dtype=torch.bool)
    flow = torch.zeros(1, frames - 1, 2, size, size)
    for t in range(frames):
        rows, columns = (slice(start + step * t, start + step * t + side) for start in (4, 6))
        video[:, :, t, rows, columns] = square
        is_square[t, rows, columns] = True
        if t:
            flow[:, t - 1, :, rows, columns] = -step * t / size
    visibility = (is_square[1:] | ~is_square[:1]).float()[None, :, None]
    return {
        "video": video * 2 - 1,
        "flow": flow,
        "visibility": visibility,
        "in_front": torch.ones_like(visibility),
        "moving": torch.zeros_like(visibility),
        "pictures": video[:, :, 0] * 2 - 1,
        "picture_depth": torch.zeros(1, 1, 8, 8),
        "picture_depth_is_known": torch.zeros(1),
    }


@both_quantizers
def test_training_learns_the_motion_of_a_square(quantizer):
    torch.manual_seed(0)
    model = CamViGVisualTokenizer(small_config(quantizer, num_frames=5))
    batch = moving_square()
    frames = batch["video"][:, :, 1:].transpose(1, 2)
    exact = (warp(batch["video"][:, :, 0], batch["flow"]) - frames) * batch["visibility"]
    assert exact.abs().max() < 1e-4 and 0 < 1 - batch["visibility"].mean() < 0.2
    decoder = model.autoencoder.decoder
    for head in (decoder.coarse_flow, decoder.linear_flow, decoder.fine_flow):  # it starts as a still video
        for parameter in head.parameters():
            torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = []
    for _ in range(50):
        losses = motion_losses(model, batch, 0.0)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    still = 2 * batch["flow"]
    assert history[0]["flow"] == pytest.approx((still.abs() + 3 * still.square()).mean().item(), rel=0.2)
    assert history[-1]["flow"] < 0.5 * history[0]["flow"], (history[0], history[-1])
    assert history[-1]["loss"] < 0.5 * history[0]["loss"], (history[0], history[-1])
