"""A procedural room as arrays: what the renderer reads, and where a camera may be.

Metres; OpenCV-like axes (y points down): the floor is y = 0 and the ceiling y = -height. All solids lie inside the shell; a
camera may be anywhere in the shell but in a solid box.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RoomScene:
    """Everything the renderer needs; N boxes, L lights, K openings; shell faces are -x, +x, ceiling, floor, -z, +z."""

    split: str
    scene_seed: int
    shell: np.ndarray  # [6] x0, x1, y0 (ceiling), y1 (floor, 0), z0, z1
    shell_textures: np.ndarray  # [6] int32
    shell_scale: np.ndarray  # [6] texture repeats a metre
    shell_tint: np.ndarray  # [6, 3]
    boxes: np.ndarray  # [N, 8] centre xyz, half size xyz, cos yaw, sin yaw
    box_textures: np.ndarray  # [N, 2] int32: sides, top and bottom
    box_scale: np.ndarray  # [N] texture repeats a metre
    box_tint: np.ndarray  # [N, 3]
    box_emission: np.ndarray  # [N] 0 = lit by the lights, else its own brightness
    box_is_picture: np.ndarray  # [N] bool: the texture is fitted to the face
    box_is_solid: np.ndarray  # [N] bool: casts shadows and stops the camera
    lights: np.ndarray  # [L, 3]
    light_colour: np.ndarray  # [L, 3], strength included
    light_radius: np.ndarray  # [L] metres; the softness of shadows
    openings: np.ndarray  # [K, 3] middles of the doorways and hatches inside the shell
    doorways: np.ndarray  # [D, 2, 3] the two jambs of each doorway, at the middle of the wall, their height as -y

    def clearance_is_free(self, points: np.ndarray, margin: float) -> np.ndarray:
        """Tells for points [P, 3] whether each stays more than `margin` metres away from the shell and all solids."""
        low, high = self.shell[0::2] + margin, self.shell[1::2] - margin
        inside = np.all((points > low) & (points < high), axis=1)
        solid = self.boxes[self.box_is_solid]
        offset = points[:, None] - solid[None, :, :3]
        cosine, sine = solid[:, 6], solid[:, 7]
        local_x = cosine * offset[..., 0] + sine * offset[..., 2]
        local_z = cosine * offset[..., 2] - sine * offset[..., 0]
        local = np.stack([local_x, offset[..., 1], local_z], axis=-1)
        beyond = np.maximum(np.abs(local) - solid[:, 3:6], 0.0)
        return inside & np.all((beyond**2).sum(-1) > margin**2, axis=1)
