"""Rigid flow: how pixels move that show a scene at rest, from the cameras of a path and what is known of depth.

Ids say how pixels move; the path says how they can. Where nothing moves but the camera, a pixel's place in the first picture lies
on its epipolar line, and its inverse depth says where on the line. `fit_inverse_depth` finds the depth of the first picture by
least squares: from the flow of all frames together, where each counts by how much depth moves it, and from what the picture's own
ids tell of depth. Each frame then sees what of it is in front (`first_hit`), and `rigid_flow` makes flow of that again. Always
true: points lie in front of their camera and of the first, and where the cameras only turn or zoom, the flow is that of their
homography, whatever the ids said. The term is that of GeoNet (Yin & Shi 2018); our departure: the paper shows what the ids say.

Coordinates are in widths and heights of the picture. What pixel x of frame t shows, at inverse depth w (1 / z in camera t, in
scene depths), the first picture has at H_t x + w e_t (homogeneous): H_t = K_0 R_t K_t^-1, e_t = K_0 c_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .hidden_canvas import SPAN, read_painted, splat
from .motion_layers import pixel_centres, resize_frames

NEAREST = 0.15
"""Scene depths: no point is taken to be nearer to a camera."""

PRIOR_INFORMATION = 3.0
"""What the picture's own depth counts. A frame counts by the squared change of place, in pictures, with inverse depth."""

ITERATIONS = 3
"""Of the least squares along a line: perspective makes places bend with inverse depth."""

RAY_STEPS = 16
"""Of equal inverse depth, from the nearest point of the scene to infinity."""

SMALLEST = 1e-3
"""Of what is divided by."""


