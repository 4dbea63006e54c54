"""`GaussianSplats`: a scene as 3-D Gaussians (Kerbl et al. 2023, "3D Gaussian Splatting").

What always holds: the numbers are those of the standard .ply, not yet put through exp, sigmoid or normalisation;
float32 and read-only; what cannot be drawn (NaN, a quaternion of 0) is refused; in the axes of the file, whatever
they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

HARMONICS_OF_DEGREE = (1, 4, 9, 16)  # coefficients up to degree 0, 1, 2, 3
LARGEST = 1e9  # of any number but opacities: farther or larger, and drawing overflows
HARMONIC_0 = 0.28209479177387814  # the constant function of degree 0; a colour is 0.5 + HARMONIC_0 * coefficient
_SHAPES = {
    "positions": [(3,)],
    "log_scales": [(3,)],
    "rotations": [(4,)],
    "opacity_logits": [()],
    "harmonics": [(count, 3) for count in HARMONICS_OF_DEGREE],
}


@dataclass(frozen=True, eq=False)
class GaussianSplats:
    """N Gaussians. `ValueError` says what is wrong, and with which one."""

    positions: np.ndarray  # [N, 3] centres
    log_scales: np.ndarray  # [N, 3] natural logarithms of the standard deviations along the Gaussian's own axes
    rotations: np.ndarray  # [N, 4] quaternions w, x, y, z of any length above 0: from its own axes to the file's
    opacity_logits: np.ndarray  # [N]; +infinity is opaque
    harmonics: np.ndarray  # [N, K, 3] coefficients of red, green and blue; K = 1, 4, 9 or 16: degree 0 to 3

    def __post_init__(self) -> None:
        count = len(self.positions)
        if not count:
            raise ValueError("expected at least 1 Gaussian, got 0")
        for name, shapes in _SHAPES.items():
            array = np.array(getattr(self, name), np.float32)
            if array.shape not in [(count, *shape) for shape in shapes]:
                expected = " or ".join(str([count, *shape]) for shape in shapes)
                raise ValueError(f"expected {name} of shape {expected}, got {list(array.shape)}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        self._check_numbers()

    def _check_numbers(self) -> None:
        in_range = f"numbers within {LARGEST:g}"
        allowed = {
            "positions": (np.abs(self.positions) <= LARGEST, in_range),
            "log_scales": (self.log_scales <= np.log(LARGEST), f"the logarithms of scales up to {LARGEST:g}"),
            "rotations": (np.abs(self.rotations) <= LARGEST, in_range),
            "opacity_logits": (~np.isnan(self.opacity_logits), "numbers"),
            "harmonics": (np.abs(self.harmonics) <= LARGEST, in_range),
        }
        for name, (is_right, expected) in allowed.items():
            of_gaussian = is_right.reshape(self.count, -1).all(axis=1)
            if not of_gaussian.all():
                wrong = int(np.argmin(of_gaussian))
                raise ValueError(
                    f"Gaussian {wrong}: expected {expected} in {name}, got {getattr(self, name)[wrong].tolist()}"
                )
        is_rotation = self.rotations.any(axis=1)
        if not is_rotation.all():
            raise ValueError(f"Gaussian {int(np.argmin(is_rotation))}: expected a rotation, got the quaternion 0 0 0 0")

    @property
    def count(self) -> int:
        """N."""
        return len(self.positions)

    @property
    def degree(self) -> int:
        """Of the spherical harmonics: 0 (one colour from everywhere) to 3."""
        return HARMONICS_OF_DEGREE.index(self.harmonics.shape[1])

    @cached_property
    def opacities(self) -> np.ndarray:
        """[N] float32 in 0..1: the logistic function of the logits."""
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-self.opacity_logits))

    @cached_property
    def scales(self) -> np.ndarray:
        """[N, 3] float32: standard deviations along the Gaussian's own axes."""
        return np.exp(self.log_scales)

    @cached_property
    def covariances(self) -> np.ndarray:
        """[N, 3, 3] float32: R S S R^T."""
        quaternions = self.rotations.astype(np.float64)
        w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
        rotations = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )  # [3, 3, N]
        half = rotations.transpose(2, 0, 1) * self.scales[:, None]
        return (half @ half.transpose(0, 2, 1)).astype(np.float32)
