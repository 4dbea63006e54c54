"""`evaluate.load("./metrics/evaluate_modules/flow_mse")`: optical-flow MSE over clips, by `camvig.metrics.flow_mse`."""

import datasets
import evaluate
import numpy as np

from camvig.metrics.bootstrap import bootstrap_interval, known_values
from camvig.metrics.flow_mse import flow, flow_cosine, flow_mse_between, motion_ratio, normalised_flow_mse

DESCRIPTION = """
Optical-flow MSE of generated clips against true ones: mean over pixels and frames of |f_generated - f_true|^2, in square
pixels of the given frames, with f by OpenCV's DIS (or RAFT); the mean over clips with its bootstrap 95% interval. Also:
over the truth's mean |f_true|^2 (normalised; 1 is a static clip), cosine and ratio along the true flow. A truth that does
not move has none of these three; num_moving counts the others.
"""
INPUTS = """
Args:
    predictions: generated clips, each frames [T, H, W, 3] of uint8.
    references: true clips of the same shapes.
    estimator: "dis" (default) or "raft".
Returns:
    flow_mse (px^2), flow_mse_low, flow_mse_high, normalised_flow_mse, flow_cosine, motion_ratio, num_clips, num_moving.
"""
CITATION = """
@article{marmon2024camvig, title={CamViG: Camera Aware Image-to-Video Generation with Multimodal Transformers},
  author={Marmon, Andrew and others}, journal={arXiv:2405.13195}, year={2024}}
"""


class FlowMse(evaluate.Metric):
    def _info(self):
        clip = datasets.List(datasets.List(datasets.List(datasets.List(datasets.Value("uint8")))))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": clip, "references": clip}),
        )

    def _compute(self, predictions, references, estimator="dis"):
        pairs = [
            tuple(flow(np.array(clip, np.uint8), estimator) for clip in pair)
            for pair in zip(predictions, references, strict=True)
        ]
        errors = [flow_mse_between(*pair) for pair in pairs]
        low, high = bootstrap_interval(errors)
        result = {"flow_mse": float(np.mean(errors)), "flow_mse_low": low, "flow_mse_high": high}
        for metric in (normalised_flow_mse, flow_cosine, motion_ratio):
            known = known_values([metric(*pair) for pair in pairs]).values
            result[metric.__name__] = float(known.mean()) if len(known) else float("nan")
        return {**result, "num_clips": len(pairs), "num_moving": len(known)}
