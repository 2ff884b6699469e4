"""from_torch against PyTorch's own derivatives in double precision."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tangra
from conftest import torch_or_skip

torch = torch_or_skip()
nn = torch.nn


def kernel_of(module, x):
    """K[i,a,j,b] by autograd, and the derivatives by name."""
    module, x = copy.deepcopy(module).double(), x.double()
    if hasattr(torch.backends, "mha"):
        torch.backends.mha.set_fastpath_enabled(False)
    named = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    outputs = module(x).reshape(len(x), -1)
    rows = [
        [torch.autograd.grad(entry, [value for _, value in named], retain_graph=True) for entry in sample] for sample in outputs
    ]
    by_name = {
        name: np.array([[gradients[k].numpy() for gradients in sample] for sample in rows]) for k, (name, _) in enumerate(named)
    }
    matrix = np.concatenate([block.reshape(outputs.numel(), -1) for block in by_name.values()], axis=1)
    n, o = outputs.shape
    return (matrix @ matrix.T).reshape(n, o, n, o), by_name


def agree(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


def check(module, x):
    model = tangra.from_torch(module, x)
    kernel, by_name = kernel_of(module, x)
    trained = [name for name, value in module.named_parameters() if value.requires_grad]
    assert list(model.parameters) == trained
    assert {n: v.shape for n, v in model.parameters.items()} == {
        n: tuple(v.shape) for n, v in module.named_parameters() if v.requires_grad
    }
    assert model.precision == str(next(module.parameters()).dtype).removeprefix("torch.")
    agree(model.kernel(x, reduce="full", precision="float64").values, kernel)
    jacobian = model.jacobian(x, precision="float64")
    scale = max(np.abs(block).max() for block in by_name.values())
    for name in trained:
        assert np.abs(jacobian[name] - by_name[name]).max() <= 1e-10 * scale, name
    return model


def mlp():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3))


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        short = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + short)


class ResNet18(nn.Module):
    """torchvision's, for ten classes and 32 x 32, with `width` channels in place of 64."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        for k in range(1, 5):
            stride = 1 if k == 1 else 2
            layers = nn.Sequential(Block(widths[k - 1], widths[k], stride), Block(widths[k], widths[k], 1))
            setattr(self, f"layer{k}", layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[4], 10)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def with_statistics(module, x):
    """Batch normalisation that has seen data."""
    module.train()
    for _ in range(3):
        module(x + torch.randn_like(x))
    return module.eval()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.out = nn.Linear(6, 6, bias=False)
        self.out.weight = self.first.weight

    def forward(self, x):
        return self.out(torch.tanh(self.second(torch.tanh(self.first(x)))))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_dense_network():
    model = check(mlp(), torch.randn(3, 6))
    assert "outputs agree" in repr(model)


def test_double_precision_and_one_sample():
    check(mlp().double(), torch.randn(1, 6).double())


def test_lenet():
    module = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.LeakyReLU(1 / 3), nn.Linear(84, 10),
    )
    check(module, torch.randn(2, 1, 28, 28))


def test_resnet18():
    x = torch.randn(2, 3, 32, 32)
    check(with_statistics(ResNet18(8), torch.cat([x, x + 1])), x)


def test_transformer_layer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu", layer_norm_eps=1 / 3e4).eval()
    check(layer, torch.randn(2, 5, 8))


