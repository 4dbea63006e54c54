"""camvig: one image and a 3-D camera path become a video that follows the path.

The front door. Public names are imported on first use, so `import camvig` costs nothing until a name is touched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_PUBLIC_NAMES = {
    "CameraPath": ".camera_paths.camera_path",
    "CamViGConfig": ".modeling_camvig.configuration_camvig",
    "CamViGVisualTokenizerConfig": ".modeling_camvig.configuration_visual_tokenizer",
    "CamViGCameraTokenizerConfig": ".modeling_camvig.configuration_camera_tokenizer",
    "CamViGVisualTokenizer": ".modeling_camvig.visual_tokenizer",
    "CamViGCameraTokenizer": ".modeling_camvig.camera_tokenizer",
    "CamViGForConditionalGeneration": ".modeling_camvig.modeling_camvig",
    "CamViGPipeline": ".pipelines.pipeline_camvig",
}

__all__ = [*_PUBLIC_NAMES, "__version__"]

if TYPE_CHECKING:
    from ..camera_paths.camera_path import CameraPath
    from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
    from ..modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
    from ..modeling_camvig.configuration_camvig import CamViGConfig
    from ..modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
    from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
    from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
    from ..pipelines.pipeline_camvig import CamViGPipeline


def __getattr__(name: str):
    if name not in _PUBLIC_NAMES:
        raise AttributeError(f"module 'camvig' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC_NAMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
