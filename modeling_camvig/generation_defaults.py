"""How videos are sampled where neither the caller nor the checkpoint says it. The numbers stand here and nowhere else.

They were chosen on validation clips, with `benchmarks/choose_sampling.py`, which with `--store` writes what is best for a
checkpoint into the checkpoint, as `transformer/generation_config.json`. Names are those of `transformers.GenerationConfig`, whose
own defaults are others; `mean_of`, `rigid_scene` and `best_of` are ours.
"""

GENERATION_DEFAULTS = {
    "do_sample": True,
    "guidance_scale": 1.5,
    "temperature": 0.5,
    "top_k": 0,
    "top_p": 1.0,
    "mean_of": 1,
    "rigid_scene": False,
    "best_of": 1,
}
