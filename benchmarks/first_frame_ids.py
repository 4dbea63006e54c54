"""Do the ids of a picture agree with those of the first latent frame of its videos, and what does it matter?

    python benchmarks/first_frame_ids.py [--tokenizer FOLDER] [--clips 4]

FOLDER is a saved visual tokenizer of kind "plain", such as `camvig convert-tokenizer` writes; without it, small untrained
networks of each architecture are measured, whose PSNR means nothing. Clips are rooms of the validation split. One JSON line
each: the share of first-frame ids and of their digits that differ between the picture alone and the whole clip, and of digits
between the picture held still for a whole clip and the clip; the PSNR of the clip decoded from its own ids, and with the
picture's ids in the place of its first latent frame (as in generation); and the share of ids that rounding the weights to
bfloat16 changes (caches and assembled checkpoints round our own networks so, and leave open weights in float32).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.open_weights import OPEN_WEIGHTS
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from camvig.pipelines.checkpoint_folder import load_component
from camvig.training_scripts.visual_validation import video_psnr

SMALL = {"image_size": 64, "hidden_sizes": (32, 64, 64, 128), "blocks_per_level": 1}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--clips", type=int, default=4)
    options = parser.parse_args()
    for name, tokenizer in tokenizers_of(options.tokenizer):
        print(json.dumps({"benchmark": "first_frame_ids", "tokenizer": name, **measure(tokenizer, options.clips)}))


def tokenizers_of(folder: Path | None):
    if folder is not None:
        yield str(folder), load_component(CamViGVisualTokenizer, folder, torch.float32).eval()
        return
    for settings in ({}, *(origin.config for origin in OPEN_WEIGHTS.values())):
        config = CamViGVisualTokenizerConfig(**{**settings, **SMALL})
        torch.manual_seed(0)
        yield f"{config.architecture}, small and untrained", CamViGVisualTokenizer(config).eval()


@torch.no_grad()
def measure(tokenizer: CamViGVisualTokenizer, clips: int) -> dict:
    frames = np.stack([clip.frames for clip in room_clips("validation", clips, size=tokenizer.config.image_size)])
    video = torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 127.5 - 1  # [B, 3, T, H, W]
    ids, picture = tokenizer.encode(video), tokenizer.encode(video[:, :, :1])
    as_generated = torch.cat([picture, ids[:, 1:]], dim=1)
    quantizer = tokenizer.autoencoder.quantizer
    still = tokenizer.encode(video[:, :, :1].expand_as(video))[:, :1]
    digits, picture_digits, still_digits = (quantizer.ids_to_codes(each) for each in (ids[:, :1], picture, still))
    psnr = {
        name: video_psnr(tokenizer.decode(each).video, video)
        for name, each in (("psnr", ids), ("psnr_with_picture_ids", as_generated))
    }
    rounded = tokenizer.to(torch.bfloat16).float().encode(video)
    return {
        "clips": clips,
        "first_frame_ids_differ": share(ids[:, :1] != picture),
        "first_frame_digits_differ": share(digits != picture_digits),
        "first_frame_digits_differ_held_still": share(digits != still_digits),
        **{name: round(value, 2) for name, value in psnr.items()},
        "distinct_ids": len(ids.unique()),
        "bfloat16_ids_differ": share(rounded != ids),
    }


def share(differ: torch.Tensor) -> float:
    return round(float(differ.float().mean()), 4)


if __name__ == "__main__":
    main()
