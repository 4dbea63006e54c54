"""A picture tokenizer inflated to a video tokenizer: the same at the start, and trainable from there."""

import pytest
import torch

from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.inflation import inflated
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer


def tokenizer(num_frames, quantizer="lfq", **changes):
    values = {"image_size": 32, "hidden_sizes": (8, 8, 16, 16), "blocks_per_level": 1} | changes
    config = CamViGVisualTokenizerConfig(kind="plain", quantizer=quantizer, num_frames=num_frames, **values)
    model = CamViGVisualTokenizer(config)
    generator = torch.Generator().manual_seed(num_frames)
    for parameter in model.parameters():
        spread = parameter.detach().std() if parameter.ndim > 1 else 0.3
        parameter.data.add_(spread * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def inflate(image, video):
    video.load_state_dict(inflated(image, video))
    return video


def moving_video(frames=9):
    return torch.rand(2, 3, frames, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("quantizer", ["lfq", "fsq"])
@torch.no_grad()
def test_a_still_picture_is_what_the_picture_tokenizer_makes_of_it(quantizer):
    image = tokenizer(1, quantizer)
    video = inflate(image, tokenizer(17, quantizer))
    picture = moving_video(1)
    ids, still_ids = image.encode(picture), video.encode(picture.expand(-1, -1, 17, -1, -1).contiguous())
    assert len(ids.unique()) > 8 and still_ids.shape[1] == 5
    assert all(torch.equal(still_ids[:, frame : frame + 1], ids) for frame in range(5))
    expected = image.decode(ids).video
    decoded = video.decode(still_ids).video
    torch.testing.assert_close(decoded, expected.expand_as(decoded), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_moving_video_is_at_first_every_fourth_picture():
    image = tokenizer(1)
    video = inflate(image, tokenizer(17))
    frames = moving_video()
    latent = video.autoencoder.encode_latent(frames)
    pictures = [image.autoencoder.encode_latent(frames[:, :, frame : frame + 1]) for frame in (0, 4, 8)]
    torch.testing.assert_close(latent, torch.cat(pictures, dim=1), atol=1e-5, rtol=0)


def test_after_a_step_the_past_counts():
    video = inflate(tokenizer(1), tokenizer(17)).train()
    optimizer = torch.optim.SGD(video.parameters(), lr=0.1)
    frames = moving_video()
    (video(frames)["reconstruction"] - frames).square().mean().backward()
    optimizer.step()
    past = frames.clone().requires_grad_()
    video.autoencoder.encode_latent(past)[:, 1].sum().backward()
    assert past.grad is not None and past.grad[:, :, 2].abs().sum() > 0


def test_picture_tokenizers_are_flat_and_refuse_videos():
    image = tokenizer(1)
    kernels = [weight for weight in image.parameters() if weight.ndim == 5]
    assert kernels and all(weight.shape[2] == 1 for weight in kernels)
    with pytest.raises(ValueError, match=r"expected pictures \(1 frame"):
        image.encode(moving_video())


@pytest.mark.parametrize(
    ("image", "video", "message"),
    [
        ({"num_frames": 17}, {}, "of 1 frame to inflate"),
        ({"num_frames": 1}, {"num_frames": 1}, "of 1 frame to inflate"),
        ({"num_frames": 1, "hidden_sizes": (8, 8, 8, 16)}, {}, r"hidden_sizes \[8, 8, 16, 16\] to inflate"),
        ({"num_frames": 1, "quantizer": "fsq"}, {}, "quantizer lfq to inflate, got fsq"),
    ],
)
def test_other_tokenizers_are_refused(image, video, message):
    with pytest.raises(ValueError, match=message):
        inflated(tokenizer(**image), tokenizer(**{"num_frames": 17} | video))