def test_frozen_transformer_layer():
    """Where nothing requires a gradient, attention is another operator in PyTorch."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval().requires_grad_(False)
    check(nn.Sequential(layer, nn.Flatten(), nn.Linear(40, 2)), torch.randn(2, 5, 8))


def test_code_of_ones_own():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3, padding=1, stride=2)
            self.norm = nn.GroupNorm(2, 4)
            self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
            self.scale = nn.Parameter(torch.tensor(1.5))
            self.table = nn.Parameter(torch.randn(8, 3))
            self.register_buffer("shift", torch.full((1, 4, 3, 3), 0.1))

        def forward(self, x):
            h = nn.functional.silu(self.norm(self.conv(x))) + self.shift
            h = self.scale * torch.cat([self.up(h), x], dim=1)
            h = nn.functional.avg_pool2d(h, 3)
            h = h.view(x.size(0), 4, -1).mean(dim=-1)
            h = torch.cat([h, h.amax(dim=1, keepdim=True).expand(-1, 4)], dim=1)
            return torch.log_softmax(h @ self.table, dim=-1)

    model = check(Own(), torch.randn(3, 2, 6, 6))
    assert model.parameters["scale"].shape == () and set(model.frozen) == {"shift"}


def test_tied_weights():
    model = check(Tied(), torch.randn(3, 6))
    assert list(model.parameters) == ["first.weight", "first.bias", "second.bias"]


def test_frozen_layers():
    module = mlp()
    module[0].requires_grad_(False)
    module[2].bias.requires_grad_(False)
    model = check(module, torch.randn(3, 6))
    assert set(model.frozen) == {"0.weight", "0.bias", "2.bias"}


def test_equal_values_stay_apart():
    """Gains of ones and biases of zeros, all alike: an exporter that merges them ties them."""
    module = nn.Sequential(
        nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.BatchNorm1d(6), nn.LayerNorm(6), nn.Linear(6, 6), nn.LayerNorm(6)
    ).eval()
    nn.init.zeros_(module[0].bias)
    nn.init.zeros_(module[5].bias)
    model = check(module, torch.randn(3, 6))
    assert len(model.parameters) == 12


def test_batch_normalisation_is_not_folded():
    module = with_statistics(nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, eps=1 / 3e3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)),
                             torch.randn(8, 2, 6, 6))
    model = check(module, torch.randn(3, 2, 6, 6))
    assert {"1.weight", "1.bias"} <= set(model.parameters)
    assert {"1.running_mean", "1.running_var"} <= set(model.frozen)


def test_constants_are_in_double_precision():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 4)

        def forward(self, x):
            return nn.functional.elu(self.inner(x) * (1 / 3), alpha=0.7 / 3) / 7**0.5

    check(Scaled(), torch.randn(3, 6))


def test_training_step_without_another_export():
    module = mlp()
    x = torch.randn(4, 6)
    model = tangra.from_torch(module, x)
    before = model.kernel(x, reduce="trace").values
    optimiser = torch.optim.SGD(module.parameters(), lr=0.5)
    module(x).square().mean().backward()
    optimiser.step()
    model.parameters.update(dict(module.named_parameters()))
    agree(model.kernel(x, reduce="full", precision="float64").values, kernel_of(module, x)[0])
    assert not np.allclose(model.kernel(x, reduce="trace").values, before)


def test_the_module_is_left_as_it_was():
    module = mlp()
    module[0].requires_grad_(False)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    tangra.from_torch(module, torch.randn(2, 6))
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert not module[0].weight.requires_grad and all(value.grad is None for value in module.parameters())


@pytest.mark.parametrize("module, message", [
    (nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)), r"1: BatchNorm in training mode.*eval\(\)"),
    (nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=False)).eval(), "without running statistics"),
    (nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)), "Dropout in training mode"),
    (nn.Linear(6, 6).requires_grad_(False), "requires a gradient"),
])
def test_refused(module, message):
    with pytest.raises(ValueError, match=message):
        tangra.from_torch(module, torch.randn(2, 6))


def test_unused_parameters_are_told():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(6, 2)
            self.unused = nn.Linear(6, 2)

        def forward(self, x):
            return self.used(x)

    with pytest.warns(UserWarning, match="unused.weight, unused.bias"):
        model = tangra.from_torch(Unused(), torch.randn(2, 6))
    assert list(model.parameters) == ["used.weight", "used.bias"]


def test_tensors_as_samples():
    module = mlp().double()
    x = torch.randn(3, 6).double()
    model = tangra.from_torch(module, x)
    np.testing.assert_array_equal(model(x.requires_grad_()), model(x.detach().numpy()))
    np.testing.assert_allclose(model(x), module(x).detach().numpy(), rtol=1e-12)


def test_support_vectors_of_a_module():
    """A network from PyTorch as the kernel of an estimator."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.svm import SVC

    module = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1)).double()
    x = torch.randn(60, 6).double()
    model = tangra.from_torch(module, x[:2])
    labels = (x[:, 0] * x[:, 1] > 0).numpy()
    machine = SVC(kernel=lambda a, b: model.kernel(a, b).values, C=1e3).fit(x.numpy(), labels)
    assert machine.score(x.numpy(), labels) > 0.9


def test_what_pytorch_cannot_export_is_said_in_one_line():
    module = torch.nn.Sequential(torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(6, 6)))
    with pytest.raises(NotImplementedError, match="PyTorch cannot export this module: .*matrix_exp") as caught:
        tangra.from_torch(module.eval(), torch.randn(2, 6))
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
