"""The multi-task affect network with three interchangeable convolution units.

One skeleton (levels 1 to 5 of ESPNetv2 at scale 2) carries EESP, MobileNet or Bottleneck units and
ends in one linear layer: 8 expression logits, valence, arousal and 12 action unit logits in the
order of ``shared.channels.CHANNELS``, or fewer outputs for a single task.

Sources: Li et al., ICIP 2019 (network and tasks); Mehta et al., CVPR 2019, "ESPNetv2" (EESP unit,
down-sampler, input reinforcement); Howard et al. 2017 (MobileNet); He et al., CVPR 2016
(Bottleneck). Parameter and multiply-accumulate counts equal the published ones, and the entries of
the state dict carry the published names, so published checkpoints load strictly. Two parts exist
only for that: the reinforcement of level 5's down-sampler and the last PReLU of every stride-2
unit hold weights that no forward pass uses.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args

import torch
from torch import Tensor, nn

from shared.channels import CHANNELS

__all__ = [
    "UNITS",
    "AffectNetwork",
    "Unit",
    "count_macs",
    "count_parameters",
]

Unit = Literal["eesp", "mobilenet", "bottleneck"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)

_BRANCHES: Final = 4
_DROPOUT: Final = 0.2


class _ConvNormAct(nn.Module):
    """Convolution, batch normalisation, PReLU; padding keeps the size, the stride divides it."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs)
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class _ConvNorm(nn.Module):
    """1x1 convolution and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))  # type: ignore[no-any-return]


class _NormAct(nn.Module):
    """Batch normalisation and PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(x))  # type: ignore[no-any-return]


