"""`evaluate.load("./metrics/evaluate_modules/motion_kept")`: motion of objects, by `camvig.metrics.motion_kept`."""

import datasets
import evaluate
import numpy as np

from camvig.metrics.bootstrap import known_values
from camvig.metrics.motion_kept import motion_kept

DESCRIPTION = """
How much of the motion of independently moving objects generated clips kept. With r = flow - camera_flow inside the mask of
moving objects: ratio = sum r_gen . r_true / sum |r_true|^2 (1 kept, 0 frozen), cosine = sum r_gen . r_true /
sqrt(sum |r_gen|^2 sum |r_true|^2). Means over the clips in which something moves by itself, which are counted.
"""
INPUTS = """
Args:
    predictions: flow of generated clips, each [T-1, H, W, 2] in pixels, at the pixels of the earlier frame.
    references: flow of the true clips.
    camera_flows: what the true flow would be if the scene stood still.
    moving_masks: [T-1, H, W] of bool, true on independently moving objects.
Returns:
    ratio, cosine, num_clips, num_moving.
"""
CITATION = """
@software{camvig, title={camvig: an open implementation of CamViG (arXiv:2405.13195)}}
"""


class MotionKept(evaluate.Metric):
    def _info(self):
        mask = datasets.List(datasets.List(datasets.List(datasets.Value("bool"))))
        flow = datasets.List(datasets.List(datasets.List(datasets.List(datasets.Value("float32")))))
        flows = {name: flow for name in ("predictions", "references", "camera_flows")}
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({**flows, "moving_masks": mask}),
        )

    def _compute(self, predictions, references, camera_flows, moving_masks):
        clips = [
            motion_kept(*(np.array(flow, np.float32) for flow in flows), np.array(mask, bool))
            for *flows, mask in zip(predictions, references, camera_flows, moving_masks, strict=True)
        ]
        ratios, cosines = (known_values([getattr(clip, name) for clip in clips]).values for name in ("ratio", "cosine"))
        means = [float(values.mean()) if len(values) else float("nan") for values in (ratios, cosines)]
        return {"ratio": means[0], "cosine": means[1], "num_clips": len(clips), "num_moving": len(ratios)}
