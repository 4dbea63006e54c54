"""Open weights -> `CamViGVisualTokenizer`: a rename table for each origin, and a load that is strict on both sides.

What always holds: every weight of ours comes from exactly one of theirs, of the same shape; a weight that is missing, or
one of theirs that is neither used nor known to be dropped, is a `ValueError` that names it. Computed in float32.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .visual_tokenizer import CamViGVisualTokenizer

EMA = "model_ema."
"""Both origins keep the moving averages of their weights under this prefix, by names without dots."""


@dataclass(frozen=True)
class OpenWeights:
    """One origin.

    Args:
        repository, licence: where the weights and the original code are.
        weights: "ema" or "raw", the copy that is taken unless another is asked for.
        config: the published network, as changes of `CamViGVisualTokenizerConfig`.
        renames: (pattern, replacement), applied in turn to our name of a weight, give theirs.
        dropped: pattern of theirs that are not needed -> what they are.
    """

    repository: str
    licence: str
    weights: str
    config: Mapping[str, Any]
    renames: tuple[tuple[str, str], ...]
    dropped: Mapping[str, str]


TRAINING_ONLY = {
    r"loss\.": "of the losses and the discriminator",
    r"model_ema\.loss": "averages of the losses and the discriminator",
    r"model_ema\.(decay|num_updates)$": "counters of the averages",
}

OPEN_WEIGHTS = {
    "open-magvit2": OpenWeights(
        repository="https://github.com/TencentARC/SEED-Voken",
        licence="Apache-2.0",
        weights="ema",
        config={
            "architecture": "open_magvit2",
            "quantizer": "lfq",
            "hidden_sizes": (128, 256, 256, 512),
            "blocks_per_level": 4,
        },
        renames=(
            (r"^encoder\.levels\.", "encoder.down."),
            (r"^decoder\.levels\.(\d+)\.adaptive_norm\.", r"decoder.adaptive.\1."),
            (r"\.adaptive\.(\d+)\.gain\.", r".adaptive.\1.gamma."),
            (r"\.adaptive\.(\d+)\.bias\.", r".adaptive.\1.beta."),
            (r"^decoder\.levels\.", "decoder.up."),
            (r"\.blocks\.", ".block."),
            (r"\.middle\.", ".mid_block."),
            (r"\.shortcut\.", ".nin_shortcut."),
            (r"\.upsample\.conv\.", ".upsample.conv1."),
            (r"\.((?:conv|downsample|nin_shortcut)\w*)\.(weight|bias)$", r".\1.conv_1.\2"),
        ),
        dropped=TRAINING_ONLY,
    ),
    "vidtok": OpenWeights(
        repository="https://github.com/microsoft/VidTok",
        licence="MIT",
        weights="raw",
        config={
            "architecture": "vidtok",
            "quantizer": "fsq",
            "hidden_sizes": (128, 256, 512, 512),
            "blocks_per_level": 2,
        },
        renames=(
            (r"^encoder\.levels\.(\d+)\.space_blocks\.", r"encoder.down.\1.block."),
            (r"^encoder\.levels\.(\d+)\.time_blocks\.", r"encoder.down_temporal.\1.block."),
            (r"^encoder\.levels\.(\d+)\.space\.", r"encoder.down.\1.downsample.conv."),
            (r"^encoder\.levels\.(\d+)\.time\.", r"encoder.down_temporal.\1.downsample."),
            (r"^decoder\.levels\.(\d+)\.space_blocks\.", r"decoder.up.\1.block."),
            (r"^decoder\.levels\.(\d+)\.time_blocks\.", r"decoder.up_temporal.\1.block."),
            (r"^decoder\.levels\.(\d+)\.space\.", r"decoder.up.\1.upsample."),
            (r"^decoder\.levels\.(\d+)\.time\.", r"decoder.up_temporal.\1.upsample."),
            (r"\.middle\.0\.", ".mid.block_1."),
            (r"\.middle\.1\.", ".mid.attn_1."),
            (r"\.middle\.2\.", ".mid.block_2."),
            (r"\.mix$", ".mix_factor"),
            (r"\.shortcut\.", ".nin_shortcut."),
            (r"\.attn_1\.query\.", ".attn_1.q.conv."),
            (r"\.attn_1\.key\.", ".attn_1.k.conv."),
            (r"\.attn_1\.value\.", ".attn_1.v.conv."),
            (r"\.attn_1\.project\.", ".attn_1.proj_out.conv."),
            (r"\.(norm\w*)\.(weight|bias)$", r".\1.norm.\2"),
            # their causal convolutions are wrapped, those of single frames are not
            (r"(_temporal\.\d+\.block\.\d+\.conv[12])\.", r"\1.conv."),
            (r"(_temporal\.\d+\.(?:up|down)sample\.conv)\.", r"\1.conv."),
            (r"(\.mid\.block_[12]\.conv[12])\.", r"\1.conv."),
            (r"(\.conv_(?:in|out))\.", r"\1.conv."),
        ),
        dropped=TRAINING_ONLY,
    ),
}


@dataclass(frozen=True)
class Conversion:
    """A converted tokenizer, in eval mode, and what became of the checkpoint."""

    model: CamViGVisualTokenizer
    weights: str
    taken: int
    dropped: dict[str, int]

    def summary(self) -> str:
        """One line."""
        copy = {"ema": "moving averages (EMA)", "raw": "raw weights"}[self.weights]
        dropped = ", ".join(f"{count} {what}" for what, count in self.dropped.items())
        return f"took {self.taken} {copy}; dropped {dropped or 'nothing'}"


def open_weights_config(source: str, **changes: Any) -> CamViGVisualTokenizerConfig:
    """The published network of an origin, with changes (a small network for tests, another `image_size`)."""
    return CamViGVisualTokenizerConfig(**{**_origin(source).config, **changes})


def original_name(name: str, source: str) -> str:
    """Our name of a weight of the autoencoder -> the original's."""
    for pattern, replacement in _origin(source).renames:
        name = re.sub(pattern, replacement, name)
    return name


