"""Self-attention against its formula."""

import torch

from hypertransfer.networks.attention import SelfAttention


def test_attention_is_a_softmax_over_all_places_of_logits_over_the_head_size():
    mixing = SelfAttention(width=12, heads=3).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    q, k, v = (mixing.qkv.weight @ x.mT).mT.chunk(3, dim=-1)
    heads = []
    for h in range(3):
        part = slice(4 * h, 4 * h + 4)
        share = torch.softmax(q[..., part] @ k[..., part].mT / 4, dim=-1)
        heads.append(share @ v[..., part])
    expected = torch.cat(heads, -1) @ mixing.out.weight.T
    torch.testing.assert_close(mixing(x), expected)
