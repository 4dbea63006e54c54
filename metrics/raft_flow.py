"""Optical flow by RAFT (arXiv 2003.12039) of torchvision, for whoever has its weights; nothing is ever downloaded.

Needs `pip install "camvig[raft]"` and the weights of `raft_large` in torch's own folder (`torch.hub.get_dir()`/checkpoints;
torchvision's `raft_large(weights=Raft_Large_Weights.C_T_SKHT_V2)` puts them there). Frames are resized so that the shorter
side has 256 pixels and both sides are multiples of 8 (our choice: RAFT needs at least 128).
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .clip_arrays import check_clip

WEIGHTS = "raft_large_C_T_SKHT_V2-ff5fadd5.pth"
ESTIMATION_SIZE = 256  # pixels of the shorter side
MULTIPLE = 8  # pixels, of both sides: what RAFT's encoder divides by


def raft_flow(frames: np.ndarray) -> np.ndarray:  # [T, H, W, 3] uint8 -> [T-1, H, W, 2] float32
    """Forward flow as `flow_mse.dis_flow` gives it. ImportError without torchvision, FileNotFoundError without weights."""
    check_clip(frames)
    import torch

    model = _raft(_weights_file())
    height, width = frames.shape[1:3]
    grown = ESTIMATION_SIZE / min(height, width)
    size = tuple(MULTIPLE * round(side * grown / MULTIPLE) for side in (width, height))
    interpolation = cv2.INTER_CUBIC if grown > 1 else cv2.INTER_AREA
    pictures = np.stack([cv2.resize(frame, size, interpolation=interpolation) for frame in frames])
    inputs = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1  # [T, 3, h, w]
    back = np.array([width / size[0], height / size[1]], np.float32)
    flows = []
    with torch.inference_mode():
        for earlier, later in pairwise(inputs.split(1)):
            found = model(earlier, later)[-1][0].permute(1, 2, 0).numpy()  # [h, w, 2], the last refinement
            flows.append(cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA) * back)
    return np.stack(flows)


def _weights_file() -> Path:
    import torch

    file = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not file.is_file():
        raise FileNotFoundError(f"expected RAFT's weights in {file}, got no such file (torchvision publishes them)")
    return file


@cache
def _raft(weights: Path) -> Any:
    try:
        from torchvision.models.optical_flow import raft_large  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:  # torchvision of another torch raises RuntimeError
        raise ImportError(f'expected a torchvision that fits torch (pip install "camvig[raft]"): {error}') from None
    import torch

    model = raft_large(weights=None)
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval()
