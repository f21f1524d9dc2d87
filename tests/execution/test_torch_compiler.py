"""Training without torch's compiler: nothing imports it, no number changes, and it stays usable."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS

# Trains a run with each optimizer.
TRAINING = """
import json, sys
sys.path[:0] = {path}
import torch
{before}
from tests.support.interrupted import spec
from hypertransfer.execution import torch_compiler
from hypertransfer.training.loop import train
from hypertransfer.training import imports, build

def losses(optimizer, **values):
    run = spec(optimizer=optimizer, steps=8, checkpoints=[], **values)
    torch_compiler.leave_out(run)
    history = train(run, imports.table(run), device=torch.device("cpu")).history
    return [loss.hex() for loss in history.train_loss]

found = {{name: losses(name) for name in {names}}}
imported = "torch._dynamo.utils" in sys.modules
{after}
print(json.dumps([found, imported]))
"""
# After training, the compiler is imported by what stands in the place of IMPORT, and used.
COMPILING = """
IMPORT
assert sys.modules["torch._dynamo"] is torch._dynamo is torch_compiler.imported()
import torch._dynamo.config, torch._dynamo.utils, torch._inductor.config
for name in ("config", "utils", "trace_rules"):
    module = sys.modules["torch._dynamo." + name]
    assert getattr(torch._dynamo, name) is module, name
    assert module.__spec__.origin.endswith(name + ".py")
torch._dynamo.config.recompile_limit = 77
assert torch._dynamo.convert_frame.config.recompile_limit == 77
assert torch._inductor.config.deterministic
assert not hasattr(torch.optim.Optimizer.zero_grad.__wrapped__, "__dynamo_disable")
compiled = torch.compile(lambda x: (x + 1).sum(), backend="eager")
assert compiled(torch.ones(3)).item() == 6.0
assert losses("sgd") == found["sgd"]
assert torch.optim.Optimizer.zero_grad.__wrapped__.__dynamo_disable is not None
"""
# A run with a part of the user imports the compiler in place of the module that stands for it.
OF_THE_USER = """
losses("torch.optim:SGD")
assert sys.modules["torch._dynamo"] is torch._dynamo
assert not isinstance(torch._dynamo, torch_compiler.Unused)
"""


def trained(names, before="", after=""):
    script = TRAINING.format(path=sys.path, names=list(names), before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_optimizer_of_ours_imports_the_compiler_and_the_losses_are_the_same():
    losses, imported = trained(OPTIMIZERS)
    assert not imported
    with_it, imported = trained(OPTIMIZERS, before="import torch._dynamo")
    assert imported
    assert losses == with_it


@pytest.mark.parametrize(
    "text",
    [
        "import torch._dynamo.config",
        "from torch._dynamo.utils import counters",
        "torch.compiler.disable(recursive=False)",
        "torch.compile(lambda x: x + 1, backend='eager')(torch.ones(3))",
        "torch.func.grad(lambda x: (x * x).sum())(torch.ones(3))",
    ],
)
def test_the_compiler_can_be_used_later(text):
    _, imported = trained(["sgd"], after=COMPILING.replace("IMPORT", text))
    assert not imported


def test_the_module_that_stands_for_the_compiler_can_be_looked_for():
    looked = 'import importlib.util; assert importlib.util.find_spec("torch._dynamo").origin'
    _, imported = trained(["sgd"], after=looked)
    assert not imported


def test_parts_of_the_user_have_the_compiler():
    _, imported = trained(["sgd"], after=OF_THE_USER)
    assert not imported