class _DilatedDepthwise(nn.Module):
    """3x3 depthwise convolution with a dilation and nothing after it."""

    def __init__(self, channels: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # type: ignore[no-any-return]


def _dilations(receptive_limit: int) -> list[int]:
    """Dilations of the four branches: effective kernels 3, 5, 7, 9, above the limit back to 3."""
    kernels = (3 + 2 * branch for branch in range(_BRANCHES))
    return sorted((kernel if kernel <= receptive_limit else 3) // 2 for kernel in kernels)


def _finish(out: Tensor, x: Tensor, act: nn.Module, stride: int) -> Tensor:
    """Residual and last activation; a stride-2 unit has neither, its down-sampler acts instead."""
    if stride != 1:
        return out
    return act(out + x if out.shape == x.shape else out)  # type: ignore[no-any-return]


class _EespUnit(nn.Module):
    """Reduce, four dilated depthwise branches summed hierarchically, expand (ESPNetv2, Fig. 1)."""

    def __init__(self, inputs: int, outputs: int, stride: int, receptive_limit: int) -> None:
        super().__init__()
        width = outputs // _BRANCHES
        self.proj_1x1 = _ConvNormAct(inputs, width, 1, groups=_BRANCHES)
        self.spp_dw = nn.ModuleList(
            _DilatedDepthwise(width, stride, dilation) for dilation in _dilations(receptive_limit)
        )
        self.conv_1x1_exp = _ConvNorm(outputs, outputs, groups=_BRANCHES)
        self.br_after_cat = _NormAct(outputs)
        self.module_act = nn.PReLU(outputs)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.proj_1x1(x)
        sums: list[Tensor] = []
        for branch in self.spp_dw:
            out = branch(reduced)
            sums.append(out + sums[-1] if sums else out)
        expanded = self.conv_1x1_exp(self.br_after_cat(torch.cat(sums, 1)))
        return _finish(expanded, x, self.module_act, self.stride)


class _MobileNetUnit(nn.Module):
    """Depthwise 3x3, then dense 1x1, which carries the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int, receptive_limit: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.PReLU(inputs)
        self.conv2 = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.PReLU(outputs)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return _finish(out, x, self.relu2, self.stride)


class _BottleneckUnit(nn.Module):
    """1x1 reduction to a quarter, 3x3 with the stride, 1x1 expansion."""

    def __init__(self, inputs: int, outputs: int, stride: int, receptive_limit: int) -> None:
        super().__init__()
        width = outputs // 4
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.PReLU(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu3 = nn.PReLU(outputs)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        return _finish(self.bn3(self.conv3(out)), x, self.relu3, self.stride)


_UNIT_CLASSES: Final[Mapping[Unit, type[nn.Module]]] = {
    "eesp": _EespUnit,
    "mobilenet": _MobileNetUnit,
    "bottleneck": _BottleneckUnit,
}


class _DownSampler(nn.Module):
    """Halve the size: the pooled input beside a stride-2 unit, plus the reinforced picture."""

    def __init__(self, unit: Unit, inputs: int, outputs: int, receptive_limit: int) -> None:
        super().__init__()
        # The published checkpoints name this entry `eesp` whatever the unit is.
        self.eesp = _UNIT_CLASSES[unit](inputs, outputs - inputs, 2, receptive_limit)
        self.pool = nn.AvgPool2d(3, 2, 1)
        self.inp_reinf = nn.Sequential(_ConvNormAct(3, 3, 3), _ConvNorm(3, outputs))
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor, picture: Tensor | None) -> Tensor:
        out = torch.cat([self.pool(x), self.eesp(x)], 1)
        if picture is not None:
            out = out + self.inp_reinf(picture)
        return self.act(out)  # type: ignore[no-any-return]


class AffectNetwork(nn.Module):
    """Face crops in, affect outputs out.

    Parameters
    ----------
    unit : {"eesp", "mobilenet", "bottleneck"}
        Convolution unit of the skeleton.
    num_outputs : int, default 22
        22 for the multi-task network in the order of ``CHANNELS``; 8, 1, 1 and 12 for the four
        single-task networks.

    Notes
    -----
    Fully convolutional up to a global average: any input of 32 pixels a side or more works. The
    published counts are for 224 x 224.
    """

    def __init__(self, unit: Unit = "eesp", num_outputs: int = len(CHANNELS)) -> None:
        super().__init__()
        if unit not in UNITS:
            raise ValueError(f"unit {unit!r} asked; choose one of {', '.join(UNITS)}")
        if num_outputs < 1:
            raise ValueError(f"num_outputs {num_outputs} asked; 1 or more are needed")
        self.unit: Unit = unit
        self.num_outputs = num_outputs
        build = _UNIT_CLASSES[unit]
        self.level1 = _ConvNormAct(3, 32, 3, 2)
        self.level2_0 = _DownSampler(unit, 32, 128, 13)
        self.level3_0 = _DownSampler(unit, 128, 256, 11)
        self.level3 = nn.ModuleList(build(256, 256, 1, 9) for _ in range(3))
        self.level4_0 = _DownSampler(unit, 256, 512, 9)
        self.level4 = nn.ModuleList(build(512, 512, 1, 7) for _ in range(7))
        self.level5_0 = _DownSampler(unit, 512, 1024, 7)
        self.level5 = nn.ModuleList(build(1024, 1024, 1, 5) for _ in range(3))
        self.level5.append(_ConvNormAct(1024, 1024, 3, groups=1024))
        self.level5.append(_ConvNormAct(1024, 512, 1, groups=1))
        self.classifier = nn.Linear(512, num_outputs)
        self.dropout = nn.Dropout(_DROPOUT)
        self.shrink = nn.AvgPool2d(3, 2, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.001)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures to outputs.

        Parameters
        ----------
        x : Tensor, shape (n, 3, height, width), float
            Pictures in the range and channel order that the weights were trained with.

        Returns
        -------
        Tensor, shape (n, num_outputs)
            Logits of expressions, raw valence and arousal, logits of action units.
        """
        quarter = self.shrink(self.shrink(x))
        eighth = self.shrink(quarter)
        sixteenth = self.shrink(eighth)
        out = self.level2_0(self.level1(x), quarter)
        out = self.level3_0(out, eighth)
        for layer in self.level3:
            out = layer(out)
        out = self.level4_0(out, sixteenth)
        for layer in self.level4:
            out = layer(out)
        out = self.level5_0(out, None)
        for layer in self.level5:
            out = layer(out)
        return self.classifier(self.dropout(out.mean((2, 3))))  # type: ignore[no-any-return]


def count_parameters(network: nn.Module) -> int:
    """Number of trained parameters, those included that no forward pass uses."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: AffectNetwork, size: int = 224) -> dict[str, int]:
    """Multiply-accumulates of one picture, by part of the network.

    Convolutions and the linear layer only, as the published table counts "FLOPs".

    Parameters
    ----------
    network : AffectNetwork
    size : int, default 224
        Height and width of the picture, pixels.

    Returns
    -------
    dict of str to int
        Keys ``level1``, ``level2_0``, ``level3.0`` and so on, ``classifier``; their sum is the
        total.
    """
    counts: dict[str, int] = {}
    handles = []

    def counter(part: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
            # One output value costs the product of the weight's dimensions but the first.
            weight = module.get_parameter("weight")
            counts[part] = counts.get(part, 0) + weight[0].numel() * output[0].numel()

        return count

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            level, _, rest = name.partition(".")
            unit = rest.partition(".")[0]
            part = f"{level}.{unit}" if unit.isdigit() else level
            handles.append(module.register_forward_hook(counter(part)))
    was_training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, size, size, device=network.classifier.weight.device))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return counts
