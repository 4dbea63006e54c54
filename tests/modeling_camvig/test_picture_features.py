"""What the transformer is told about its picture: the tokenizer's own features, frozen, and saved with it."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from camvig.modeling_camvig.configuration_camvig import CamViGConfig
from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from camvig.modeling_camvig.motion_autoencoder import PictureAutoencoder

FSQ = {"visual_levels": [8] * 6, "visual_factors": [512, 512]}


def picture_autoencoder(size: int = 32) -> PictureAutoencoder:
    torch.manual_seed(1)
    config = CamViGVisualTokenizerConfig(
        kind="motion", quantizer="fsq", image_size=16, hidden_sizes=[8, size], blocks_per_level=2
    )
    picture = PictureAutoencoder(config)
    for weight in picture.parameters():  # residual blocks start as nothing
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.1)
    return picture


def model_with_features(build_transformer) -> CamViGForConditionalGeneration:
    model = build_transformer(**FSQ, picture_feature_size=32)
    model.set_picture_features(picture_autoencoder())
    return model


def test_features_are_those_from_which_the_tokenizer_reads_depth(build_transformer):
    model, picture = model_with_features(build_transformer), picture_autoencoder()
    ids = torch.randint(8**6, (2, 4))
    codes = model.picture_features.codebook.ids_to_codes(ids).view(2, 2, 2, 6).permute(0, 3, 1, 2)
    wanted = picture.coarse_decoder(picture.from_code(codes))
    features = model.picture_features.features(ids).transpose(1, 2).view_as(wanted)
    scale, shift = wanted.std(1, correction=0, keepdim=True), wanted.mean(1, keepdim=True)
    torch.testing.assert_close(features * scale + shift, wanted, atol=1e-4, rtol=1e-4)
    depth = picture.decode(codes.permute(0, 2, 3, 1))[1]
    read = torch.nn.functional.pixel_shuffle(picture.depth_head(features * scale + shift), 2)
    torch.testing.assert_close(read, depth, atol=1e-4, rtol=1e-4)


def test_training_leaves_them_alone_and_learns_to_use_them(build_transformer):
    model = model_with_features(build_transformer).train()
    ids = {"image_ids": torch.randint(8**6, (2, 4)), "video_ids": torch.randint(8**6, (2, 8))}
    model(**ids).loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    trained = {name for name, _ in model.named_parameters() if name.startswith("picture_features")}
    assert trained == {"picture_features.to_hidden.weight"}
    assert model.picture_features.to_hidden.weight.grad.abs().sum() > 0


def test_they_are_saved_and_stay_frozen(build_transformer, tmp_path):
    model = model_with_features(build_transformer)
    model.save_pretrained(tmp_path)
    loaded = CamViGForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(loaded.picture_features.from_code.weight, model.picture_features.from_code.weight)
    assert not loaded.picture_features.coarse_decoder[0].conv1.weight.requires_grad
    assert "picture_features.coarse_decoder.0.conv1.weight" in dict(loaded.named_buffers())
    ids = {"image_ids": torch.randint(8**6, (1, 4)), "video_ids": torch.randint(8**6, (1, 8))}
    assert torch.equal(loaded.eval()(**ids).loss, model(**ids).loss)


def test_other_sizes_are_refused(build_transformer):
    with pytest.raises(ValueError, match="expected picture_feature_size 32 and picture_feature_blocks 2, got others"):
        build_transformer(**FSQ, picture_feature_size=16).set_picture_features(picture_autoencoder())
    with pytest.raises(ValueError, match="got others: picture_feature_size 0"):
        build_transformer(**FSQ).set_picture_features(picture_autoencoder())
    with pytest.raises(StrictDataclassClassValidationError, match="multiple of 8"):
        CamViGConfig(picture_feature_size=12)
