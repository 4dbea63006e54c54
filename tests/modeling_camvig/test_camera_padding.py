"""Padding of camera ids (kind "dct"): no token sees it, a sample gives the same in any batch, common padding is cut."""

from __future__ import annotations

import pytest
import torch

PADDING, LENGTHS = 5, [3, 7, 5, 9]


@pytest.fixture(scope="module")
def build_padded(build_transformer):
    def build(**changes):
        settings = {"camera_levels": 1, "camera_codebook_size": 6, "camera_feature_size": 0}
        return build_transformer(**{"camera_kind": "dct", **settings, **changes})

    return build


@pytest.fixture
def ids(draw_ids) -> dict[str, torch.Tensor]:
    """Paths of 3, 7, 5 and 9 ids; the third sample has none."""
    drawn = draw_ids(4)
    camera_ids = drawn["camera_ids"][:, :9]
    is_padding = torch.arange(9) >= torch.tensor(LENGTHS)[:, None]
    is_missing = torch.tensor([False, False, True, False])
    return {**drawn, "camera_ids": camera_ids.masked_fill(is_padding, PADDING), "camera_is_missing": is_missing}


def only(ids: dict[str, torch.Tensor], *samples: int) -> dict[str, torch.Tensor]:
    return {name: values[list(samples)] for name, values in ids.items()}


@pytest.mark.parametrize("attention", ["sdpa", "eager", "camvig_matmul"])
def test_a_sample_gives_the_same_alone_and_in_a_batch(build_padded, ids, attention):
    model = build_padded()
    reference = torch.cat([model(**only(ids, sample)).per_token_loss for sample in range(4)])
    model.set_attn_implementation(attention)
    torch.testing.assert_close(model(**ids).per_token_loss, reference)
    torch.testing.assert_close(model(**only(ids, 0, 2, 1)).per_token_loss, reference[[0, 2, 1]])
    changed = {**ids, "camera_ids": ids["camera_ids"].clone()}
    changed["camera_ids"][0, 2] = (changed["camera_ids"][0, 2] + 1) % 5  # the last of its three is heard
    assert (model(**changed).per_token_loss[0] - reference[0]).abs().max() > 1e-4


def test_a_path_without_padding_is_what_it_is_for_other_kinds(build_padded, ids):
    whole = {**only(ids, 3, 3), "camera_ids": only(ids, 3, 3)["camera_ids"].clone()}
    whole["camera_ids"][1, 4] = 0
    padded, other = build_padded(), build_padded(camera_kind="spectrum")
    assert torch.equal(padded(**whole).per_token_loss, other(**whole).per_token_loss)
    assert other(**whole).padding_share is None and padded(**whole).padding_share == 0


def test_nothing_is_learned_of_padding(build_padded, ids):
    model = build_padded()
    output = model(**ids)
    output.loss.backward()
    assert model.camera_embedding.table.weight.grad[PADDING].abs().max() == 0
    assert model.camera_embedding.table.weight.grad[:PADDING].abs().sum(1).min() > 0
    assert output.padding_share.item() == pytest.approx((6 + 2 + 8 + 0) / 4 / (5 + 9 + 4 + 7))


def test_only_what_all_pad_is_cut(build_padded, ids):
    model, seen = build_padded(), []
    model.decoder.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs), with_kwargs=True)
    for samples in ([0, 1], [2], [3, 0]):
        model(**only(ids, *samples))
    assert [one["inputs_embeds"].shape[1] for one in seen] == [16 + 7, 16 + 1, 16 + 9]
    positions = [one["position_ids"][0].tolist() for one in seen]
    assert positions == [[*range(8), *range(10, 25)], [0, 1, *range(10, 25)], [*range(25)]]
