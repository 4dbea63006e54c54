"""`evaluate.load("./metrics/evaluate_modules/frame_quality")`: PSNR, SSIM and a perceptual distance of clips."""

import datasets
import evaluate
import numpy as np
import torch

from camvig.metrics.frame_quality import mean_psnr, psnr, ssim
from camvig.metrics.perceptual_distance import perceptual_distance

DESCRIPTION = """
How well the frames of generated clips match the true ones; frame 0, the user's own picture, never counts. PSNR =
10 log10(255^2 / mean squared error) in dB, over all pixels of a clip; SSIM (Gaussian window of 11 pixels), 1 for equal
frames; perceptual distance: squared distance of unit features of EfficientNet-Lite0, 0 for equal frames. Means over clips;
clips with all pixels equal have no finite PSNR and are counted.
"""
INPUTS = """
Args:
    predictions: generated clips, each frames [T, H, W, 3] of uint8 with sides of 16 pixels or more.
    references: true clips of the same shapes.
Returns:
    psnr (dB), ssim, perceptual_distance, num_clips, num_identical (left out of psnr).
"""
CITATION = """
@article{wang2004ssim, title={Image quality assessment: from error visibility to structural similarity},
  author={Wang, Zhou and Bovik, Alan and Sheikh, Hamid and Simoncelli, Eero},
  journal={IEEE Transactions on Image Processing}, year={2004}}
"""


class FrameQuality(evaluate.Metric):
    def _info(self):
        clip = datasets.List(datasets.List(datasets.List(datasets.List(datasets.Value("uint8")))))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": clip, "references": clip}),
        )

    def _compute(self, predictions, references):
        pairs = [tuple(np.array(clip, np.uint8) for clip in pair) for pair in zip(predictions, references, strict=True)]
        decibels = mean_psnr([psnr(*pair) for pair in pairs])
        return {
            "psnr": decibels.mean,
            "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
            "perceptual_distance": float(np.mean([_perceptual(*pair) for pair in pairs])),
            "num_clips": len(pairs),
            "num_identical": decibels.num_identical,
        }


def _perceptual(generated, truth):
    images = [torch.from_numpy(clip[1:]).permute(0, 3, 1, 2).float() / 127.5 - 1 for clip in (generated, truth)]
    with torch.inference_mode():
        return perceptual_distance(*images).mean().item()
