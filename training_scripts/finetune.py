"""Trains `CamViGForConditionalGeneration` on cached ids: an image and a camera path in, the rest of the video out.

    accelerate launch training_scripts/finetune.py --config training_scripts/configs/finetune_debug.yaml [--lora]

Stage "pretrain" takes every clip as plain video, without its path; stage "finetune" goes on from such a checkpoint with 70%
clips with paths and 30% plain video (the paper's recipe). Rows without a path train with the missing-camera token, and so
does a share of the others (our choice). The result is `<output_dir>/model` (with --lora, peft's adapter) and, with its
tokenizers and an adapter merged, `<output_dir>/pipeline`; --push-to-hub USER/NAME sends that, or the adapter alone, to the
Hub. Run again after a kill, it goes on where it was.
"""

from __future__ import annotations

if __name__ == "__main__" and not __package__:  # started by its path, as accelerate launch does
    import camvig.training_scripts  # type: ignore  # noqa: F401

    __package__ = "camvig.training_scripts"

from pathlib import Path

from .finetune_config import parse_finetune
from .finetune_start import (
    Parts,
    data_record,
    initialize,
    load_transformer,
    make_debug_ids,
    open_batches,
    write_pipeline,
)
from .held_out_clips import held_out_clips
from .lora import add_lora
from .push_run import check_push, push_run
from .run_page import write_run_page
from .tokenize_clips import Tokenizers
from .training_loop import Trainer, is_main_process, main_process_first
from .transformer_losses import token_losses
from .transformer_validation import TransformerValidation

MUON_PATTERN = r"\.layers\.\d+\..*proj\.weight"
"""The matrices of the decoder's layers; embeddings, heads and norms stay with AdamW."""


def main():
    stage = parse_finetune(__doc__)
    data, training = stage.data, stage.training
    if stage.push_to_hub and is_main_process():
        check_push(stage.push_to_hub, stage.lora is not None, stage.private)
    parts, output = Parts.find(data), Path(training.output_dir)
    tokenizers = Tokenizers.load(parts.visual_tokenizer, parts.camera_tokenizer)
    model = load_transformer(parts, stage.config, tokenizers)
    model.set_attn_implementation(data.attention)
    if data.debug_clips:
        with main_process_first():
            make_debug_ids(data, output / "ids", tokenizers)
    batches = open_batches(data, training, tokenizers)
    validate = None
    if data.validation_clips:
        clips = held_out_clips(tokenizers, data.validation_clips, data.validation_folder)
        validate = TransformerValidation(clips, tokenizers, data.generated_clips)
    trained = add_lora(model, stage.lora) if stage.lora else model
    tokens = model.prefix_length + model.config.num_video_tokens - 1
    trainer = Trainer(
        trained,
        MUON_PATTERN,
        batches,
        token_losses,
        validate,
        training,
        data=data,
        sources=data_record(data),
        tokens_per_sample=tokens,
        initialize=initialize,
    )
    trainer.train()
    if trainer.accelerator.is_main_process:
        write_pipeline(parts, output / "model", output / "pipeline", is_adapter=stage.lora is not None)
        write_run_page(output)  # again: how to go on now names the pipeline
        if stage.push_to_hub:
            print(f"pushed: {push_run(output, stage.push_to_hub, stage.lora is not None, stage.private)}")


if __name__ == "__main__":
    main()
