"""How ids are drawn. The defaults stand here and nowhere else.

They were chosen on validation clips, with `benchmarks/choose_sampling.py`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplingSettings:
    """The names are those of `CamViGPipeline.__call__`.

    Args:
        guidance_scale: classifier-free guidance on the camera; 1 is none.
        temperature: 0 takes the likeliest id every time.
        top_k: sample among the k likeliest choices; 0 = all.
        top_p: sample among the likeliest choices that together have this probability.
    """

    guidance_scale: float = 1.5
    temperature: float = 0.5
    top_k: int = 0
    top_p: float = 1.0


DEFAULT_SAMPLING = SamplingSettings()
