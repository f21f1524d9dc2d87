"""Training without torch's compiler: nothing imports it, no number changes, and it stays usable."""

from __future__ import annotations

import json
import subprocess
import sys

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
from hypertransfer.training import build

def losses(optimizer, **values):
    run = spec(optimizer=optimizer, steps=8, checkpoints=[], **values)
    torch_compiler.leave_out(run)
    history = train(run, build.table(run), device=torch.device("cpu")).history
    return [loss.hex() for loss in history.train_loss]

found = {{name: losses(name) for name in {names}}}
imported = "torch._dynamo.utils" in sys.modules
{after}
print(json.dumps([found, imported]))
"""
# The compiler is used after training, by a function and by its settings.
COMPILING = """
torch._dynamo.config.suppress_errors = True
compiled = torch.compile(lambda x: (x + 1).sum(), backend="eager")
assert compiled(torch.ones(3)).item() == 6.0
import torch._dynamo.utils
assert torch._dynamo.utils is sys.modules["torch._dynamo.utils"]
assert sys.modules["torch._dynamo"] is torch._dynamo is torch_compiler.imported()
import torch._inductor.config
assert torch._inductor.config.deterministic
assert losses("sgd") == found["sgd"]
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


def test_the_compiler_can_be_used_later():
    _, imported = trained(["sgd"], after=COMPILING)
    assert not imported


def test_parts_of_the_user_have_the_compiler():
    _, imported = trained(["sgd"], after=OF_THE_USER)
    assert not imported
