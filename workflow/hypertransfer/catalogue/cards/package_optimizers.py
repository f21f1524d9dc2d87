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

# Options without which a class does not follow the learning rates of its groups; MARS, their decay.
NEEDED_OPTIONS: Mapping[str, Mapping[str, bool | int]] = {
    "pytorch_optimizer:AdaFactor": {"relative_step": False},
    "pytorch_optimizer:ApolloDQN": {"warmup_steps": 0},
    "pytorch_optimizer:MARS": {"optimize_1d": True},
    "pytorch_optimizer:Ranger21": {"disable_lr_scheduler": True},
}

# Values with which a weight decay is decoupled, of every class that has the option: one step
# shrinks a weight by lr·weight_decay, whatever the gradient. Steps that a class damps or averages
# as a whole (APOLLO, Magma, Ranger, StableAdamW, ScheduleFreeAdamW) shrink it by as much less.
DECOUPLING: Mapping[str, bool] = {
    "weight_decouple": True,
    "decoupled_weight_decay": True,
    "fixed_decay": False,
    "decouple_lr": False,
}
# The same, of single classes.
DECOUPLING_OF: Mapping[str, Mapping[str, bool | str]] = {
    "pytorch_optimizer:AdaFactor": {"scale_parameter": False},
    "pytorch_optimizer:ApolloDQN": {"weight_decay_type": "decoupled"},
}
# Classes whose decay is as good without `weight_decouple`: of Adan it is a proximal step, and the
# others add it to a gradient that they do not normalise.
DECOUPLED_ANYWAY = tuple(f"pytorch_optimizer:{name}" for name in ("Adan", "PID", "QHM", "SGDW"))

_IN_GRADIENT = "it adds the decay to the gradient, and then divides by the gradient's size"
_TRUST = "a ratio of norms of weights and updates scales it"
_FOUND_RATE = "a rate that it finds by itself scales it"
# Classes whose weight decay no option decouples, with the reason.
COUPLED: Mapping[str, str] = {
    "torch.optim:Adadelta": _IN_GRADIENT,
    "torch.optim:Adagrad": _IN_GRADIENT,
    "torch.optim:Adamax": _IN_GRADIENT,
    "torch.optim:RMSprop": _IN_GRADIENT,
    "pytorch_optimizer:ASGD": _FOUND_RATE,
    "pytorch_optimizer:AdaSmooth": _FOUND_RATE,
    "pytorch_optimizer:AdamS": "it divides the decay by the gradients' size",
    "pytorch_optimizer:DAdaptAdaGrad": _FOUND_RATE,
    "pytorch_optimizer:DAdaptAdam": _FOUND_RATE,
    "pytorch_optimizer:DAdaptAdan": _FOUND_RATE,
    "pytorch_optimizer:DAdaptLion": _FOUND_RATE,
    "pytorch_optimizer:DAdaptSGD": _FOUND_RATE,
    "pytorch_optimizer:FAdam": _IN_GRADIENT,
    "pytorch_optimizer:FOCUS": "it shrinks weights by an average of theirs",
    "pytorch_optimizer:Kron": "it shrinks matrices alone, and no vectors",
    "pytorch_optimizer:LARS": _TRUST,
    "pytorch_optimizer:Lamb": _TRUST,
    "pytorch_optimizer:MADGRAD": "it sums gradients from the initial weights, to which it returns",
    "pytorch_optimizer:Prodigy": _FOUND_RATE,
    "pytorch_optimizer:RMSprop": _IN_GRADIENT,
    "pytorch_optimizer:SPlus": "the sizes of a matrix divide it",
    "pytorch_optimizer:SaRA": "it has no effect",
}

# Classes whose step takes a closure that computes the loss (extensions.ReevaluatingOptimizer).
WITH_CLOSURE = tuple(f"pytorch_optimizer:{name}" for name in ("EmoFact", "EmoLynx", "EmoNavi"))

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
