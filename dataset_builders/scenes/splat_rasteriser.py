"""Draws Gaussian splats in numba: the projection and blending of 3DGS, fast enough on a CPU to make clips from.

Scenes are fitted to pictures of a thousand pixels and more; here they are drawn much smaller, where the low-pass of 3DGS makes
everything fat and bright. So opacities are lowered by as much as the low-pass widens a Gaussian (Yu et al. 2024, "Mip-Splatting",
section 4.2; gsplat's "antialiased"): closer to a large picture made small, by eye and in PSNR.

What always holds: the result equals `splat_reference.py`, which says the same in plain torch and is checked against
known answers, up to rounding. Kernels run serially without the GIL; `rasterise` spreads frames over threads.

A frame is two passes. `_project` puts each Gaussian on the screen and gives it its colour from there; those that cannot
reach 1/255 of opacity in any pixel's centre are left out. `_blend` takes them from the nearest to the farthest
and adds each to the pixels of its ellipse. That needs no tiles: the few planes of a small picture stay in the cache.
The kernels stay in one file because numba's cache does not notice changes in functions of other files.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from .gaussian_splats import GaussianSplats

NEAR = 0.01  # in the scene's unit, as in gsplat: Gaussians with centres nearer than this are not drawn
LOW_PASS = 0.3  # px^2, added to the variances on the screen, as in 3DGS; the opacity falls by the same factor
LOWEST_ALPHA, HIGHEST_ALPHA = 1 / 255, 0.999  # of one Gaussian at one pixel: below, it is left out; above, clipped
LOWEST_TRANSMITTANCE = 1e-4  # a pixel that lets less through is finished
FIELD_MARGIN = 0.3  # half pictures; where a Gaussian's centre is farther out, the projection is linearised at this edge
_COLUMNS = 8  # of `screen`: x, y, inverse covariance xx, xy, yy, opacity, half height, squared reach
_jit = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


@_jit
def _colour(harmonics, x, y, z, channel):
    """0.5 + the harmonics [K, 3] of one Gaussian in the unit direction (x, y, z) from the camera to it; 0 at least."""
    count = harmonics.shape[0]
    value = np.float32(0.5) + np.float32(0.28209479) * harmonics[0, channel]
    if count > 1:
        value += np.float32(0.48860251) * (
            -y * harmonics[1, channel] + z * harmonics[2, channel] - x * harmonics[3, channel]
        )
    if count > 4:
        xx, yy, zz = x * x, y * y, z * z
        value += np.float32(1.09254843) * (
            x * y * harmonics[4, channel] - y * z * harmonics[5, channel] - x * z * harmonics[7, channel]
        )
        value += np.float32(0.31539157) * (2 * zz - xx - yy) * harmonics[6, channel]
        value += np.float32(0.54627422) * (xx - yy) * harmonics[8, channel]
        if count > 9:
            value += np.float32(0.59004359) * (
                -y * (3 * xx - yy) * harmonics[9, channel] - x * (xx - 3 * yy) * harmonics[15, channel]
            )
            value += np.float32(2.89061144) * x * y * z * harmonics[10, channel]
            value -= (
                np.float32(0.4570458) * (4 * zz - xx - yy) * (y * harmonics[11, channel] + x * harmonics[13, channel])
            )
            value += np.float32(0.37317633) * z * (2 * zz - 3 * xx - 3 * yy) * harmonics[12, channel]
            value += np.float32(1.44530572) * z * (xx - yy) * harmonics[14, channel]
    return max(value, np.float32(0.0))


@_jit
def _project(
    positions, covariances, opacities, harmonics, rotation, translation, lens, height, width, screen, depth, rgb
):
    """Fills screen [n, 8], depth [n] and rgb [n, 3] with the n Gaussians that show in a picture; returns n.

    rotation [3, 3] and translation [3] lead from the world to the camera; lens is fx, fy, cx, cy in pixels.
    """
    fx, fy, cx, cy = lens
    margin_x, margin_y = FIELD_MARGIN * width / 2, FIELD_MARGIN * height / 2
    camera = -(rotation.T @ translation)
    jacobian = np.empty((2, 3), np.float32)
    count = 0
    for index in range(positions.shape[0]):
        opacity = opacities[index]
        if opacity < LOWEST_ALPHA:
            continue
        px, py, pz = positions[index]
        z = rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz + translation[2]
        if z < NEAR:
            continue
        u = fx * (rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz + translation[0]) / z
        v = fy * (rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz + translation[1]) / z
        at_u = min(max(u, -cx - margin_x), width - cx + margin_x)
        at_v = min(max(v, -cy - margin_y), height - cy + margin_y)
        for axis in range(3):  # the derivative of (u, v) by the position in the world
            jacobian[0, axis] = (fx * rotation[0, axis] - at_u * rotation[2, axis]) / z
            jacobian[1, axis] = (fy * rotation[1, axis] - at_v * rotation[2, axis]) / z
        xx, xy, yy = 0.0, 0.0, 0.0
        for row in range(3):
            to_x, to_y = np.float32(0.0), np.float32(0.0)
            for column in range(3):
                to_x += covariances[index, row, column] * jacobian[0, column]
                to_y += covariances[index, row, column] * jacobian[1, column]
            xx += jacobian[0, row] * to_x
            xy += jacobian[0, row] * to_y
            yy += jacobian[1, row] * to_y
        sharp, xx, yy = xx * yy - xy * xy, xx + LOW_PASS, yy + LOW_PASS
        determinant = xx * yy - xy * xy
        opacity *= math.sqrt(max(sharp, 0.0) / determinant)
        if opacity < LOWEST_ALPHA:
            continue
        reach = 2 * math.log(opacity / LOWEST_ALPHA)  # of d^T inverse d, where alpha is 1/255
        half_width, half_height = math.sqrt(reach * xx), math.sqrt(reach * yy)
        u, v = u + cx, v + cy
        if (
            u + half_width < 0.5
            or u - half_width > width - 0.5
            or v + half_height < 0.5
            or v - half_height > height - 0.5
        ):
            continue
        entry = screen[count]
        entry[0], entry[1], entry[5], entry[6], entry[7] = u, v, opacity, half_height, reach
        entry[2], entry[3], entry[4] = yy / determinant, -xy / determinant, xx / determinant
        dx, dy, dz = px - camera[0], py - camera[1], pz - camera[2]
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        for channel in range(3):
            rgb[count, channel] = _colour(harmonics[index], dx / length, dy / length, dz / length, channel)
        depth[count] = z
        count += 1
    return count


@_jit
def _blend(order, screen, depth, rgb, picture, depth_sum, transmittance):
    """Adds Gaussians, the nearest first, to picture [H, W, 3] and depth_sum [H, W]; transmittance [H, W] starts at 1."""
    height, width = transmittance.shape
    for index in order:
        u, v, xx, xy, yy, opacity, half_height, reach = screen[index]
        first = max(0, math.ceil(v - half_height - 0.5))
        last = min(height - 1, math.floor(v + half_height - 0.5))
        for row in range(first, last + 1):
            dy = row + np.float32(0.5) - v
            inside = reach * xx - dy * dy * (xx * yy - xy * xy)
            if inside < 0:
                continue
            middle, half = u - xy * dy / xx, math.sqrt(inside) / xx + np.float32(1e-3)
            left = max(0, math.ceil(middle - half - 0.5))
            right = min(width - 1, math.floor(middle + half - 0.5))
            for column in range(left, right + 1):
                through = transmittance[row, column]
                if through < LOWEST_TRANSMITTANCE:
                    continue
                dx = column + np.float32(0.5) - u
                power = np.float32(-0.5) * (xx * dx * dx + yy * dy * dy) - xy * dx * dy
                alpha = min(np.float32(HIGHEST_ALPHA), opacity * math.exp(power))
                if alpha < LOWEST_ALPHA:
                    continue
                weight = alpha * through
                for channel in range(3):
                    picture[row, column, channel] += weight * rgb[index, channel]
                depth_sum[row, column] += weight * depth[index]
                transmittance[row, column] = through - weight


def rasterise(
    splats: GaussianSplats, world_to_camera: np.ndarray, lenses: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw T pictures, one sample at each pixel's centre.

    world_to_camera [T, 4, 4] in the splats' axes, OpenCV cameras; lenses [T, 4] fx, fy, cx, cy in pixels; size is (height,
    width). Returns rgb [T, H, W, 3], at least 0, on black; the expected z-depth, weighted by what each Gaussian adds
    to the pixel and divided by the opacity, [T, H, W], 0 where nothing is; and the opacity [T, H, W]; all float32.
    """
    frames = range(len(world_to_camera))
    arguments = [(splats, world_to_camera[t].astype(np.float32), lenses[t].astype(np.float32), size) for t in frames]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        drawn = list(pool.map(_rasterise_frame, arguments))
    rgb, depth, opacity = (np.stack(planes) for planes in zip(*drawn, strict=True))
    return rgb, depth, opacity


