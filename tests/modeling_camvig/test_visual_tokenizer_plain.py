"""The plain visual tokenizer: geometry, strict causality, an image's ids, training, saving."""

import pytest
import torch

from camvig.modeling_camvig.causal_layers import CausalDownsample, CausalUpsample, FrameGroupNorm
from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.plain_autoencoder import PlainAutoencoder
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer

both_quantizers = pytest.mark.parametrize("quantizer", ["lfq", "fsq"])
DIGITS = {"lfq": 18, "fsq": 6}


def thin_config(quantizer="lfq", **changes):
    values = {"image_size": 64, "hidden_sizes": (8, 8, 16, 16), "blocks_per_level": 1} | changes
    return CamViGVisualTokenizerConfig(kind="plain", quantizer=quantizer, **values)


def used_weights(module, seed):
    """Weights as after training: every bias and gain away from its initial value, latents of order 1."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        spread = parameter.detach().std() if parameter.ndim > 1 else 0.3
        parameter.data.add_(spread * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def random_video(seed, batch=1, frames=17, size=64):
    return torch.rand(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@both_quantizers
@pytest.mark.parametrize("image_size, grid", [(128, 16), (64, 8)], ids=["paper", "tiny"])
@torch.no_grad()
def test_geometry_of_the_paper_and_of_the_tiny_model(quantizer, image_size, grid):
    config = thin_config(quantizer, image_size=image_size)
    tokenizer = used_weights(CamViGVisualTokenizer(config), seed=0)
    ids = tokenizer.encode(random_video(0, size=image_size))
    video = tokenizer.decode(ids).video
    assert ids.shape == (1, 5, grid, grid) == (1, config.latent_frames, config.latent_size, config.latent_size)
    assert ids.dtype == torch.int64 and ids.min() >= 0 and ids.max() < config.vocab_size == 2**18
    assert len(ids.unique()) > 20
    assert video is not None and video.shape == (1, 3, 17, image_size, image_size) and video.abs().max() <= 1


@both_quantizers
@torch.no_grad()
def test_shapes_between_frames_and_ids(quantizer):
    autoencoder = PlainAutoencoder(thin_config(quantizer))
    for frames in (1, 5, 9):
        latent = autoencoder.encode_latent(random_video(1, batch=2, frames=frames, size=16))
        assert latent.shape == (2, 1 + frames // 4, 2, 2, DIGITS[quantizer])
        assert autoencoder.decode_codes(latent).shape == (2, 3, frames, 16, 16)


@pytest.mark.parametrize(
    "temporal, spatial, sizes", [(1, 4, (8, 8, 8)), (2, 4, (8, 8, 8)), (8, 8, (8, 8, 8, 8)), (1, 1, (8,))]
)
@torch.no_grad()
def test_other_downsamplings_than_the_papers(temporal, spatial, sizes):
    changes = {"temporal_downsample": temporal, "spatial_downsample": spatial, "hidden_sizes": sizes, "image_size": 16}
    autoencoder = PlainAutoencoder(thin_config(**changes))
    ids = autoencoder.encode_ids(random_video(2, size=16))
    assert ids.shape == (1, 1 + 16 // temporal, 16 // spatial, 16 // spatial)
    assert autoencoder.decode_ids(ids).shape == (1, 3, 17, 16, 16)


@both_quantizers
@pytest.mark.parametrize("seed", range(4))
@torch.no_grad()
def test_an_image_has_the_ids_of_the_first_latent_frame(quantizer, seed):
    tokenizer = used_weights(CamViGVisualTokenizer(thin_config(quantizer, image_size=32)), seed)
    video = random_video(seed, batch=3, size=32)
    ids = tokenizer.encode(video)
    assert torch.equal(tokenizer.encode(video[:, :, :1]), ids[:, :1])
    assert torch.equal(tokenizer.encode(video[:, :, :5])[:, :1], ids[:, :1])
    for sample in range(3):
        assert torch.equal(tokenizer.encode(video[sample : sample + 1, :, :1]), ids[sample : sample + 1, :1])
        as_stored = video[sample, :, 0].permute(1, 2, 0).contiguous().permute(2, 0, 1)[None, :, None]  # channels last
        assert torch.equal(tokenizer.encode(as_stored), ids[sample : sample + 1, :1])


@torch.no_grad()
def test_the_first_latent_frame_agrees_without_being_encoded_apart():
    """`encode_ids` encodes first frames apart against rounding only: the network itself is causal."""
    autoencoder = used_weights(PlainAutoencoder(thin_config()), seed=5)
    video = random_video(5, batch=2, size=32)
    latent = autoencoder.encode_latent(video)
    assert latent.std() > 0.1
    torch.testing.assert_close(latent[:, :1], autoencoder.encode_latent(video[:, :, :1]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(latent[:, :3], autoencoder.encode_latent(video[:, :, :9]), atol=1e-4, rtol=1e-4)
    whole = autoencoder.decode_codes(latent)
    for latents, frames in ((1, 1), (3, 9)):
        start = autoencoder.decode_codes(latent[:, :latents])
        torch.testing.assert_close(whole[:, :, :frames], start, atol=1e-4, rtol=1e-4)


@both_quantizers
def test_encoder_is_causal_by_gradients(quantizer):
    autoencoder = used_weights(PlainAutoencoder(thin_config(quantizer)), seed=1)
    video = random_video(1, size=16).requires_grad_()
    latent = autoencoder.encode_latent(video)
    for k in range(latent.shape[1]):
        (gradient,) = torch.autograd.grad(latent[:, k].square().sum(), video, retain_graph=True)
        per_frame = gradient.abs().amax((0, 1, 3, 4))
        assert (per_frame[: 4 * k + 1] > 0).all(), f"latent {k} should see frames 0..{4 * k}"
        assert (per_frame[4 * k + 1 :] == 0).all(), f"latent {k} sees the future"


@both_quantizers
def test_decoder_is_causal_by_gradients(quantizer):
    autoencoder = used_weights(PlainAutoencoder(thin_config(quantizer)), seed=2)
    codes = torch.rand(1, 5, 2, 2, DIGITS[quantizer], generator=torch.Generator().manual_seed(2)) * 2 - 1
    video = autoencoder.decode_codes(codes.requires_grad_())
    assert video.shape[2] == 17
    for frame in range(17):
        last = (frame + 3) // 4  # frames 4k-3..4k come from latents 0..k
        (gradient,) = torch.autograd.grad(video[:, :, frame].square().sum(), codes, retain_graph=True)
        per_latent = gradient.abs().amax((0, 2, 3, 4))
        assert (per_latent[: last + 1] > 0).all(), f"frame {frame} should see latents 0..{last}"
        assert (per_latent[last + 1 :] == 0).all(), f"frame {frame} sees the future"


@both_quantizers
@torch.no_grad()
def test_samples_of_a_batch_do_not_touch(quantizer):
    autoencoder = used_weights(PlainAutoencoder(thin_config(quantizer)), seed=3)
    video = random_video(3, batch=3, frames=9, size=32)
    latent = autoencoder.encode_latent(video)
    replaced = torch.cat([video[:1], random_video(4, batch=2, frames=9, size=32)])
    assert torch.equal(autoencoder.encode_latent(replaced)[:1], latent[:1])
    assert torch.equal(autoencoder.encode_ids(replaced)[:1], autoencoder.encode_ids(video)[:1])
    alone = torch.cat([autoencoder.encode_latent(sample) for sample in video.split(1)])
    torch.testing.assert_close(alone, latent, atol=1e-4, rtol=1e-4)


@both_quantizers
def test_training_lowers_the_reconstruction_loss(quantizer):
    torch.manual_seed(0)
    autoencoder = PlainAutoencoder(thin_config(quantizer, hidden_sizes=(16, 16, 32, 32)))
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)
    coarse = torch.rand(4, 3, 2, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    video = torch.nn.functional.interpolate(coarse, size=(5, 16, 16), mode="trilinear")
    losses = []
    for _ in range(40):
        output = autoencoder(video)
        ids, loss = output["ids"], (output["reconstruction"] - video).square().mean()
        entropies = output["sample_entropy"] - output["batch_entropy"] if quantizer == "lfq" else 0
        optimizer.zero_grad()
        (loss + 0.1 * entropies + 0.05 * output["commitment"]).backward()
        optimizer.step()
        losses.append(loss.item())
    assert ids.shape == (4, 2, 2, 2) and len(ids.unique()) > 4
    assert losses[-1] < 0.35 * losses[0], losses


@both_quantizers
def test_every_weight_gets_a_gradient_through_the_quantizer(quantizer):
    autoencoder = PlainAutoencoder(thin_config(quantizer))
    video = random_video(6, frames=5, size=16)
    (autoencoder(video)["reconstruction"] - video).square().mean().backward()
    without = [name for name, weight in autoencoder.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


@both_quantizers
@torch.no_grad()
def test_saved_and_loaded_tokenizers_are_identical(quantizer, tmp_path):
    tokenizer = used_weights(CamViGVisualTokenizer(thin_config(quantizer, image_size=32)), seed=7)
    tokenizer.save_pretrained(tmp_path)
    loaded = CamViGVisualTokenizer.from_pretrained(tmp_path)
    video = random_video(7, frames=9, size=32)
    ids = tokenizer.encode(video)
    assert isinstance(loaded.autoencoder, PlainAutoencoder) and not loaded.training
    assert torch.equal(loaded.encode(video), ids)
    before, after = tokenizer.decode(ids).video, loaded.decode(ids).video
    assert before is not None and after is not None and torch.equal(before, after)


@torch.no_grad()
def test_half_precision_keeps_shapes_and_types():
    autoencoder = used_weights(PlainAutoencoder(thin_config()), seed=8).to(torch.bfloat16)
    ids = autoencoder.encode_ids(random_video(8, frames=5, size=16))
    assert ids.dtype == torch.int64 and ids.shape == (1, 2, 2, 2)
    assert autoencoder.decode_ids(ids).dtype == torch.bfloat16


@torch.no_grad()
def test_norm_takes_statistics_of_one_frame():
    norm = FrameGroupNorm(16)
    video = (
        torch.randn(2, 16, 3, 4, 4, generator=torch.Generator().manual_seed(9))
        * torch.tensor([1.0, 5.0, 50.0])[:, None, None]
    )
    for frame in range(3):
        expected = torch.nn.functional.group_norm(video[:, :, frame], 4, eps=1e-6)
        torch.testing.assert_close(norm(video)[:, :, frame], expected)


@pytest.mark.parametrize("frames, fewer", [(1, 1), (5, 3), (17, 9)])
@torch.no_grad()
def test_time_halves_and_doubles_around_the_first_frame(frames, fewer):
    video = torch.randn(1, 8, frames, 4, 4)
    down, up = CausalDownsample(8, 16, halve_time=True)(video), CausalUpsample(16, 8, double_time=True)
    assert down.shape == (1, 16, fewer, 2, 2) and up(down).shape == video.shape


@torch.no_grad()
def test_depth_to_space_puts_channels_in_their_places():
    """Against the obvious loop: channel (c, a, i, j) of frame t goes to frame 2t + a, pixel (2y + i, 2x + j)."""
    upsample = CausalUpsample(4, 3, double_time=True)
    video = torch.randn(1, 4, 3, 2, 2, generator=torch.Generator().manual_seed(10))
    depth, space = upsample.conv(video), torch.zeros(1, 3, 6, 4, 4)
    for channel in range(3 * 8):
        c, a, i, j = channel // 8, channel // 4 % 2, channel // 2 % 2, channel % 2
        space[:, c, a::2, i::2, j::2] = depth[:, channel]
    assert torch.equal(upsample(video), space[:, :, 1:])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"hidden_sizes": (8, 8, 16)}, "spatial_downsample = 2"),
        ({"hidden_sizes": ()}, "spatial_downsample = 2"),
        ({"spatial_downsample": 6, "image_size": 66}, "spatial_downsample = 2"),
        ({"temporal_downsample": 16}, "temporal_downsample a power of 2"),
        ({"temporal_downsample": 3, "num_frames": 16}, "temporal_downsample a power of 2"),
        ({"hidden_sizes": (8, 12, 16, 16)}, "multiples of 8"),
        ({"hidden_sizes": (0, 8, 16, 16)}, "multiples of 8"),
        ({"blocks_per_level": 0}, "blocks_per_level"),
    ],
)
def test_geometries_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PlainAutoencoder(thin_config(**changes))


def test_tensors_that_do_not_fit_are_refused():
    autoencoder = PlainAutoencoder(thin_config())
    with pytest.raises(ValueError, match=r"1 \+ a multiple of 4 frames, got 4"):
        autoencoder.encode_latent(torch.zeros(1, 3, 4, 16, 16))
    with pytest.raises(ValueError, match="got 4; the nearest is 1 or 5: cut or resample"):
        CamViGVisualTokenizer(thin_config(image_size=16)).encode(torch.zeros(1, 3, 4, 16, 16))
    with pytest.raises(ValueError, match="got 0; the nearest is 1:"):
        autoencoder.encode_latent(torch.zeros(1, 3, 0, 16, 16))
    with pytest.raises(ValueError, match="multiples of 8"):
        autoencoder.encode_latent(torch.zeros(1, 3, 5, 16, 20))
    with pytest.raises(ValueError, match="expected codes"):
        autoencoder.decode_codes(torch.zeros(1, 2, 2, 2, 6))


def test_activation_checkpointing_changes_no_gradient():
    tokenizer = CamViGVisualTokenizer(thin_config(image_size=16)).train()
    video, gradients = random_video(9, frames=5, size=16), []
    for checkpointing in (False, True):
        if checkpointing:
            tokenizer.activation_checkpointing_enable()
        tokenizer.zero_grad()
        kept = 0

        def count(tensor):
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = (tokenizer(video)["reconstruction"] - video).square().mean()
        loss.backward()
        gradients.append((kept, [weight.grad.clone() for weight in tokenizer.parameters()]))
    (all_kept, plain), (fewer_kept, checkpointed) = gradients
    assert fewer_kept < 0.7 * all_kept
    for ours, theirs in zip(plain, checkpointed, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.full((1, 2, 2, 2), 2**18), "expected ids in 0..262143, got 262144"),
        (torch.full((1, 2, 2, 2), -1), "expected ids in 0..262143, got -1"),
        (torch.zeros(1, 2, 2, 3, dtype=torch.int64), r"expected ids \[B, t, 2, 2\]"),
        (torch.zeros(1, 2, 2, 2), "expected ids of int64, got torch.float32"),
    ],
)
def test_ids_that_no_tokenizer_writes_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        CamViGVisualTokenizer(thin_config(image_size=16)).decode(ids)
