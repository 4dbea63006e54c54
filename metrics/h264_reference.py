"""What H.264 makes of a clip with a given number of bits: the yardstick beside a tokenizer.

What always holds: bits are those of coded slices alone (no start codes, no parameter sets, no container, no sound), and the
frames are what an H.264 decoder gives of them. x264 runs as its authors tune it for PSNR, at its slowest usual preset, one
group of pictures a clip with B-frames, colour at full resolution (on frames of 64 pixels that was 1.2 dB better than halved on
rooms and 0.2 dB worse on videos); its constant rate factor is bisected for each clip, so that the bits come as near to
those asked for as they can without exceeding them. Where even the coarsest one needs more, that is what is given, and
`bits` says so. x264's macroblock tree is worth decibels here, but gives slightly other bits in each run.

Where a tokenizer's decoder is given the first picture, so is H.264: that frame is coded almost without loss and its bits are
not counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from .clip_arrays import check_clip

COARSEST, FINEST = 51.0, 0.0  # x264's constant rate factors for 8 bits
TRIES = 9  # halvings of that range, to a tenth
SETTINGS = {"preset": "veryslow", "tune": "psnr"}
SLICE, PICTURE_SLICE = 1, 5  # types of network units: of later frames, of an independent one
_NETWORK_UNIT = re.compile(rb"\x00\x00\x01")


@dataclass(frozen=True)
class H264Clip:
    """A decoded clip, and what it took."""

    frames: np.ndarray  # [T, H, W, 3] uint8
    bits: int  # of all frames, or of frames 1.. where the first was given
    rate_factor: float


def h264_at_bits(frames: np.ndarray, bits: float, fps: float, first_is_given: bool = False) -> H264Clip:
    """The best that x264 makes of frames [T, H, W, 3] uint8 within `bits`, or what it makes of them with the fewest it can.

    Frames at `fps` a second; the rate says nothing of quality, but x264 weighs times by it. Raises ValueError for no bits.
    """
    check_clip(frames)
    if not bits > 0:
        raise ValueError(f"expected bits > 0, got {bits}")
    low, high = FINEST, COARSEST
    best = _coded(frames, fps, high, first_is_given)
    if best.bits > bits:
        return best
    for _ in range(TRIES):
        middle = (low + high) / 2
        tried = _coded(frames, fps, middle, first_is_given)
        if tried.bits > bits:
            low = middle
        else:
            high, best = middle, max(best, tried, key=lambda clip: clip.bits)
    return best


def _coded(frames: np.ndarray, fps: float, rate_factor: float, first_is_given: bool) -> H264Clip:
    packets = _encode(frames, fps, rate_factor, first_is_given)
    counted = (SLICE,) if first_is_given else (SLICE, PICTURE_SLICE)
    return H264Clip(_decode(packets), slice_bits(b"".join(map(bytes, packets)), counted), rate_factor)


def _encode(frames: np.ndarray, fps: float, rate_factor: float, first_is_given: bool) -> list[av.Packet]:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt = "yuv444p"
    encoder.framerate = Fraction(fps).limit_denominator(1000)
    encoder.time_base = 1 / encoder.framerate
    encoder.thread_count = 1
    parameters = "keyint=infinite:scenecut=0" + (":zones=0,0,q=1" if first_is_given else "")
    encoder.options = {**SETTINGS, "crf": f"{rate_factor:.2f}", "x264-params": parameters}
    packets = []
    for number, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = number
        packets += encoder.encode(picture)
    return packets + encoder.encode(None)


def _decode(packets: list[av.Packet]) -> np.ndarray:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    pictures = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    return np.stack([picture.to_ndarray(format="rgb24") for picture in pictures])


def slice_bits(stream: bytes, unit_types: tuple[int, ...]) -> int:
    """Bits of the network units of these types in a byte stream (H.264, annex B), without start codes."""
    units = _NETWORK_UNIT.split(stream)[1:]
    return 8 * sum(len(unit.rstrip(b"\x00")) for unit in units if unit[0] & 31 in unit_types)
