"""Optical flow of a clip whose depth or path is not known, as the motion tokenizer takes it: from each frame back to frame 0.

What always holds: the shapes and units are those of `exact_flow.backward_flow`, so exact and estimated clips mix. OpenCV's DIS
estimates frame t against frame 0 directly; where the flow there and back does not lead home, the point counts as not seen
in frame 0. Our choice: the paper's tokenizer needs no flow.
"""

from __future__ import annotations

import cv2
import numpy as np

from .exact_flow import LIMIT

HOME = 0.02  # of the picture's side: how far from home the way there and back may end
SMALLEST_SIDE = 128  # pixels; smaller frames are enlarged, which DIS likes better (see metrics/flow_mse.py)


def estimated_backward_flow(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames [T, H, W, 3] uint8 -> flow [T-1, 2, H, W], visibility and in_front [T-1, H, W], as `exact_flow.backward_flow`."""
    height, width = frames.shape[1:3]
    grown = max(1.0, SMALLEST_SIDE / min(height, width))
    size = (round(width * grown), round(height * grown))
    grey = [
        cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_CUBIC) for frame in frames
    ]
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.empty((len(frames) - 1, 2, height, width), np.float32)
    visibility = np.empty((len(frames) - 1, height, width), np.uint8)
    for t, later in enumerate(grey[1:]):
        back, forth = estimator.calc(later, grey[0], None), estimator.calc(grey[0], later, None)  # type: ignore[arg-type]
        back, forth = (each / np.array(size, np.float32) for each in (back, forth))  # in sides of the picture
        seen = _leads_home(back, forth)
        small = cv2.resize(back, (width, height), interpolation=cv2.INTER_AREA)
        flow[t] = small.clip(-LIMIT, LIMIT).transpose(2, 0, 1)
        visibility[t] = cv2.resize(seen.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 0.5
    return flow, visibility, np.ones_like(visibility)


def _leads_home(back: np.ndarray, forth: np.ndarray) -> np.ndarray:
    """Whether following `back` and then `forth` (both [H, W, 2], in sides of the picture) ends where it began, [H, W]."""
    height, width = back.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = columns + back[..., 0] * width, rows + back[..., 1] * height
    returned = cv2.remap(forth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return inside & (np.linalg.norm(back + returned, axis=-1) <= HOME)