def convert_tokenizer(
    state_dict: Mapping[str, Tensor],
    source: str,
    config: CamViGVisualTokenizerConfig | None = None,
    weights: str | None = None,
) -> Conversion:
    """A checkpoint's weights, by the original's names, to a tokenizer of ours.

    Args:
        state_dict: raw weights, their moving averages, or both, and what only training needs.
        source: a key of `OPEN_WEIGHTS`.
        config: of the network; the published one if None.
        weights: "ema" or "raw": which copy; by default the origin's own choice.

    Raises:
        ValueError: weights that are missing, unexpected or of another shape, by their names.
    """
    origin = _origin(source)
    weights = weights or origin.weights
    if weights not in ("ema", "raw"):
        raise ValueError(f"expected weights 'ema' or 'raw', got {weights!r}")
    model = CamViGVisualTokenizer(config or open_weights_config(source))
    if model.config.architecture != origin.config["architecture"]:
        raise ValueError(f"expected a {source} configuration, got architecture {model.config.architecture!r}")
    ours = dict(model.autoencoder.named_parameters())
    raw = {name: original_name(name, source) for name in ours}
    averages = {name: EMA + theirs.replace(".", "") for name, theirs in raw.items()}
    wanted, other = (averages, raw) if weights == "ema" else (raw, averages)
    _check_names(state_dict, set(wanted.values()), set(other.values()), origin, weights)
    for name, parameter in ours.items():
        theirs = state_dict[wanted[name]]
        if theirs.shape != parameter.shape:
            raise ValueError(
                f"expected {wanted[name]} of shape {list(parameter.shape)}, got {list(theirs.shape)}: another "
                f"configuration than the published one is given by --config"
            )
        parameter.data.copy_(theirs)
    unused = Counter(_why_dropped(name, set(other.values()), origin) for name in state_dict)
    unused.pop(None, None)
    return Conversion(model.eval(), weights, len(ours), {str(what): count for what, count in unused.items()})


def _origin(source: str) -> OpenWeights:
    if source not in OPEN_WEIGHTS:
        raise ValueError(f"expected weights from {' or '.join(OPEN_WEIGHTS)}, got {source!r}")
    return OPEN_WEIGHTS[source]


def _why_dropped(name: str, other: set[str], origin: OpenWeights) -> str | None:
    """What a weight of theirs is that is not needed; None if it is not known to be so."""
    if name in other:
        return "of the other copy (raw and EMA)"
    return next((what for pattern, what in origin.dropped.items() if re.match(pattern, name)), None)


def _check_names(
    state_dict: Mapping[str, Tensor], wanted: set[str], other: set[str], origin: OpenWeights, weights: str
) -> None:
    missing = sorted(wanted - set(state_dict))
    if len(missing) == len(wanted) and other <= set(state_dict):
        raise ValueError(
            f"expected the {weights} copy of the weights, got a checkpoint with the other alone; "
            f"choose it with --weights {'raw' if weights == 'ema' else 'ema'}"
        )
    leftover = sorted(name for name in set(state_dict) - wanted if _why_dropped(name, other, origin) is None)
    problems = [
        f"{len(names)} {what} ({_few(names)})"
        for what, names in (("missing", missing), ("unexpected", leftover))
        if names
    ]
    if problems:
        raise ValueError(f"expected the weights of {origin.repository}, got {' and '.join(problems)}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
