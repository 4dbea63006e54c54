"""The two 18-bit quantizers: exact ids, live gradients, and a loss that wants every code used."""

import pytest
import torch

from camvig.modeling_camvig.configuration_visual_tokenizer import QUANTIZER_LEVELS
from camvig.modeling_camvig.quantizers import FiniteScalarQuantizer, LookupFreeQuantizer, build_quantizer

VOCABULARY = 2**18
both_kinds = pytest.mark.parametrize("kind", ["lfq", "fsq"])


def build(kind):
    return build_quantizer(kind, QUANTIZER_LEVELS[kind])


@both_kinds
def test_every_id_survives_the_round_trip(kind):
    quantizer = build(kind)
    ids = torch.arange(VOCABULARY)
    codes = quantizer.ids_to_codes(ids)
    assert quantizer.vocab_size == VOCABULARY
    assert codes.shape == (VOCABULARY, len(QUANTIZER_LEVELS[kind])) and codes.abs().max() == 1
    assert torch.equal(quantizer.codes_to_ids(codes), ids)
    assert torch.equal(quantizer.ids_to_codes(quantizer.codes_to_ids(codes)), codes)


@both_kinds
def test_ids_of_a_grid_keep_its_shape_and_extremes(kind):
    quantizer = build(kind)
    ids = torch.randint(0, VOCABULARY, (2, 5, 4, 4), generator=torch.Generator().manual_seed(0))
    ids[0, 0, 0, :2] = torch.tensor([0, VOCABULARY - 1])
    codes = quantizer.ids_to_codes(ids)
    assert torch.equal(quantizer.codes_to_ids(codes), ids)
    assert (codes[0, 0, 0, 0] == -1).all() and (codes[0, 0, 0, 1] == 1).all()


@both_kinds
def test_ids_forgive_rounding_errors_of_a_straight_through_code(kind):
    quantizer = build(kind)
    ids = torch.randint(0, VOCABULARY, (1000,), generator=torch.Generator().manual_seed(1))
    noise = 0.02 * torch.randn(1000, len(quantizer.levels), generator=torch.Generator().manual_seed(2))
    assert torch.equal(quantizer.codes_to_ids(quantizer.ids_to_codes(ids) + noise), ids)


@both_kinds
def test_a_quantized_latent_is_the_code_of_its_id(kind):
    quantizer = build(kind)
    latent = 3 * torch.randn(4, 7, len(quantizer.levels), generator=torch.Generator().manual_seed(3))
    codes, _ = quantizer(latent)
    torch.testing.assert_close(quantizer.ids_to_codes(quantizer.codes_to_ids(codes)), codes)


@both_kinds
@pytest.mark.parametrize("sign, expected", [(-1.0, 0), (1.0, VOCABULARY - 1)])
def test_extreme_latents_reach_the_first_and_the_last_id(kind, sign, expected):
    quantizer = build(kind)
    codes, auxiliary_loss = quantizer(torch.full((2, len(quantizer.levels)), sign * 1e4))
    assert quantizer.codes_to_ids(codes).tolist() == [expected, expected]
    assert torch.isfinite(auxiliary_loss)


@both_kinds
def test_the_first_channel_is_the_least_significant_digit(kind):
    quantizer = build(kind)
    code = -torch.ones(len(quantizer.levels))
    code[0] = 1
    assert quantizer.codes_to_ids(code) == quantizer.levels[0] - 1


@both_kinds
def test_the_gradient_passes_straight_through(kind):
    quantizer = build(kind)
    latent = torch.randn(50, len(quantizer.levels), generator=torch.Generator().manual_seed(4)).requires_grad_()
    codes, _ = quantizer(latent)
    codes.sum().backward()
    assert latent.grad is not None and (latent.grad > 0).all()


def test_lookup_free_codes_are_signs_and_ids_their_bits():
    quantizer = build("lfq")
    latent = torch.randn(20, 18, generator=torch.Generator().manual_seed(5))
    codes, _ = quantizer(latent)
    bits = (latent > 0).long()
    torch.testing.assert_close(codes, bits * 2.0 - 1)
    assert quantizer.codes_to_ids(codes).tolist() == [
        sum(bit << i for i, bit in enumerate(row)) for row in bits.tolist()
    ]


