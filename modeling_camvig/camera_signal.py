"""A camera path as a 1-D signal and back: the "audio" the camera codec hears (CamViG section 3; the layout is ours).

The paper flattens a path into a 1-D array and leaves its layout open. Ours, for poses t = 0..T-1 in time order, is 8
values a pose, each held for `samples_per_value` (S) samples, so value v of pose t fills samples
`(8 t + v) S .. (8 t + v + 1) S - 1`:

| v     | value                                                                                | divided by          |
| ----- | ------------------------------------------------------------------------------------ | ------------------- |
| 0..2  | camera centre x, y, z: scene depths, from the first centre, in the first camera's axes | `translation_scale` |
| 3..5  | rotation vector x, y, z: radians, turns camera t's axes into camera 0's              | `rotation_scale`    |
| 6     | log(fx / `reference_focal`)                                                          | `log_focal_scale`   |
| 7     | log(fy / `reference_focal`)                                                          | `log_focal_scale`   |

With S = 2 and the default scales a second pose 0.3 scene depths forward, panned right by 0.4 radians, at
fx = fy = `reference_focal`, reads `0 0  0 0  0.4 0.4  0 0  0.5 0.5  0 0  0 0  0 0`.

A path is made relative to its first pose on the way in, so what comes back is the relative path: for a path whose first
pose is the identity, and whose rotations stay under 180 degrees, the round trip is exact to float precision. The
principal point is not carried: it must be the picture's centre. Values are never clipped; the codec is trained on about
[-1, 1]. Everything is differentiable, at the identity and near half a turn too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera_spectrum import spectrum_to_values, values_to_spectrum
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig

VALUES_PER_POSE = 8
PRINCIPAL_POINT_TOLERANCE = 1e-3


def poses_to_signal(camera_to_world: Tensor, intrinsics: Tensor, config: CamViGCameraTokenizerConfig) -> Tensor:
    """camera_to_world `[B, T, 4, 4]` (scene depths), intrinsics `[B, T, 4]` -> signal `[B, 1, T * 8 * S + padding]`.

    Raises:
        ValueError: the principal point is not the picture's centre.
    """
    centre_error = (intrinsics[..., 2:] - 0.5).abs().max()
    if not centre_error <= PRINCIPAL_POINT_TOLERANCE:
        raise ValueError(f"expected the principal point at (0.5, 0.5), got one {float(centre_error):.4g} away from it")
    world_to_first = camera_to_world[:, :1, :3, :3].transpose(-1, -2)  # [B, 1, 3, 3]
    rotation = world_to_first @ camera_to_world[..., :3, :3]  # [B, T, 3, 3]
    offset = camera_to_world[..., :3, 3] - camera_to_world[:, :1, :3, 3]
    translation = (world_to_first @ offset[..., None])[..., 0]  # [B, T, 3]
    log_focal = (intrinsics[..., :2] / config.reference_focal).log()  # [B, T, 2]
    values = torch.cat([translation, matrix_to_rotation_vector(rotation), log_focal], dim=-1)
    values = values_to_spectrum(values) if config.signal_layout == "spectrum" else values / _scales(config, values)
    held = values.flatten(1).repeat_interleave(config.samples_per_value, dim=1)
    return F.pad(held, (0, config.padding_samples))[:, None]


def signal_to_poses(signal: Tensor, config: CamViGCameraTokenizerConfig) -> tuple[Tensor, Tensor]:
    """signal `[B, 1, samples]` -> camera_to_world `[B, T, 4, 4]`, intrinsics `[B, T, 4]`; T is `num_poses`.

    A value is the mean over its held samples. A codec may lose samples at the end (33,912 of 34,000 in the paper's
    geometry): then the last value is the mean over those that are left.
    """
    values = read_values(signal, config)  # [B, T, 8]
    values = spectrum_to_values(values) if config.signal_layout == "spectrum" else values * _scales(config, values)
    camera_to_world = torch.eye(4, dtype=signal.dtype, device=signal.device).repeat(*values.shape[:2], 1, 1)
    camera_to_world[:, 1:, :3, :3] = rotation_vector_to_matrix(values[:, 1:, 3:6])
    camera_to_world[:, 1:, :3, 3] = values[:, 1:, :3]
    focal = values[..., 6:].exp() * config.reference_focal
    return camera_to_world, torch.cat([focal, torch.full_like(focal, 0.5)], dim=-1)


def read_values(signal: Tensor, config: CamViGCameraTokenizerConfig) -> Tensor:
    """signal `[B, 1, samples]` -> the scaled values it holds `[B, T, 8]`.

    Each is the mean over the middle half of its samples, since codecs ring at the steps, as far as they exist.

    Raises:
        ValueError: more samples than a path has, or so few that a value has none.
    """
    num_values, held, samples = config.num_poses * VALUES_PER_POSE, config.samples_per_value, signal.shape[-1]
    full = num_values * held
    least, most = full - held + config.first_read + 1, full + config.padding_samples
    if signal.ndim != 3 or signal.shape[1] != 1 or not least <= samples <= most:
        raise ValueError(f"expected signal [B, 1, {least}..{most}], got {list(signal.shape)}")
    read = slice(config.first_read, held - config.first_read)
    exists = torch.arange(full, device=signal.device).view(num_values, held)[:, read] < samples
    middles = F.pad(signal[:, 0], (0, full - samples)).unflatten(1, (num_values, held))[..., read]
    return (middles.sum(-1) / exists.sum(-1)).unflatten(1, (config.num_poses, VALUES_PER_POSE))


def _scales(config: CamViGCameraTokenizerConfig, like: Tensor) -> Tensor:
    """What each of a pose's 8 values is divided by."""
    return like.new_tensor([config.translation_scale] * 3 + [config.rotation_scale] * 3 + [config.log_focal_scale] * 2)


