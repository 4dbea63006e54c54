"""Does reading cached ids hold a training step up? Rows a second from the cache against rows a second of the step.

    OMP_NUM_THREADS=1 python benchmarks/feed_the_step.py [--config training_scripts/configs/transformer_tiny.yaml] [--rows 20000]

Writes a cache of random ids in the geometry of the configuration (what an id is does not matter for reading), opens it, and
takes the batches that training takes. The step is `transformer_step.py`'s. Processor seconds; prints one JSON line.
`read_token_cache.py` tells what the cache spares: decoding and encoding a clip again.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformer_step import DEFAULT_CONFIG, TrainingStep

from camvig import CamViGConfig, CamViGForConditionalGeneration
from camvig.dataset_builders.token_cache import TokenCache, part_file, write_part
from camvig.training_scripts.finetune_config import load_finetune
from camvig.training_scripts.token_batches import TokenBatches

PART_ROWS = 2000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    stage = load_finetune(options.config, [])
    config, data, training = stage.config, stage.data, stage.training
    with tempfile.TemporaryDirectory() as folder:
        write_random_cache(Path(folder), config, options.rows)
        reading = seconds_of_reading(Path(folder), training.batch_size, data.missing_camera_share)
    model = CamViGForConditionalGeneration(config).train()
    model.set_attn_implementation(data.attention)
    step = TrainingStep(model, training, training.batch_size)
    step.run()
    step_seconds = step.measure(options.steps)["step_seconds"]
    figures = {
        "open_seconds": reading["open"],
        "read_ms_a_step": 1e3 * reading["batch"],
        "rows_read_per_second": training.batch_size / reading["batch"],
        "rows_trained_per_second": training.batch_size / step_seconds,
        "share_of_the_step": reading["batch"] / step_seconds,
    }
    rounded = {name: float(f"{value:.3g}") for name, value in figures.items()}
    setting = {"config": options.config.stem, "rows": options.rows, "batch_size": training.batch_size}
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)
    print(json.dumps({"benchmark": "feed_the_step", **setting, **rounded, "peak_gb": peak}))


def write_random_cache(folder: Path, config: CamViGConfig, rows: int):
    rng = np.random.default_rng(0)
    lengths = {"image_ids": config.tokens_per_latent_frame, "video_ids": config.num_video_tokens}
    first_of_level = np.arange(config.num_camera_tokens) // config.camera_frames * config.camera_codebook_size
    for part, start in enumerate(range(0, rows, PART_ROWS)):
        size = min(PART_ROWS, rows - start)
        ids = {name: rng.integers(config.visual_vocab_size, size=(size, length)) for name, length in lengths.items()}
        codes = rng.integers(config.camera_codebook_size, size=(size, config.num_camera_tokens))
        ids["camera_ids"] = codes + first_of_level
        rest = {"camera_to_world": np.zeros((size, 17 * 16)), "intrinsics": np.zeros((size, 17 * 4))}
        source = {"has_path": True, "source": "random", "clip_index": 0, "variant": "", "move": ""}
        columns = {**ids, **rest}
        written = [{**source, **{name: values[row] for name, values in columns.items()}} for row in range(size)]
        write_part(part_file(folder, "random", part), written, "none")


def seconds_of_reading(folder: Path, batch_size: int, missing_share: float) -> dict[str, float]:
    """Processor seconds: opening the cache, and a batch, averaged over an epoch (at most 500 steps)."""
    started = time.process_time()
    cache = TokenCache(folder, "none")
    batches = TokenBatches([cache], [1.0], batch_size, missing_share, 0)
    opened = time.process_time()
    steps = max(1, min(500, len(cache) // batch_size))
    for step in range(steps):
        batches(step)
    return {"open": opened - started, "batch": (time.process_time() - opened) / steps}


if __name__ == "__main__":
    main()
