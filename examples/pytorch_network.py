"""The kernel of a PyTorch network, before and after a step of training, without another export."""

import numpy as np
import torch
from torch import nn

import tangra

torch.manual_seed(0)
module = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10)
).eval()
x = torch.from_numpy(tangra.data("digits", n=20).x).float()

model = tangra.from_torch(module, x[:2])
print(model)
print(model.summary())
before = model.kernel(x, reduce="trace", by="layer")
print(before)

optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
module(x).logsumexp(dim=1).mean().backward()
optimiser.step()
model.parameters.update(dict(module.named_parameters()))
after = model.kernel(x, reduce="trace")
print(f"one step has changed it by {np.linalg.norm(after.values - before.values) / np.linalg.norm(before.values):.1%}")