def rotation_vector_to_matrix(rotation_vector: Tensor) -> Tensor:
    """Rotation vectors `[..., 3]` in radians -> matrices `[..., 3, 3]` (Rodrigues), smooth at zero."""
    x, y, z = rotation_vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    angle_squared = rotation_vector.square().sum(-1)
    is_small = angle_squared < 1e-6
    angle = torch.where(is_small, 1.0, angle_squared).sqrt()  # the series below holds where it is small
    sine_ratio = torch.where(is_small, 1 - angle_squared / 6, angle.sin() / angle)
    half_ratio = torch.where(is_small, 1 - angle_squared / 24, (angle / 2).sin() / (angle / 2))
    identity = torch.eye(3, dtype=cross.dtype, device=cross.device)
    return identity + sine_ratio[..., None, None] * cross + (half_ratio.square() / 2)[..., None, None] * (cross @ cross)


def matrix_to_rotation_vector(rotation: Tensor) -> Tensor:
    """Matrices `[..., 3, 3]` -> rotation vectors `[..., 3]` in radians, at most pi long; smooth at the identity."""
    return quaternion_to_rotation_vector(matrix_to_quaternion(rotation))


def quaternion_to_rotation_vector(quaternion: Tensor) -> Tensor:
    """Unit quaternions `[..., 4]` (w, x, y, z) -> rotation vectors `[..., 3]` in radians, at most pi long."""
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)  # the turn of at most pi
    w, vector = quaternion[..., 0], quaternion[..., 1:]
    sine_squared = vector.square().sum(-1)  # of half the angle
    is_small = sine_squared < 1e-6
    sine = torch.where(is_small, 1.0, sine_squared).sqrt()
    ratio = torch.where(is_small, 2 + sine_squared / 3, 2 * torch.atan2(sine, w) / sine)
    return ratio[..., None] * vector


def matrix_to_quaternion(rotation: Tensor) -> Tensor:
    """Matrices `[..., 3, 3]` -> unit quaternions `[..., 4]` (w, x, y, z), read off the best-conditioned of four rows.

    The entries give the outer product of the quaternion with itself, times 4; its rows are the quaternion times 4 w,
    4 x, 4 y and 4 z, and the row with the largest of these is normalised (Shepperd's method).
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in rotation.unbind(-2))
    rows = [
        torch.stack([1 + xx + yy + zz, zy - yz, xz - zx, yx - xy], dim=-1),
        torch.stack([zy - yz, 1 + xx - yy - zz, xy + yx, xz + zx], dim=-1),
        torch.stack([xz - zx, xy + yx, 1 - xx + yy - zz, yz + zy], dim=-1),
        torch.stack([yx - xy, xz + zx, yz + zy, 1 - xx - yy + zz], dim=-1),
    ]
    outer = torch.stack(rows, dim=-2)  # [..., 4, 4]
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    return F.normalize(outer.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :], dim=-1)
