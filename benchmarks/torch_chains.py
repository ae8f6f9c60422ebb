"""A chain of our layers as a PyTorch module with the same weights: what the benchmarks compare with, and how weights go there.

Maps are channels last here and channels first there; sequences (1, T, D) here are (T, D) there.
Of PyTorch's two biases of an LSTM one stays 0.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from stacked.layers import GRU, LSTM, Convolution, Dense, Layer, Pooling, TransposedConvolution, Upsampling
from stacked.layers.maps import MapLayer
from stacked.network import Network

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "softplus": nn.Softplus, "linear": nn.Identity}


class ToMaps(nn.Module):
    """Rows (B, n) to (B, C, H, W)."""

    def __init__(self, layer: MapLayer):
        super().__init__()
        self.shape = layer.shape_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, *self.shape).permute(0, 3, 1, 2)


class ToRows(nn.Module):
    """(B, C, H, W) to rows (B, n) in our order."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).reshape(len(x), -1)


class Recurrent(nn.Module):
    """A GRU or an LSTM on maps (B, C, 1, T), with all its states."""

    def __init__(self, layer: GRU | LSTM, arrays: dict[str, Any]):
        super().__init__()
        kind = nn.GRU if isinstance(layer, GRU) else nn.LSTM
        self.cell = kind(layer.channels, layer.out_channels, batch_first=True)
        bias = arrays["bias"] if isinstance(layer, GRU) else np.stack([arrays["bias"], np.zeros_like(arrays["bias"])])
        self.cell.weight_ih_l0, self.cell.weight_hh_l0 = (
            as_tensor(arrays[name], 1, 0) for name in ("weight", "recurrent_weight")
        )
        self.cell.bias_ih_l0, self.cell.bias_hh_l0 = as_tensor(bias[0]), as_tensor(bias[1])
        self.cell.bias_hh_l0.requires_grad_(isinstance(layer, GRU))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cell(x[:, :, 0].transpose(1, 2))
        return states.transpose(1, 2).unsqueeze(2)


def as_tensor(array: Any, *axes: int) -> nn.Parameter:
    """A copy of an array with its axes in this order."""
    tensor = torch.from_numpy(array.copy())
    return nn.Parameter(tensor.permute(*axes).contiguous() if axes else tensor)


def _convolution(layer: Convolution | TransposedConvolution) -> nn.Module:
    kernel, stride = (layer.kernel_height, layer.kernel_width), (layer.stride_height, layer.stride_width)
    pad = (layer.pad_top, layer.pad_left)
    if isinstance(layer, Convolution):
        return nn.Conv2d(layer.channels, layer.out_channels, kernel, stride, pad)
    sizes = zip(layer.shape_out[:2], layer.shape_in[:2], kernel, stride, pad, strict=True)
    extra = [large - ((small - 1) * s - 2 * p + k) for large, small, k, s, p in sizes]
    return nn.ConvTranspose2d(layer.channels, layer.out_channels, kernel, stride, pad, tuple(extra))


def module_of(network: Network, logits: bool) -> nn.Sequential:
    """The module of a network, rows in and rows out; with ``logits`` without the last activation."""
    parts: list[nn.Module] = []
    on_maps = False
    for index, layer in enumerate(network.layers):
        arrays = network.arrays(index)
        maps = isinstance(layer, MapLayer)
        if maps != on_maps:
            parts.append(ToMaps(layer) if isinstance(layer, MapLayer) else ToRows())
        on_maps = maps
        parts.append(_module(layer, arrays))
        if isinstance(layer, GRU | LSTM):
            continue
        if not (logits and index == len(network.layers) - 1) and layer.activation != "linear":
            parts.append(ACTIVATIONS[layer.activation]())
    return nn.Sequential(*parts, *([ToRows()] if on_maps else []))


def _module(layer: Layer, arrays: dict[str, Any]) -> nn.Module:
    if isinstance(layer, GRU | LSTM):
        return Recurrent(layer, arrays)
    if isinstance(layer, Pooling):
        return nn.MaxPool2d((layer.kernel_height, layer.kernel_width), ceil_mode=True)
    if isinstance(layer, Upsampling):
        return nn.Upsample(size=layer.shape_out[:2])
    if isinstance(layer, Dense):
        module: nn.Module = nn.Linear(layer.n_in, layer.n_out)
        module.weight = as_tensor(arrays["weight"], 1, 0)
    else:
        assert isinstance(layer, Convolution | TransposedConvolution)
        module = _convolution(layer)
        module.weight = as_tensor(arrays["weight"], 3, 2, 0, 1)
    module.bias = as_tensor(arrays["bias"])
    return module
