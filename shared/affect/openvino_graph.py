"""The affect network as an OpenVINO model, written so that its CPU plug-in can fuse it.

Four changes, none of which alters a value beyond rounding: normalisation is folded into the
convolutions; PReLU becomes ``a x + (1 - a) relu(x)``, which holds for every slope ``a`` and which
the plug-in compiles into one kernel whatever stands around it; one pyramid of average pools serves
all down-samplers; and the number of pictures is fixed. The graph is made operation by operation, so
no converter and no intermediate file is involved.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.affect.folding import folded
from shared.affect.network import AffectNetwork
from shared.affect.openvino_import import import_openvino

if TYPE_CHECKING:
    import openvino

__all__ = ["build_model"]


def build_model(
    network: AffectNetwork, *, batch: int, size: int, rewrite: bool = True
) -> "openvino.Model":
    """Model with one input and one output.

    Parameters
    ----------
    network : AffectNetwork
        Its values are copied; running statistics are used, as in evaluation mode.
    batch : int
        Pictures per inference; -1 leaves it open, which costs the plug-in some of its fusions.
    size : int
        Side of a picture, pixels.
    rewrite : bool, default True
        False keeps normalisation and PReLU as operations of their own, the latter with slopes of
        shape (channels, 1, 1) as ONNX has them, and gives each down-sampler a pyramid. This is for
        comparison only.

    Returns
    -------
    openvino.Model
        Maps (batch, 3, size, size) to (batch, num_outputs), float32.
    """
    graph = _Graph(rewrite)
    source = folded(network) if rewrite else network
    picture = graph.op.parameter([batch, 3, size, size], np.float32, name="pictures")
    ov = import_openvino()
    return ov.Model([graph.network(source, picture)], [picture], "affect")


class _Graph:
    """Turns modules of the network into nodes; nodes are OpenVINO's and untyped here."""

    def __init__(self, rewrite: bool) -> None:
        self.op: Any = import_openvino().opset13
        self._rewrite = rewrite
        self._units = {
            "eesp": self._eesp_unit,
            "mobilenet": self._mobilenet_unit,
            "bottleneck": self._bottleneck_unit,
        }

    def network(self, net: AffectNetwork, picture: Any) -> Any:
        """``AffectNetwork.forward``."""
        unit = self._units[net.unit]
        pyramid = {0: picture}

        def pooled(times: int) -> Any:
            if self._rewrite and times in pyramid:
                return pyramid[times]
            out = picture if times == 0 else self._pool(pooled(times - 1))
            pyramid[times] = out
            return out

        out = self._conv_norm_act(net.level1, picture)
        out = self._down_sampler(net.level2_0, unit, out, pooled(2))
        out = self._down_sampler(net.level3_0, unit, out, pooled(3))
        for layer in net.level3:
            out = unit(layer, out)
        out = self._down_sampler(net.level4_0, unit, out, pooled(4))
        for layer in net.level4:
            out = unit(layer, out)
        out = self._down_sampler(net.level5_0, unit, out, None)
        for layer in net.level5[:-2]:
            out = unit(layer, out)
        for layer in net.level5[-2:]:
            out = self._conv_norm_act(layer, out)
        mean = self.op.reduce_mean(out, np.array([2, 3]), keep_dims=False)
        weight, bias = _values(net.classifier.weight), _values(net.classifier.bias)
        return self.op.add(self.op.matmul(mean, weight, False, True), bias[None])

    def _down_sampler(self, module: Any, unit: Any, x: Any, picture: Any) -> Any:
        out = self.op.concat([self._pool(x), unit(module.eesp, x)], 1)
        if picture is not None:
            reinforced = self._conv_norm_act(module.inp_reinf[0], picture)
            out = self.op.add(out, self._conv_norm(module.inp_reinf[1], reinforced))
        return self._prelu(module.act, out)

    def _eesp_unit(self, module: Any, x: Any) -> Any:
        reduced = self._conv_norm_act(module.proj_1x1, x)
        sums: list[Any] = []
        for branch in module.spp_dw:
            out = self._conv(branch.conv, reduced)
            sums.append(self.op.add(out, sums[-1]) if sums else out)
        joined = self._norm(module.br_after_cat.bn, self.op.concat(sums, 1))
        joined = self._prelu(module.br_after_cat.act, joined)
        expanded = self._conv_norm(module.conv_1x1_exp, joined)
        return self._finish(expanded, x, module.module_act, module.stride)

    def _mobilenet_unit(self, module: Any, x: Any) -> Any:
        out = self._prelu(module.relu1, self._norm(module.bn1, self._conv(module.conv1, x)))
        out = self._norm(module.bn2, self._conv(module.conv2, out))
        return self._finish(out, x, module.relu2, module.stride)

    def _bottleneck_unit(self, module: Any, x: Any) -> Any:
        out = self._prelu(module.relu1, self._norm(module.bn1, self._conv(module.conv1, x)))
        out = self._prelu(module.relu2, self._norm(module.bn2, self._conv(module.conv2, out)))
        out = self._norm(module.bn3, self._conv(module.conv3, out))
        return self._finish(out, x, module.relu3, module.stride)

    def _finish(self, out: Any, x: Any, act: nn.PReLU, stride: int) -> Any:
        if stride != 1:
            return out
        if out.output(0).partial_shape == x.output(0).partial_shape:
            out = self.op.add(out, x)
        return self._prelu(act, out)

    def _conv_norm_act(self, module: Any, x: Any) -> Any:
        return self._prelu(module.act, self._conv_norm(module, x))

    def _conv_norm(self, module: Any, x: Any) -> Any:
        return self._norm(module.bn, self._conv(module.conv, x))

    def _conv(self, conv: nn.Conv2d, x: Any) -> Any:
        weight = _values(conv.weight)
        padding = list(conv.padding)
        place = ([*conv.stride], padding, padding, [*conv.dilation])
        if conv.groups == 1:
            out = self.op.convolution(x, weight, *place)
        else:
            grouped = weight.reshape(conv.groups, -1, *weight.shape[1:])
            out = self.op.group_convolution(x, grouped, *place)
        return out if conv.bias is None else self.op.add(out, _per_channel(conv.bias))

    def _norm(self, norm: nn.Module, x: Any) -> Any:
        if not isinstance(norm, nn.BatchNorm2d):  # folded away
            return x
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        scale = norm.weight.double() / (variance.double() + norm.eps).sqrt()
        shift = norm.bias.double() - mean.double() * scale
        return self.op.add(self.op.multiply(x, _per_channel(scale)), _per_channel(shift))

    def _prelu(self, act: nn.PReLU, x: Any) -> Any:
        if not self._rewrite:
            return self.op.prelu(x, _values(act.weight).reshape(-1, 1, 1))
        slope = act.weight.double()
        kept = self.op.multiply(x, _per_channel(slope))
        return self.op.add(kept, self.op.multiply(self.op.relu(x), _per_channel(1 - slope)))

    def _pool(self, x: Any) -> Any:
        return self.op.avg_pool(x, [2, 2], [1, 1], [1, 1], [3, 3], exclude_pad=False)


def _values(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().float().numpy()


def _per_channel(tensor: Tensor) -> NDArray[np.float32]:
    return _values(tensor).reshape(1, -1, 1, 1)
