"""torch's global settings that change numbers."""

from __future__ import annotations

import torch


def reproducible() -> None:
    """Make torch deterministic and single-threaded, so that equal specs give equal results.

    All settings that change numbers get their defaults, whatever environment variables or
    the user's modules have set.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_flush_denormal(False)
    torch.set_float32_matmul_precision("highest")
    torch.backends.mkldnn.enabled = True
    torch.backends.cudnn.enabled = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = True
    for enable in ("flash", "mem_efficient", "math", "cudnn"):
        getattr(torch.backends.cuda, f"enable_{enable}_sdp")(True)
