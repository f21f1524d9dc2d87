"""Optimizer classes of torch.optim and pytorch_optimizer that a config names by import path.

Every class trains unless it is in `REFUSED`. The test of `tests/optimizers/test_package_optimizers`
runs all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

PACKAGES = ("torch.optim", "pytorch_optimizer")

_ONE_GROUP = "it takes one group of parameters, and the table gives each role a rate of its own"
_SECOND = "its step needs gradients that can be differentiated again: use sophia"
_WRAPPER = "it wraps another optimizer, which a config cannot give: write a function that builds it"
_TWO_PASSES = f"each step takes two passes, and {_WRAPPER}"
_MATRICES = "it takes matrices alone, and networks have vectors, too: use muon or moonlight"
_MUON = "it needs a mark on each group of parameters: use muon or moonlight"
_NETWORK = "it takes the network in place of its parameters"
_OWN_RATE = "it does not follow the learning rates of its groups, which the table scales"

# Classes that cannot train as a config names them, with the reason.
REFUSED: Mapping[str, str] = {
    "torch.optim:LBFGS": _ONE_GROUP,
    "torch.optim:Muon": _MATRICES,
    "torch.optim:Optimizer": "it is the base class of optimizers",
    "torch.optim:SparseAdam": "it takes sparse gradients alone",
    "pytorch_optimizer:A2Grad": _OWN_RATE,
    "pytorch_optimizer:AdaGO": _MUON,
    "pytorch_optimizer:AdaHessian": _SECOND,
    "pytorch_optimizer:AdaLOMO": _NETWORK,
    "pytorch_optimizer:AdaMuon": _MUON,
    "pytorch_optimizer:AdamMini": _NETWORK,
    "pytorch_optimizer:AliG": _OWN_RATE,
    "pytorch_optimizer:BSAM": (
        "it multiplies gradients by the weight decay, which the table scales by another rule"
    ),
    "pytorch_optimizer:DeMo": "it runs on several processes alone",
    "pytorch_optimizer:DistributedMuon": _MUON,
    "pytorch_optimizer:FriendlySAM": _TWO_PASSES,
    "pytorch_optimizer:GSAM": _TWO_PASSES,
    "pytorch_optimizer:LBFGS": _ONE_GROUP,
    "pytorch_optimizer:LOMO": _NETWORK,
    "pytorch_optimizer:LoRARite": "it updates pairs of low-rank factors alone, and here nothing",
    "pytorch_optimizer:LookSAM": _TWO_PASSES,
    "pytorch_optimizer:Lookahead": _WRAPPER,
    "pytorch_optimizer:Muon": _MUON,
    "pytorch_optimizer:MuonClip": _MUON,
    "pytorch_optimizer:NorMuon": _MUON,
    "pytorch_optimizer:OrthoGrad": _WRAPPER,
    "pytorch_optimizer:PCGrad": _WRAPPER,
    "pytorch_optimizer:SAM": _TWO_PASSES,
    "pytorch_optimizer:SafeFP16Optimizer": _WRAPPER,
    "pytorch_optimizer:ScheduleFreeWrapper": _WRAPPER,
    "pytorch_optimizer:SophiaH": _SECOND,
    "pytorch_optimizer:SpectralSphere": _MATRICES,
    "pytorch_optimizer:TRAC": _WRAPPER,
    "pytorch_optimizer:WSAM": _TWO_PASSES,
}

# Options without which a class does not follow the learning rates of its groups.
NEEDED_OPTIONS: Mapping[str, Mapping[str, bool | int]] = {
    "pytorch_optimizer:AdaFactor": {"relative_step": False},
    "pytorch_optimizer:ApolloDQN": {"warmup_steps": 0},
    "pytorch_optimizer:Ranger21": {"disable_lr_scheduler": True},
}

_PROPORTIONAL = {
    "torch.optim": ["ASGD", "SGD"],
    "pytorch_optimizer": [
        "AccSGD", "Adai", "AggMo", "MSVAG", "PID", "PNM", "QHM", "SGD", "SGDP", "SGDW",
        "ScheduleFreeSGD", "TAM",
    ],
}  # fmt: skip
_SCALE_FREE = {
    "torch.optim": [
        "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop",
    ],
    "pytorch_optimizer": [
        "ADOPT", "APOLLO", "AdEMAMix", "AdaBelief", "AdaDelta", "AdaGC", "AdaMax", "AdaMod",
        "AdaNorm", "AdaPNM", "AdaTAM", "Adam", "AdamC", "AdamP", "AdamS", "AdamW", "AdamWSN",
        "Adan", "Aida", "Ano", "BCOS", "CAME", "Conda", "EXAdam", "EmoFact", "EmoLynx", "EmoNavi",
        "Fira", "FlashAdamW", "GaLore", "Grams", "GrokFastAdamW", "LaProp", "Lion",
        "MARS", "Magma", "NAdam", "NovoGrad", "QHAdam", "RAdam", "RMSprop", "Ranger", "SCION",
        "SCIONLight", "SM3", "SOAP", "SPAM", "SPlus", "ScheduleFreeAdamW", "ScheduleFreeRAdam",
        "SignSGD", "StableAdamW", "StableSPAM", "Tiger", "Yogi",
    ],
}  # fmt: skip
# Gradient powers of classes: of their update with default options, once their warm-up is over.
# Classes whose update also grows with the weights, that find a rate by themselves, or whose power
# is between 0 and 1 have none.
GRADIENT_POWERS: Mapping[str, int] = {
    f"{package}:{name}": power
    for power, classes in ((1, _PROPORTIONAL), (0, _SCALE_FREE))
    for package, names in classes.items()
    for name in names
}
