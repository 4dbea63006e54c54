"""A pipeline folder that needs no installed camvig: one self-contained .py for the pipeline and one for each component.

    DiffusionPipeline.from_pretrained("user/name", trust_remote_code=True)

reads them. They are joined from the sources of this package each time a folder is pushed (`join_modules`), never kept as a
second copy.

`CamViGPipeline.from_pretrained` reads the same folder with the installed classes and never runs these files, so one repository
serves both.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..camera_paths.atomic_file import write_then_rename
from ..modeling_camvig.generation_defaults import GENERATION_DEFAULTS
from .join_modules import join_modules, libraries_of

PIPELINE_FILE = ("pipeline_camvig", "pipelines.pipeline_camvig", "CamViGPipeline")
COMPONENT_FILES = {
    "visual_tokenizer": ("camvig_visual_tokenizer", "modeling_camvig.visual_tokenizer", "CamViGVisualTokenizer"),
    "camera_tokenizer": ("camvig_camera_tokenizer", "modeling_camvig.camera_tokenizer", "CamViGCameraTokenizer"),
    "transformer": ("camvig_transformer", "modeling_camvig.modeling_camvig", "CamViGForConditionalGeneration"),
}
"""Component -> name of its file, the module it comes from, its class. diffusers keeps the files of all local folders in one
place, so their names differ from one another."""

STAND_INS = {
    module: f"""\"\"\"What the pipeline holds; the class itself is in {component}/{file}.py.\"\"\"

from transformers import PreTrainedModel

{class_name} = PreTrainedModel
"""
    for component, (file, module, class_name) in COMPONENT_FILES.items()
}
"""In the pipeline's file a component's class is that of transformers: diffusers loads components from their own files."""

LEFT_OUT = ("camera_paths.formats", "camera_paths.plots", "pipelines.push_checkpoint", "pipelines.clip_score")
"""What a model needs not: files of camera paths, plots, pushing, scores. Asking for it says that camvig has to be installed."""


def write_standalone_files(folder: Path, version: str) -> list[str]:
    """Writes the .py files into a pipeline folder and names them in its `model_index.json`.

    Returns:
        the libraries that the files import, sorted, for the card.

    Raises:
        ValueError: the modules cannot be joined.
    """
    index_file = folder / "model_index.json"
    index = json.loads(index_file.read_text(encoding="utf-8"))
    file, module, class_name = PIPELINE_FILE
    joined = {folder / f"{file}.py": join_modules(module, class_name, version, LEFT_OUT, STAND_INS)}
    index["_class_name"] = [file, class_name]
    for component, (file, module, class_name) in COMPONENT_FILES.items():
        own = _own_defaults(folder / component / "generation_config.json")
        joined[folder / component / f"{file}.py"] = join_modules(module, class_name, version, LEFT_OUT, own)
        index[component] = [file, class_name]
        _compute_in_float32(folder / component / "config.json")
    for path, text in joined.items():
        path.write_text(text, encoding="utf-8")
    with write_then_rename(index_file) as temporary:
        temporary.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return sorted({library for text in joined.values() for library in libraries_of(text)})


def _own_defaults(generation_config: Path) -> dict[str, str]:
    """The defaults of a component's file: diffusers does not fetch `generation_config.json`, so its numbers stand in the code."""
    if not generation_config.is_file():
        return {}
    stored = json.loads(generation_config.read_text(encoding="utf-8"))
    numbers = {name: stored.get(name, value) for name, value in GENERATION_DEFAULTS.items()}
    source = f'"""What this checkpoint\'s generation_config.json says."""\n\nGENERATION_DEFAULTS = {numbers!r}\n'
    return {"modeling_camvig.generation_defaults": source}


def _compute_in_float32(config_file: Path) -> None:
    """Says in a configuration in which precision a model is loaded unless asked otherwise: `CamViGPipeline`'s, not the
    precision in which the weights are stored."""
    config = json.loads(config_file.read_text(encoding="utf-8"))
    for part in (config, *(value for value in config.values() if isinstance(value, dict) and "dtype" in value)):
        part["dtype"] = "float32"
    with write_then_rename(config_file) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
