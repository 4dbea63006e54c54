"""Draws clips of rooms with moving objects, and their exact flow split into the camera's part and the objects', for docs/data.md.

python benchmarks/draw_moving_objects.py [--scenes 1 22 24 28] [--out docs/moving_objects.jpg]

A row a clip: frames 0, 4, 8, 12, then the flow from frame 8 to 9: total, the camera's part, the objects' part. The hue is the
direction, the strength of colour the length, up to the longest of the row.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from camvig.dataset_builders.exact_flow import forward_flow_parts
from camvig.dataset_builders.rooms.room_clips import room_clip

SHOWN_FRAMES, FLOW_FRAME = (0, 4, 8, 12), 8


def flow_colours(flow: np.ndarray, longest: float) -> np.ndarray:
    """Flow [H, W, 2] -> picture [H, W, 3] uint8 RGB; white where nothing moves."""
    hue = (np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360) / 2
    strength = np.clip(np.linalg.norm(flow, axis=-1) / longest, 0, 1) * 255
    hsv = np.stack([hue, strength, np.full_like(hue, 255)], -1).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def row_of(scene: int, split: str, size: int) -> np.ndarray:
    clip = room_clip(split, scene, 0, size, moving_objects=2)
    flow = forward_flow_parts(clip.depth, clip.camera_to_world, clip.intrinsics, clip.object_ids, clip.object_to_world)
    parts = [part[FLOW_FRAME] for part in (flow.total, flow.camera, flow.objects)]
    longest = float(np.quantile(np.linalg.norm(parts[0], axis=-1), 0.995))
    print(f"{split}/{scene}: {clip.move}, {', '.join(clip.object_kinds)}, longest flow {longest:.1f} px")
    return np.concatenate(
        [*(clip.frames[time] for time in SHOWN_FRAMES), *(flow_colours(part, longest) for part in parts)], axis=1
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, nargs="+", default=[1, 22, 24, 28])
    parser.add_argument("--split", default="train")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--out", type=Path, default=Path("docs/moving_objects.jpg"))
    options = parser.parse_args()
    sheet = np.concatenate([row_of(scene, options.split, options.size) for scene in options.scenes])
    cv2.imwrite(str(options.out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