def _rasterise_frame(arguments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    splats, world_to_camera, lens, size = arguments
    screen, depth, rgb = (np.empty((splats.count, *shape), np.float32) for shape in ((_COLUMNS,), (), (3,)))
    world = splats.positions, splats.covariances, splats.opacities, splats.harmonics
    rotation, translation = np.ascontiguousarray(world_to_camera[:3, :3]), np.ascontiguousarray(world_to_camera[:3, 3])
    count = _project(*world, rotation, translation, lens, size[0], size[1], screen, depth, rgb)
    order = _nearest_first(depth[:count])
    picture, depth_sum, transmittance = (
        np.zeros((*size, 3), np.float32),
        np.zeros(size, np.float32),
        np.ones(size, np.float32),
    )
    _blend(order, screen, depth, rgb, picture, depth_sum, transmittance)
    opacity = 1 - transmittance
    return picture, depth_sum / np.maximum(opacity, 1e-6), opacity


def _nearest_first(depth: np.ndarray) -> np.ndarray:
    """The stable order of positive float32 numbers, which is that of their bits: numpy sorts 16 bits at a time by radix."""
    low, high = depth.view(np.uint32).astype(np.uint16), (depth.view(np.uint32) >> 16).astype(np.uint16)
    order = np.argsort(low, kind="stable")
    return order[np.argsort(high[order], kind="stable")]
