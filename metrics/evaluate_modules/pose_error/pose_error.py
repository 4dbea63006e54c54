"""`evaluate.load("./metrics/evaluate_modules/pose_error")`: errors of camera paths, by `camvig.metrics.pose_errors`."""

import datasets
import evaluate
import numpy as np

from camvig.metrics.pose_errors import mean_pose_errors, pose_errors

DESCRIPTION = """
How far camera paths are from the true ones, both relative to their own first pose. RotErr = sum over poses of
arccos((tr(R_gen R_gt^T) - 1) / 2) in radians; TransErr of CameraCtrl = sum of squared distances, each path over the gap of
its first two poses; TransErr of CamI2V ("rel") = sum of distances, each path over its own farthest distance; CamMC of CamI2V
= sum of the L2 norms of [R, t]_gen - [R, t]_gt; and means that need no common scale. Means over clips; translation is left
out where the true camera hardly translates; clips without poses are counted as failures.
"""
INPUTS = """
Args:
    predictions: recovered camera-to-world poses [T, 4, 4] a clip; an empty list for a clip whose poses were not recovered.
    references: true camera-to-world poses [T, 4, 4] a clip, in scene depths.
    least_travel: scene depths; a true camera that stays nearer to its first pose has no translation error (0.02).
Returns:
    the errors by the names of PoseErrors, num_NAME (clips that each is over), num_clips, num_failed, success_rate.
"""
CITATION = """
@article{he2024cameractrl, title={CameraCtrl: Enabling Camera Control for Text-to-Video Generation},
  author={He, Hao and others}, journal={arXiv:2404.02101}, year={2024}}
@article{zheng2024cami2v, title={CamI2V: Camera-Controlled Image-to-Video Diffusion Model},
  author={Zheng, Guangcong and others}, journal={arXiv:2410.15957}, year={2024}}
"""


class PoseError(evaluate.Metric):
    def _info(self):
        path = datasets.List(datasets.List(datasets.List(datasets.Value("float64"))))
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": path, "references": path}),
        )

    def _compute(self, predictions, references, least_travel=0.02):
        result = mean_pose_errors(
            pose_errors(np.array(found), np.array(truth), least_travel=least_travel) if len(found) else None
            for found, truth in zip(predictions, references, strict=True)
        )
        counts = {f"num_{name}": count for name, count in result.counts.items()}
        totals = {name: getattr(result, name) for name in ("num_clips", "num_failed", "success_rate")}
        return {**result.means, **counts, **totals}