class RigidScene(NamedTuple):
    """What is known of a scene at rest and of the cameras of frames 0 to N = T - 1 that see it; float32."""

    homographies: Tensor  # [B, N, 3, 3], H of frames 1 to N
    epipoles: Tensor  # [B, N, 3], e of frames 1 to N
    inverse_depth: Tensor  # [B, 1, h, w], of the first picture, median 1

    @classmethod
    def of(cls, camera_to_world: Tensor, intrinsics: Tensor, inverse_depth: Tensor) -> RigidScene:
        """Poses `[B, T, 4, 4]` relative to the first, translations in scene depths; intrinsics `[B, T, 4]` normalised."""
        lenses = torch.zeros(*intrinsics.shape[:2], 3, 3, dtype=torch.float64, device=intrinsics.device)
        lenses[..., [0, 1, 0, 1], [0, 1, 2, 2]] = intrinsics.double()
        lenses[..., 2, 2] = 1
        poses = camera_to_world.double()[:, 1:]
        homographies = lenses[:, :1] @ poses[..., :3, :3] @ torch.linalg.inv(lenses[:, 1:])
        epipoles = (lenses[:, :1] @ poses[..., :3, 3:])[..., 0]
        return cls(homographies.float(), epipoles.float(), inverse_depth.float())

    def lines(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """H x of every pixel `[B, N, 3, H, W]`, and e `[B, N, 3, 1, 1]`."""
        x, y = pixel_centres(height, width, self.homographies.device)
        of_x, of_y, of_one = (column[..., None, None] for column in self.homographies.unbind(-1))
        return of_x * x + of_y * y + of_one, self.epipoles[..., None, None]


def rigid_flow(inverse_depth: Tensor, scene: RigidScene, height: int, width: int) -> Tensor:
    """Inverse depth `[B, N, 1, h, w]` of what frames 1 to N show, interpolated -> flow to the first picture `[B, N, 2, H, W]`."""
    far, nearer = scene.lines(height, width)
    places = _places(far + _in_front(resize_frames(inverse_depth, height, width), far, nearer) * nearer)
    return places - pixel_centres(height, width, places.device)


def fit_inverse_depth(flows: Sequence[Tensor], scene: RigidScene) -> Tensor:
    """Opinions on the flow of frames 1 to N to the first picture, `[B, N, 2, g, g]` each -> inverse depth of what each frame shows,
    `[B, N, 1, g, g]`. Several count as one, their mean."""
    size = flows[0].shape[-1]
    far, nearer = scene.lines(size, size)
    sums = torch.stack([_sums(flow, far, nearer) for flow in flows]).mean(0) + _prior_sums(scene.inverse_depth, size)
    return first_hit(sums[:, :, :1] / sums[:, :, 1:], far, nearer)


def _sums(flow: Tensor, far: Tensor, nearer: Tensor) -> Tensor:
    """What flow says of the first picture and what lies around it: inverse depth times information, and information."""
    size = flow.shape[-1]
    inverse_depth, information = _nearest_on_lines(flow + pixel_centres(size, size, flow.device), far, nearer)
    point = far + inverse_depth * nearer
    flow = _places(point) - pixel_centres(size, size, flow.device)
    # The same of the first picture's pixels: 1 / z there, and its information, by the chain rule
    ratio = point[:, :, 2:].clamp(min=SMALLEST)
    information = information * (ratio.square() / far[:, :, 2:].clamp(min=SMALLEST)).square()
    return splat(torch.cat([inverse_depth / ratio * information, information], dim=2), flow, latents=1)


def first_hit(surface: Tensor, far: Tensor, nearer: Tensor) -> Tensor:
    """Where each pixel's ray, coming from its camera, first goes behind a surface: inverse depth `[B, N, 1, g, g]`.

    The surface is inverse depth of the first picture and what lies around it, `[B, 1, 1, SPAN g, SPAN g]`. Within the step that
    hits, it is taken to be a plane.
    """
    height, width = far.shape[-2:]
    nearest, centres = surface.amax((-2, -1), keepdim=True), pixel_centres(height, width, far.device)
    start = _in_front(nearest * far[:, :, 2:] / (1 - nearest * nearer[:, :, 2:]).clamp(min=SMALLEST), far, nearer)
    hit, is_open, before, last = torch.zeros_like(start), torch.ones_like(start, dtype=torch.bool), start, None
    for step in range(RAY_STEPS + 1):
        here = start * (1 - step / RAY_STEPS)
        point = far + here * nearer
        behind = read_painted(surface, _places(point) - centres) - here / point[:, :, 2:].clamp(min=SMALLEST)
        is_hit = is_open & (behind > 0)
        share = 0.0 if last is None else last / (last - behind).clamp(max=-1e-9)
        hit = torch.where(is_hit, before + (here - before) * share, hit)
        is_open, before, last = is_open & ~is_hit, here, behind
    return hit


def _prior_sums(inverse_depth: Tensor, size: int) -> Tensor:
    """Inverse depth times information, and information, of the picture and what lies around it: `[B, 1, 2, SPAN g, SPAN g]`."""
    resized = F.interpolate(inverse_depth, (size, size), mode="bilinear", align_corners=False)
    around = F.pad(resized, (round((SPAN - 1) / 2 * size),) * 4, mode="replicate")
    return PRIOR_INFORMATION * torch.stack([around, torch.ones_like(around)], dim=2)


def _nearest_on_lines(places: Tensor, far: Tensor, nearer: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse depth that brings each pixel nearest to a place, and how much of it moves the pixel, squared; `[B, N, 1, g, g]`."""
    slope, offset = nearer[:, :, :2] - places * nearer[:, :, 2:], far[:, :, :2] - places * far[:, :, 2:]
    inverse_depth = _in_front(torch.ones_like(far[:, :, :1]), far, nearer)
    information = torch.zeros_like(inverse_depth)
    for _ in range(ITERATIONS):
        z = (far[:, :, 2:] + inverse_depth * nearer[:, :, 2:]).clamp(min=SMALLEST)
        information = (slope / z).square().sum(2, keepdim=True)
        wanted = -(slope * offset / z.square()).sum(2, keepdim=True) / (information + 1e-9)
        inverse_depth = _in_front(wanted, far, nearer)
    return inverse_depth, information


def _places(points: Tensor) -> Tensor:
    """Homogeneous `[B, N, 3, H, W]` -> `[B, N, 2, H, W]`."""
    return points[:, :, :2] / points[:, :, 2:].clamp(min=SMALLEST)


def _in_front(inverse_depth: Tensor, far: Tensor, nearer: Tensor) -> Tensor:
    """The same, where it is neither behind its own or the first camera nor nearer to it than `NEAREST`; else the limit."""
    room = NEAREST - nearer[:, :, 2:]  # a camera that has moved forward leaves the first one room enough
    limit = torch.where(room > 0, far[:, :, 2:].clamp(min=0) / room.clamp(min=1e-6), torch.inf)
    return inverse_depth.clamp(min=0).minimum(limit.clamp(max=1 / NEAREST))
