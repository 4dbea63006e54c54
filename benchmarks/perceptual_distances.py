"""Which distance sees pictures as people do? Candidates for `metrics.perceptual_distance` on distortions of equal error.

    nice -n 10 python benchmarks/perceptual_distances.py [--pictures 44]

Pieces of 128 pixels of the shipped panoramas and demo pictures are distorted to a PSNR of 22 and of 26 dB. At equal error
people are known to mind some distortions less than others (Wang et al. 2004, figure 2; the opinion scores of TID2013): a
brighter picture, more contrast, a small shift or turn, and grain, each less than blur, blocks of JPEG, or coarse pixels. A
line a candidate says for which share of such pairs it agrees, over all and for each of the harmless ones; "noise" is the
least certain of them. Controls: L1 (which is blind to it all), and the chosen network with random weights.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camvig import CamViGVisualTokenizer
from camvig.metrics.perceptual_distance import PerceptualDistance
from camvig.modeling_camvig.motion_autoencoder import MotionAutoencoder

ROOT = Path(__file__).parents[1]
SIDE, MARGIN = 144, 8  # what is cut away has the distortions' edges
HARMLESS, HARMFUL = ("brightness", "contrast", "shift", "turn", "noise"), ("blur", "jpeg", "coarse")
Distance = Callable[[Tensor, Tensor], Tensor]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=44)
    torch.set_num_threads(1)
    pictures = pieces(parser.parse_args().pictures)
    agrees = {name: {of: [] for of in HARMLESS} for name in CANDIDATES}
    for decibels in (22, 26):
        for picture in pictures:
            count_agreements(picture, decibels, agrees)
    for name, of in agrees.items():
        shares = {harmless: round(float(np.mean(answers)), 3) for harmless, answers in of.items()}
        together = [answer for answers in of.values() for answer in answers]
        overall = {"all": round(float(np.mean(together)), 3), "pairs": len(together)}
        print(json.dumps({"benchmark": "perceptual_distances", "distance": name, **overall, **shares}))


@torch.no_grad()
def count_agreements(picture: np.ndarray, decibels: float, agrees: dict):
    distorted = {name: distort(picture, name, decibels) for name in DISTORTIONS}
    known = {name: tensor(pixels) for name, pixels in distorted.items() if pixels is not None}
    if not known:
        return
    batch = torch.cat(list(known.values()))
    truth = tensor(picture).expand_as(batch).contiguous()
    for candidate, distance in CANDIDATES.items():
        value = dict(zip(known, distance(batch, truth).tolist(), strict=True))
        for harmless in filter(value.__contains__, HARMLESS):
            agrees[candidate][harmless] += [value[harmless] < value[harmful] for harmful in HARMFUL if harmful in value]


def pieces(count: int) -> list[np.ndarray]:
    """Random pieces `[144, 144, 3]` float32 of the shipped pictures, made 512 pixels high or wide."""
    files = [
        *sorted((ROOT / "dataset_builders/panoramas").glob("*.jpg")),
        *sorted((ROOT / "camvig/demo_pictures").glob("*.jpg")),
    ]
    rng, cut = np.random.default_rng(0), []
    for number in range(count):
        picture = cv2.imread(str(files[number % len(files)]))
        assert picture is not None
        scale = 512 / min(picture.shape[:2])
        picture = cv2.resize(picture[..., ::-1].copy(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = 50 + rng.integers(picture.shape[0] - SIDE - 100), rng.integers(picture.shape[1] - SIDE)
        cut.append(picture[top : top + SIDE, left : left + SIDE].astype(np.float32))
    return cut


def distort(picture: np.ndarray, name: str, decibels: float) -> np.ndarray | None:
    """The distortion whose strength gives that PSNR, by bisection; None where none does, to 0.7 dB."""
    function, low, high = DISTORTIONS[name]
    target = 255**2 / 10 ** (decibels / 10)

    def error(strength: float) -> float:
        return float(np.square(inner(np.clip(function(picture, strength), 0, 255) - picture)).mean())

    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if error(middle) < target else (low, middle)
    return np.clip(function(picture, high), 0, 255) if abs(10 * np.log10(error(high) / target)) < 0.7 else None


def inner(picture: np.ndarray) -> np.ndarray:
    return picture[MARGIN:-MARGIN, MARGIN:-MARGIN]


def tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(inner(picture))).permute(2, 0, 1)[None] / 127.5 - 1


def jpeg(picture: np.ndarray, strength: float) -> np.ndarray:
    _, code = cv2.imencode(".jpg", picture.round().astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(100 - strength)])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded.astype(np.float32)


def moved(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def coarse(picture: np.ndarray, strength: float) -> np.ndarray:
    cells = max(2, round(SIDE / strength))
    small = cv2.resize(picture, (cells, cells), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)


GRAIN = np.random.default_rng(1).standard_normal((SIDE, SIDE, 3)).astype(np.float32)
CENTRE = ((SIDE - 1) / 2, (SIDE - 1) / 2)
DISTORTIONS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], float, float]] = {
    "brightness": (lambda picture, strength: picture + strength, 0, 60),
    "contrast": (lambda picture, strength: picture + strength * (picture - picture.mean()), 0, 2),
    "noise": (lambda picture, strength: picture + strength * GRAIN, 0, 60),
    "shift": (lambda picture, strength: moved(picture, np.array([[1, 0, strength], [0, 1, strength / 2]])), 0, 8),
    "turn": (lambda picture, strength: moved(picture, cv2.getRotationMatrix2D(CENTRE, strength, 1)), 0, 12),
    "blur": (lambda picture, strength: cv2.GaussianBlur(picture, (0, 0), strength), 0.05, 12),
    "jpeg": (jpeg, 0, 99),
    "coarse": (coarse, 1, 16),
}


def smoothed(x: Tensor, sigma: float) -> Tensor:
    radius = int(3 * sigma + 1)
    kernel = torch.exp(-torch.arange(-radius, radius + 1.0).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    x = F.pad(x, (radius, radius, radius, radius), mode="reflect")
    x = F.conv2d(x, kernel[:, :, :, None], groups=x.shape[1])
    return F.conv2d(x, kernel[:, :, None, :], groups=x.shape[1])


def mean(x: Tensor) -> Tensor:
    return x.flatten(1).mean(1)


def ssim_parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its part without luminance, for values in [-1, 1]."""
    mean_a, mean_b = smoothed(a, 1.5), smoothed(b, 1.5)
    variances = smoothed(a * a, 1.5) - mean_a**2 + smoothed(b * b, 1.5) - mean_b**2
    structure = (2 * (smoothed(a * b, 1.5) - mean_a * mean_b) + 0.06**2) / (variances + 0.06**2)
    luminance = (2 * mean_a * mean_b + 0.02**2) / (mean_a**2 + mean_b**2 + 0.02**2)
    return mean(luminance * structure), mean(structure)


