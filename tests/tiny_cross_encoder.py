"""Cross-encoders with random weights and a small vocabulary, saved as transformers saves them."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

WORDS = (
    "the a of in and kiln clay rose roses garden prune fire glaze soil moist compost when should i cut back"
    " my bushes before buds open march early cools two days long is hot note text about question answer"
).split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [*string.ascii_lowercase, *string.digits, *string.punctuation, "é", "桜"]
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in string.ascii_lowercase), *WORDS]
VOCABULARY = list(dict.fromkeys(VOCABULARY))


def save_tokenizer(folder: Path, max_tokens: int | None, *, typed: bool, padding: str = "[PAD]") -> None:
    """A WordPiece tokenizer of BERT's kind; ``typed`` when the model wants the types of tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token=padding,
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])],
        **({} if max_tokens is None else {"model_max_length": max_tokens}),
    ).save_pretrained(folder)


def bert(folder: Path, *, seed: int = 7, max_tokens: int | None = 64, **changes: Any) -> Path:
    """A `BertForSequenceClassification` of two layers and, unless ``num_labels`` says more, one output."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    fields: dict[str, Any] = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "max_position_embeddings": 64,
        "initializer_range": 0.3,
        "num_labels": 1,
    }
    BertForSequenceClassification(BertConfig(**(fields | changes))).save_pretrained(folder)
    save_tokenizer(folder, max_tokens, typed=True)
    return folder


def roberta(folder: Path) -> Path:
    """A `RobertaForSequenceClassification`: other names, no token types, positions after its padding's id."""
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(7)
    config = RobertaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=64 + VOCABULARY.index("[MASK]") + 1,
        type_vocab_size=1,
        pad_token_id=VOCABULARY.index("[MASK]"),
        initializer_range=0.3,
        num_labels=1,
    )
    RobertaForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder, 64, typed=False, padding="[MASK]")
    return folder
