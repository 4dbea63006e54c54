"""The decoder's keys and values while a video is written: memory for all of them at once, since their number is known.

transformers' own `DynamicCache` copies everything so far at every token. What holds: the
same keys and values, bit for bit (a test says so); layers of other kinds, as those with a sliding window, are transformers' own.
"""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import DynamicCache, DynamicLayer


class PreallocatedLayer(DynamicLayer):
    """`DynamicLayer` for at most `length` tokens."""

    def __init__(self, length: int):
        super().__init__()
        self.length = length

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        batch, heads, _, size = key_states.shape
        self.all_keys = key_states.new_empty(batch, heads, self.length, size)
        self.all_values = value_states.new_empty(batch, heads, self.length, value_states.shape[-1])

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """New keys and values `[B, H, n, D]` -> all so far, views of the memory."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        first = self.get_seq_length()
        end = first + key_states.shape[2]
        self.all_keys[:, :, first:end] = key_states
        self.all_values[:, :, first:end] = value_states
        self.keys, self.values = self.all_keys[:, :, :end], self.all_values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keys and values of the samples `[B]` of those so far, with as much memory for each as before."""
        end = self.get_seq_length()
        self.all_keys, self.all_values = (_select(memory, indices, end) for memory in (self.all_keys, self.all_values))
        self.keys, self.values = self.all_keys[:, :, :end], self.all_values[:, :, :end]


def _select(memory: Tensor, indices: Tensor, end: int) -> Tensor:
    selected = memory.new_empty(len(indices), *memory.shape[1:])
    selected[:, :, :end] = memory[indices, :, :end]
    return selected


def key_value_cache(config: PreTrainedConfig, length: int) -> DynamicCache:
    """A cache for a decoder of this configuration and `length` tokens."""
    cache = DynamicCache(config=config)
    cache.layers = [PreallocatedLayer(length) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
