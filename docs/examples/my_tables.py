"""A parameterisation of one's own, for `parameterisation: "my_tables:mup_fixed_decay"`."""

from dataclasses import replace

from hypertransfer.parameterisation.algebra import Role, Rule
from hypertransfer.parameterisation.tables import MUP_ADAM, MUP_SGD, SCALE_FREE, SGD, W, depth

# µP for Adam whose hidden matrices keep the weight decay of the base, instead of m_N times it.
_FIXED = replace(
    MUP_ADAM,
    name="mup_fixed_decay",
    source="our choice: µP (Yang et al. 2203.03466, Table 8) without the rule for weight decay",
    rules={**MUP_ADAM.rules, Role.HIDDEN: Rule(init_std=W(-1 / 2), lr=W(-1), eps=W(-1))},
)

# One version for each optimizer family. Tables multiply: this one also scales with depth.
mup_fixed_decay = {
    SCALE_FREE: (_FIXED * depth(1 / 2, SCALE_FREE)).named("mup_fixed_decay"),
    SGD: (MUP_SGD * depth(1 / 2, SGD)).named("mup_fixed_decay"),
}
