"""Which token comes next: the likeliest, or one by chance, and one that a grammar allows."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from quire_engine.errors import GenerationError
from quire_engine.settings import AnswerSettings

_TOP_K, _TOP_P, _MIN_P = 40, 0.95, 0.05
"""Of the likeliest tokens, above temperature 0; llama.cpp's usual values."""
_FEW = 256
"""So many of the likeliest tokens are held against the grammar before all are: all of 150,000 take long."""
_TOKEN = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Chooses the tokens of one reply: the likeliest at temperature 0, else by chance, alike for each seed.

    A token is chosen as if there were no grammar, and held against it; only when it is refused, the grammar
    goes through the others. The likeliest come first: what is left of them decides as all would, once it is
    as much as the choice looks at.
    """

    def __init__(self, binding: Any, vocabulary: Any, settings: AnswerSettings, grammar: str | None) -> None:
        """``vocabulary`` is llama.cpp's. Raises `GenerationError` for a grammar that is not GBNF."""
        self._binding = binding
        self._size = int(binding.llama_vocab_n_tokens(vocabulary))
        self._enough = 1 if settings.temperature == 0 else _TOP_K
        self._grammar: Any = None
        if grammar is not None:
            self._grammar = binding.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
            if not self._grammar:
                raise GenerationError(
                    "the grammar for the answer is malformed: it must be GBNF with a 'root'"
                )
        self._chain = binding.llama_sampler_chain_init(binding.llama_sampler_chain_default_params())
        parts = (
            [binding.llama_sampler_init_greedy()]
            if settings.temperature == 0
            else [
                binding.llama_sampler_init_top_k(_TOP_K),
                binding.llama_sampler_init_top_p(_TOP_P, 1),
                binding.llama_sampler_init_min_p(_MIN_P, 1),
                binding.llama_sampler_init_temp(settings.temperature),
                binding.llama_sampler_init_dist(settings.seed),
            ]
        )
        for part in parts:
            binding.llama_sampler_chain_add(self._chain, part)

    def next(self, context: Any, *, free: bool = False) -> int:
        """The token after what llama.cpp's ``context`` computed last; with ``free`` the grammar is not asked.

        Raises `GenerationError` when the grammar allows none of the model's tokens.
        """
        token = int(self._binding.llama_sampler_sample(self._chain, context, -1))
        if self._grammar is None or free:
            return token
        if not self._allows(token):
            token = self._allowed(context)
        # llama.cpp ends the process when it is told of a token that the grammar refuses.
        self._binding.llama_sampler_accept(self._grammar, token)
        return token

    def close(self) -> None:
        """Free what llama.cpp keeps."""
        for sampler in (self._chain, self._grammar):
            if sampler:
                self._binding.llama_sampler_free(sampler)
        self._chain = self._grammar = None

    def _allows(self, token: int) -> bool:
        candidates = np.array([(token, 1.0, 0.0)], dtype=_TOKEN)
        self._apply(self._grammar, candidates)
        return bool(np.isfinite(candidates["logit"][0]))

    def _allowed(self, context: Any) -> int:
        """The token that is chosen from those which the grammar allows."""
        pointer = self._binding.llama_get_logits_ith(context, -1)
        logits = np.ctypeslib.as_array(pointer, shape=(self._size,))
        for count in (min(_FEW, self._size), self._size):
            ids = np.arange(self._size)
            if count < self._size:
                ids = np.sort(np.argpartition(logits, self._size - count)[-count:])
            candidates = np.zeros(count, dtype=_TOKEN)
            candidates["id"] = ids
            candidates["logit"] = logits[ids]
            self._apply(self._grammar, candidates)
            candidates = candidates[np.isfinite(candidates["logit"])]
            if len(candidates) >= self._enough:
                break
        if not len(candidates):
            raise GenerationError("the grammar for the answer allows none of the model's words")
        chosen = self._apply(self._chain, candidates)
        return int(chosen.data[chosen.selected].id)

    def _apply(self, sampler: Any, candidates: np.ndarray[Any, Any]) -> Any:
        binding = self._binding
        data = candidates.ctypes.data_as(ctypes.POINTER(binding.llama_token_data))
        array = binding.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)
        binding.llama_sampler_apply(sampler, ctypes.byref(array))
        return array
