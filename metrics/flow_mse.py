"""Optical-flow MSE: how far the motion of a generated clip is from that of the true clip, in square pixels.

The paper judges by the MSE of optical flow and names no estimator, resolution or normalisation: those are our choice,
and fixed here, because numbers of two estimators cannot be compared. It is OpenCV's DIS (preset medium) between grey
frames t and t + 1 that are resized (cubic where they grow) so that their shorter side has 128 pixels; the flow is
averaged back to the frames' own size and counted in their own pixels. Of the estimators tried on 64x64 clips with known
motion, this agreed best with the exact flow (error of 0.05 of the flow's power; 0.12 at 256 pixels).

How to read the number: blur and flicker count as wrong motion (0.17 of a static video's error for twofold blur, 1.8 for
slow flicker), so always show it beside the errors of a static video, of a wrong path and of the tokenizer alone.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from .clip_arrays import check_clip, check_same_shape

ESTIMATION_SIZE = 128  # pixels of the shorter side on which flow is estimated


def dis_flow(frames: np.ndarray) -> np.ndarray:  # [T, H, W, 3] uint8 -> [T-1, H, W, 2] float32
    """Forward flow (x, y) from each frame to the next, at the pixels of the earlier one, in pixels of `frames`."""
    check_clip(frames)
    height, width = frames.shape[1:3]
    grown = ESTIMATION_SIZE / min(height, width)
    size = (round(width * grown), round(height * grown))
    scale_back = np.array([width / size[0], height / size[1]], np.float32)
    interpolation = cv2.INTER_CUBIC if grown > 1 else cv2.INTER_AREA
    grey = [cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=interpolation) for frame in frames]
    flows = np.empty((len(frames) - 1, height, width, 2), np.float32)
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for time, (earlier, later) in enumerate(pairwise(grey)):
        flow = estimator.calc(earlier, later, None)  # type: ignore[arg-type]  # the stubs know no None
        flows[time] = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * scale_back
    return flows


def flow_mse_between(generated_flow: np.ndarray, true_flow: np.ndarray) -> float:
    """Mean over pixels and frames of the squared length of the difference of two flows [..., 2], in px^2."""
    check_same_shape(generated_flow, true_flow)
    return float(np.square(generated_flow - true_flow, dtype=np.float64).sum(axis=-1).mean())


def flow_mse(generated: np.ndarray, truth: np.ndarray) -> float:
    """Flow MSE in px^2 of a generated clip against the true one, both [T, H, W, 3] uint8.

    To compare several clips with one truth, keep `dis_flow(truth)` and use `flow_mse_between`.
    """
    check_same_shape(generated, truth)
    return flow_mse_between(dis_flow(generated), dis_flow(truth))
