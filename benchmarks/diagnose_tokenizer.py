"""What limits a motion tokenizer's reconstruction? PSNR and flow MSE over static with parts of it replaced by the truth.

    python benchmarks/diagnose_tokenizer.py --checkpoint checkpoints/camvig-tiny/visual_tokenizer [--split validation] [--clips 64]

One JSON line a variant: what is decoded from the ids; its moved picture alone, beyond whose edges lies their last pixel or its
mirror image; the same by the exact flow; and the decoded or exactly moved pixels with true hidden ones. Flow MSE also where
frame 0 shows the pixel (seen) and where not (hidden), in px^2. The test split is for reporting, not for choosing.
"""

import argparse
import json

import numpy as np
import torch

from camvig import CamViGVisualTokenizer
from camvig.metrics.flow_mse import dis_flow
from camvig.modeling_camvig.motion_layers import warp
from camvig.training_scripts.visual_validation import chunks, flow_mse_ratio, to_uint8, validation_batch, video_psnr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="checkpoints/camvig-tiny/visual_tokenizer")
    parser.add_argument("--split", default="validation", choices=["train", "validation", "test"])
    parser.add_argument("--clips", type=int, default=64)
    options = parser.parse_args()
    model = CamViGVisualTokenizer.from_pretrained(options.checkpoint).float().eval()
    if model.config.kind != "motion":
        parser.error(f"expected a tokenizer of kind 'motion', got {model.config.kind!r}")
    batch = validation_batch(options.split, options.clips, model.config.image_size)
    parts = [variants(model, part) for part in chunks(batch)]
    for name in parts[0]:
        video = torch.cat([part[name] for part in parts])
        score = {
            "psnr": video_psnr(video, batch["video"]),
            "psnr_hidden": video_psnr(video, batch["video"], batch["visibility"][:, :, 0] == 0),
            **flow_by_region(video, batch),
            "flow_mse_over_static": flow_mse_ratio(video, batch["video"]),
        }
        print(json.dumps({"benchmark": "diagnose_tokenizer", "decoded": name, **score}), flush=True)
    hidden = float(np.mean(1 - batch["visibility"].numpy()))
    print(json.dumps({"benchmark": "diagnose_tokenizer", "split": options.split, "hidden_share": hidden}))


def flow_by_region(video: torch.Tensor, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Flow MSE over all pixels that frame 0 shows, and over those that it does not, of all clips together."""
    hidden = batch["visibility"][:, :, 0].numpy() == 0  # of frames 1.., as flows from frames 1.. on
    pairs = zip(to_uint8(video).numpy(), to_uint8(batch["video"]).numpy(), strict=True)
    errors = np.stack([np.square(dis_flow(one) - dis_flow(true)).sum(-1)[1:] for one, true in pairs])
    return {"seen": float(errors[~hidden[:, :-1]].mean()), "hidden": float(errors[hidden[:, :-1]].mean())}


@torch.no_grad()
def variants(model: CamViGVisualTokenizer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Name -> video `[B, 3, T, H, W]`; frame 0 is always the true one."""
    truth, picture = batch["video"][:, :, 1:], batch["video"][:, :, 0]
    decoded = model.decode(model.encode(batch["video"], batch["flow"], batch["visibility"]), picture)
    assert decoded.flow is not None
    ids, moved = decoded.video[:, :, 1:], warp(picture, decoded.flow).transpose(1, 2)
    exact = warp(picture, batch["flow"]).transpose(1, 2)
    mirrored, exact_mirrored = (
        warp(picture, flow, padding_mode="reflection").transpose(1, 2) for flow in (decoded.flow, batch["flow"])
    )
    visible = batch["visibility"].transpose(1, 2)
    videos = {
        "ids": ids,
        "decoded flow, moved picture alone": moved,
        "decoded flow, moved picture and its mirror image": mirrored,
        "exact flow, moved picture alone": exact,
        "exact flow, moved picture and its mirror image": exact_mirrored,
        "ids, true hidden pixels": visible * ids + (1 - visible) * truth,
        "exact flow where visible, ids where hidden": visible * exact + (1 - visible) * ids,
        "exact flow, true hidden pixels": visible * exact + (1 - visible) * truth,
    }
    return {name: torch.cat([picture[:, :, None], video], dim=2) for name, video in videos.items()}


if __name__ == "__main__":
    main()
