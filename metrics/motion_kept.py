"""How much of the motion of independently moving objects a generated clip kept: 1 is all, 0 is a frozen object.

What moves by itself is what the camera does not explain: the residual of the flow over the camera's flow, inside the mask of
the moving objects. Our choice; the paper has no such measure. All flows are [T-1, H, W, 2] in pixels, at the pixels of frame t
for t -> t + 1, and belong to the TRUE clip's camera and depth: so a generated clip that follows its camera badly gets residuals
from there too, and an object that is generated in another place counts as frozen. Read it beside the flow MSE of the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .clip_arrays import check_flows, check_mask
from .flow_mse import LEAST_POWER


class MotionKept(NamedTuple):
    """Of one clip; NaN where nothing moves by itself (no pixel in the mask, or a residual below `LEAST_POWER`)."""

    ratio: float  # sum r_gen . r_true / sum |r_true|^2: 1 kept, 0 frozen, above 1 too much, -1 the opposite
    cosine: float  # sum r_gen . r_true / sqrt(sum |r_gen|^2 sum |r_true|^2), -1..1; 0 where the generated residual is 0
    num_pixels: int  # in the mask, over all frames


def motion_kept(
    generated_flow: np.ndarray, true_flow: np.ndarray, camera_flow: np.ndarray, moving_mask: np.ndarray
) -> MotionKept:
    """Residuals r = flow - camera_flow, compared inside `moving_mask` [T-1, H, W] bool (of the flow's source pixels).

    camera_flow is what the true flow would be if the scene stood still (exact, from depth and poses).
    """
    check_flows(generated_flow, true_flow)
    check_flows(camera_flow, true_flow)
    check_mask(moving_mask, true_flow, "moving_mask")
    camera = camera_flow[moving_mask].astype(np.float64)  # [N, 2]
    generated, truth = generated_flow[moving_mask] - camera, true_flow[moving_mask] - camera
    num_pixels = len(truth)
    if num_pixels == 0 or np.square(truth).sum() < LEAST_POWER * num_pixels:
        return MotionKept(float("nan"), float("nan"), num_pixels)
    product, power, generated_power = (truth * generated).sum(), np.square(truth).sum(), np.square(generated).sum()
    cosine = product / np.sqrt(power * generated_power) if generated_power > 0 else 0.0
    return MotionKept(float(product / power), float(cosine), num_pixels)