def multi_scale_ssim(a: Tensor, b: Tensor) -> Tensor:
    """1 - MS-SSIM of four scales."""
    weights, product = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363]), torch.ones(len(a))
    for scale, weight in enumerate(weights / weights.sum()):
        whole, structure = ssim_parts(a, b)
        product = product * (whole if scale == 3 else structure).clamp(min=1e-4) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return 1 - product


def gradients(a: Tensor, b: Tensor) -> Tensor:
    """L1 of differences between neighbours, over four scales."""
    total = torch.zeros(len(a))
    for _ in range(4):
        total = total + mean((a - b).diff(dim=-1).abs()) + mean((a - b).diff(dim=-2).abs())
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total


def normalized_pyramid(a: Tensor, b: Tensor) -> Tensor:
    """Laplacian pyramid of four scales, each value over the amplitude around it (NLPD's idea)."""
    total = torch.zeros(len(a))
    for _ in range(4):
        low_a, low_b = smoothed(a, 1.0), smoothed(b, 1.0)
        bands = [(x - low) / (smoothed((x - low).abs(), 1.5) + 0.05) for x, low in ((a, low_a), (b, low_b))]
        total = total + mean((bands[0] - bands[1]).square()).sqrt()
        a, b = F.avg_pool2d(low_a, 2), F.avg_pool2d(low_b, 2)
    return total


def layerwise(features: Callable[[Tensor], list[Tensor]]) -> Distance:
    """LPIPS' form over any features."""

    def distance(a: Tensor, b: Tensor) -> Tensor:
        total = torch.zeros(len(a))
        for ours, theirs in zip(features(a), features(b), strict=True):
            units = [x / (x.square().sum(1, keepdim=True) + 1e-10).sqrt() for x in (ours, theirs)]
            total = total + mean((units[0] - units[1]).square().sum(1))
        return total

    return distance


def own_encoder() -> Distance:
    """The fine layers of the shipped tokenizer's picture encoder; its coarse ones know 64 pixels a side alone."""
    tokenizer = CamViGVisualTokenizer.from_pretrained(ROOT / "checkpoints/camvig-tiny/visual_tokenizer").float().eval()
    picture = cast(MotionAutoencoder, tokenizer.autoencoder).picture

    def features(x: Tensor) -> list[Tensor]:
        x, found = F.pixel_unshuffle(x, picture.patch), []
        for layer in (picture.patchify, *picture.fine_encoder, picture.down):
            x = layer(x)
            found.append(x)
        return found

    return layerwise(features)


def random_network() -> Distance:
    network, generator = PerceptualDistance(), torch.Generator().manual_seed(0)
    for weight in network.buffers():
        if weight.ndim == 4:
            weight.copy_(torch.randn(weight.shape, generator=generator) * (2 / weight[0].numel()) ** 0.5)
    return network


CANDIDATES: dict[str, Distance] = {
    "L1": lambda a, b: mean((a - b).abs()),
    "1 - SSIM": lambda a, b: 1 - ssim_parts(a, b)[0],
    "1 - MS-SSIM": multi_scale_ssim,
    "gradients": gradients,
    "normalised Laplacian pyramid": normalized_pyramid,
    "features of camvig-tiny's picture encoder": own_encoder(),
    "EfficientNet-Lite0, random weights": random_network(),
    "EfficientNet-Lite0 (perceptual_distance)": PerceptualDistance(),
}

if __name__ == "__main__":
    main()
