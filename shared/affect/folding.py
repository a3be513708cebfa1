"""Fold batch normalisation into the convolution before it, for inference only.

Exact up to rounding. EESP's normalisation after the concatenation has no convolution before it and
stays as it is.
"""

import copy
from typing import Final

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from shared.affect.network import AffectNetwork

__all__ = ["folded"]

_PAIRS: Final = (("conv", "bn"), ("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))


def folded(network: AffectNetwork) -> AffectNetwork:
    """Copy of ``network`` in evaluation mode with its foldable normalisations folded."""
    result = copy.deepcopy(network).eval()
    for module in result.modules():
        for convolution, normalisation in _PAIRS:
            conv, norm = (getattr(module, name, None) for name in (convolution, normalisation))
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, convolution, fuse_conv_bn_eval(conv, norm))
                setattr(module, normalisation, nn.Identity())
    return result
