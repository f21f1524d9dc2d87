"""GPT-2 of Hugging Face, unmodified, as a function of its width and depth."""

from __future__ import annotations

from transformers import GPT2Config, GPT2LMHeadModel


def build(n_embd: int, n_layer: int) -> GPT2LMHeadModel:
    """The network for texts of bytes, with heads of 16 dimensions."""
    config = GPT2Config(
        n_embd=n_embd,
        n_layer=n_layer,
        n_head=n_embd // 16,
        n_positions=64,
        vocab_size=256,
        bos_token_id=None,
        eos_token_id=None,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
    )
    return GPT2LMHeadModel(config)
