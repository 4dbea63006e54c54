"""What a training step pays for a clip: reading its cached ids, against decoding and encoding it again. Prints one JSON line.

python benchmarks/read_token_cache.py CLIPS IDS --checkpoint checkpoints/camvig-tiny [--batch 16]

CLIPS is a folder of clips (camvig data render-clips), IDS the cache that camvig data tokenize made of it with the same
checkpoint. Reading includes opening the cache, shared out over one epoch.
"""

import argparse
import json
import time
from pathlib import Path

from camvig.dataset_builders.clip_folders import parts_of
from camvig.dataset_builders.token_cache import TokenCache
from camvig.training_scripts.token_batches import TokenBatches
from camvig.training_scripts.tokenize_clips import Tokenizers, encode_clips


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("ids", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    tokenizers = Tokenizers.load(options.checkpoint / "visual_tokenizer", options.checkpoint / "camera_tokenizer")

    began = time.perf_counter()
    cache = TokenCache(options.ids, tokenizers.fingerprint)
    batches = TokenBatches([cache], [1.0], options.batch, 0.1, seed=0)
    steps = max(1, len(cache) // options.batch)
    for step in range(steps):
        batches(step)
    reading = (time.perf_counter() - began) / (steps * options.batch)

    parts = parts_of(options.clips)
    encode_clips(list(parts[0].clips())[: options.batch], tokenizers)  # the first is slower
    began = time.perf_counter()
    clips = list(parts[0].clips())[: options.batch]
    encode_clips(clips, tokenizers)
    encoding = (time.perf_counter() - began) / len(clips)
    figures = {"reading_ms": 1e3 * reading, "encoding_ms": 1e3 * encoding, "times_cheaper": encoding / reading}
    figures = {name: float(f"{value:.3g}") for name, value in figures.items()}
    print(json.dumps({"benchmark": "read_token_cache", "rows": len(cache), **figures}))


if __name__ == "__main__":
    main()
