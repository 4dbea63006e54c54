"""Packaging: the repository's top-level folders with code or checkpoints are sub-packages of `camvig`.

The folders keep their plain names in the checkout (`pipelines/`, `camera_paths/`, ...) and are installed as
`camvig.pipelines`, `camvig.camera_paths`, ..., so nothing generic lands in site-packages.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = (
    "camera_paths",
    "camera_paths/formats",
    "modeling_camvig",
    "metrics",
    "dataset_builders",
    "dataset_builders/rooms",
    "dataset_builders/scenes",
    "dataset_builders/captures",
    "dataset_builders/videos",
    "pipelines",
    "pipelines/evaluation",
    "training_scripts",
    "training_scripts/reproduce",
    "checkpoints",
)


class BuildWithCard(build_py):
    """The template of model cards lies at the root of the checkout, and beside the module that fills it once installed."""

    def run(self):
        super().run()
        if not self.editable_mode:
            self.copy_file("model_card.md", str(Path(self.build_lib, "camvig/pipelines/model_card.md")))


PACKAGES = {"camvig": "camvig", **{f"camvig.{folder.replace('/', '.')}": folder for folder in FOLDERS}}

setup(
    cmdclass={"build_py": BuildWithCard},
    name="camvig",
    version="0.1.0",
    description="One image and a 3-D camera path become a video that follows the path (CamViG, arXiv 2405.13195)",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=list(PACKAGES),
    package_dir=PACKAGES,
    package_data={
        "camvig": ["demo_pictures/*", "py.typed"],
        "camvig.dataset_builders": ["panoramas/*"],
        "camvig.metrics": ["perceptual_weights/*", "evaluate_modules/*/*.py"],
        "camvig.pipelines.evaluation": ["*.jinja"],
        "camvig.training_scripts": ["configs/*.yaml", "configs/accelerate/*.yaml", "*.jinja"],
        "camvig.checkpoints": ["*/*", "camvig-tiny/*/*"],
    },
    install_requires=[
        "accelerate>=1.15",
        "av>=18",
        "datasets>=5.2",
        "diffusers>=0.42",
        "jinja2>=3.1",
        "matplotlib>=3.10",
        "numba>=0.66",
        "numpy>=2.2",
        "opencv-python-headless>=5.0",
        "peft>=0.21",
        "pillow>=11",
        "psutil>=6",
        "pyarrow>=22",
        "pyyaml>=6.0",
        "safetensors>=0.6",
        "scipy>=1.15",
        "tokenizers>=0.22",
        "torch>=2.9",
        "tqdm>=4.67",
        "transformers>=5.20,<6",
        "typer>=0.29",
    ],
    extras_require={
        "formats": ["pycolmap>=4.2"],
        "splats": ["gsplat>=1.5"],
        "trackio": ["trackio>=0.43"],
        "lpips": ["lpips>=0.1.4", "torchvision"],
        "raft": ["torchvision"],
        "evaluate": ["evaluate>=0.4.6"],
        "test": ["evaluate>=0.4.6", "pycolmap>=4.2", "hypothesis>=6.130", "pytest>=8.3", "pytest-xdist>=3.6"],
        "dev": ["build>=1.2", "pyright[nodejs]>=1.1.400", "ruff>=0.12"],
    },
    entry_points={"console_scripts": ["camvig=camvig.cli:main"]},
)
