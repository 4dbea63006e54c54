"""RAFT is only used where it is: what is missing is named, nothing is fetched; where torchvision fits, it runs."""

import sys

import numpy as np
import pytest
import torch

from camvig.metrics.flow_mse import flow
from camvig.metrics.raft_flow import WEIGHTS, raft_flow

CLIP = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder in the place of torch's own; gives the file in which weights are expected."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    file = tmp_path / "hub" / "checkpoints" / WEIGHTS
    file.parent.mkdir(parents=True)
    return file


def test_missing_weights_are_named_with_their_place(hub):
    with pytest.raises(FileNotFoundError, match="expected RAFT's weights in") as error:
        flow(CLIP, "raft")
    assert str(hub) in str(error.value) and not list(hub.parent.iterdir())


def test_a_missing_torchvision_is_named(hub, monkeypatch):
    hub.touch()
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", None)
    with pytest.raises(ImportError, match=r'expected a torchvision that fits torch \(pip install "camvig\[raft\]"\)'):
        raft_flow(CLIP)


def test_flow_of_untrained_weights_has_the_clips_shape(hub):
    try:
        from torchvision.models.optical_flow import raft_large
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"no torchvision that fits torch: {error}")
    torch.manual_seed(0)
    torch.save(raft_large(weights=None).state_dict(), hub)
    found = flow(CLIP, "raft")
    assert found.shape == (2, 48, 64, 2) and found.dtype == np.float32 and np.isfinite(found).all()


def test_what_is_no_clip_is_refused():
    with pytest.raises(ValueError, match="expected frames"):
        raft_flow(CLIP[:1])