def test_lookup_free_entropy_loss_prefers_balanced_and_certain_signs():
    quantizer = LookupFreeQuantizer(QUANTIZER_LEVELS["lfq"], commitment_weight=0.0)
    balanced = torch.ones(64, 18) * torch.where(torch.arange(64) % 2 == 0, 1.0, -1.0)[:, None]
    loss = {
        "balanced": quantizer(balanced)[1],
        "one_code": quantizer(balanced.abs())[1],
        "uncertain": quantizer(balanced * 0.01)[1],
    }
    assert loss["balanced"] < loss["one_code"] - 0.01
    assert loss["balanced"] < loss["uncertain"] - 0.01


def test_lookup_free_commitment_pulls_latents_to_plus_or_minus_one():
    quantizer = LookupFreeQuantizer(QUANTIZER_LEVELS["lfq"], entropy_weight=0.0)
    latent = torch.tensor([[3.0, -3.0, 0.2, -0.2] + [1.0] * 14], requires_grad=True)
    quantizer(latent)[1].backward()
    assert latent.grad is not None
    assert latent.grad[0, :4].sign().tolist() == [1, -1, -1, 1] and (latent.grad[0, 4:] == 0).all()


def test_finite_scalar_codes_are_evenly_spaced_levels_in_order():
    quantizer = FiniteScalarQuantizer([8, 5, 3])
    codes, _ = quantizer(torch.linspace(-9, 9, 2001)[:, None].expand(-1, 3))
    for channel, levels in enumerate(quantizer.levels):
        values = codes[:, channel]
        torch.testing.assert_close(
            values.mul(1e4).round().unique() / 1e4, torch.linspace(-1, 1, levels), atol=1e-4, rtol=0
        )
        assert (values.diff() > -1e-6).all()
    assert quantizer.vocab_size == 120


def test_finite_scalar_penalty_grows_with_saturation():
    quantizer = build("fsq")
    assert quantizer(torch.zeros(3, 6))[1] == 0
    assert quantizer(torch.full((3, 6), 9.0))[1] > quantizer(torch.full((3, 6), 1.0))[1] > 0


def test_lookup_free_losses_are_entropies_in_nats_a_digit():
    quantizer = build("lfq")
    ids = torch.randint(0, VOCABULARY, (20000,), generator=torch.Generator().manual_seed(6))
    everything = quantizer.losses(8 * quantizer.ids_to_codes(ids))
    assert everything["sample_entropy"] < 1e-3
    torch.testing.assert_close(everything["batch_entropy"], torch.tensor(2.0).log(), atol=5e-3, rtol=0)
    assert quantizer.losses(quantizer.ids_to_codes(ids))["commitment"] == 0
    nothing = quantizer.losses(torch.zeros(50, 18))
    torch.testing.assert_close(nothing["sample_entropy"], torch.tensor(2.0).log())
    assert quantizer.losses(torch.full((50, 18), 8.0))["batch_entropy"] < 1e-3


def test_digits_that_repeat_each_other_count_once_in_the_batch_entropy():
    sign = torch.where(torch.arange(64) % 2 == 0, 8.0, -8.0)[:, None]
    repeated = build("lfq").losses(sign.expand(-1, 18))["batch_entropy"]
    torch.testing.assert_close(repeated, torch.tensor(2.0).log() / 9, atol=1e-4, rtol=0)


def test_finite_scalar_commitment_begins_where_all_levels_are_reached():
    quantizer = build("fsq")
    edge = torch.tensor([[-4.0, 4.0] * 3])
    assert quantizer.losses(edge)["commitment"] == 0 and quantizer.losses(edge + 1)["commitment"] > 0
    assert quantizer.codes_to_ids(quantizer(edge)[0]) == quantizer.codes_to_ids(edge.sign())
