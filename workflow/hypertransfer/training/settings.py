"""torch's global settings that change numbers."""

from __future__ import annotations

import torch


def reproducible(*, fill: bool = True) -> None:
    """Make torch deterministic and single-threaded, so that equal specs give equal results.

    With `fill`, new tensors are filled with NaN before their values are written, so that code which
    reads memory that nobody wrote gets NaN in place of numbers that differ from run to run. This
    takes up to a tenth of the time, and the library's own parts read no such memory.

    Besides, these settings get torch's defaults, whatever environment variables or the user's
    modules have set: the default dtype and device, gradients, denormal numbers, autocast (off), the
    precision of float32 in products, convolutions and recurrent layers, reductions of
    half-precision products, the path of an einsum, and the use of mkldnn, nnpack, cuDNN and the
    fast implementations of attention.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_flush_denormal(False)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    for kind in ("cpu", "cuda"):
        torch.set_autocast_enabled(kind, False)
    torch.backends.fp32_precision = "none"
    torch.backends.mkldnn.fp32_precision = "none"
    torch.backends.mkldnn.conv.fp32_precision = "none"
    torch.backends.mkldnn.rnn.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    torch.backends.opt_einsum.enabled = torch.backends.opt_einsum.is_available()
    if torch.backends.opt_einsum.enabled:
        torch.backends.opt_einsum.strategy = "auto"
    torch.backends.mha.set_fastpath_enabled(True)
    torch.backends.nnpack.set_flags(True)
    torch.backends.mkldnn.enabled = True
    torch.backends.mkldnn.deterministic = False
    torch.backends.cudnn.enabled = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.allow_tf32 = True
    products = torch.backends.cuda.matmul
    products.allow_fp16_reduced_precision_reduction = True
    products.allow_bf16_reduced_precision_reduction = True
    products.allow_fp16_accumulation = False
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(False)
    for enable in ("flash", "mem_efficient", "math", "cudnn"):
        getattr(torch.backends.cuda, f"enable_{enable}_sdp")(True)
