import hashlib

import pytest
import torch

from shared.affect.folding import folded
from shared.affect.network import UNITS, AffectNetwork, count_macs, count_parameters

# Published totals with c outputs: parameters = T + 513 c, multiply-accumulates = M + 512 c.
TOTALS = {
    "eesp": (2_411_440, 294_440_020),
    "mobilenet": (6_200_904, 778_563_156),
    "bottleneck": (6_463_576, 852_070_996),
}
# Parameters and multiply-accumulates at 224 x 224 by part.
PARTS = {
    "eesp": {
        "level1": (960, 10_838_016),
        "level2_0": (4_866, 13_801_536),
        "level3_0": (8_762, 7_991_312),
        "level3": (73_536, 53_587_968),
        "level4_0": (27_674, 7_191_044),
        "level4": (629_888, 118_716_416),
        "level5_0": (96_218, 6_648_320),
        "level5": (1_031_424 + 12_288 + 525_824, 49_523_712 + 451_584 + 25_690_112),
        "classifier": (11_286, 11_264),
    },
    "mobilenet": {
        "level2_0": (4_602, 14_704_704),
        "level3_0": (19_930, 17_123_344),
        "level3": (208_128, 159_559_680),
        "level4_0": (72_538, 14_968_324),
        "level4": (1_888_768, 365_983_744),
        "level5_0": (276_058, 13_748_224),
        "level5": (3_191_808 + 12_288 + 525_824, 155_495_424 + 451_584 + 25_690_112),
    },
    "bottleneck": {
        "level2_0": (9_546, 34_574_400),
        "level3_0": (19_610, 23_947_280),
        "level3": (212_352, 163_774_464),
        "level4_0": (73_946, 23_598_596),
        "level4": (1_965_824, 382_140_416),
        "level5_0": (287_066, 23_281_664),
        "level5": (3_356_160 + 12_288 + 525_824, 163_774_464 + 451_584 + 25_690_112),
    },
}
# SHA-256 of the sorted "name shape" lines of the published checkpoints, and their number.
ENTRIES = {
    "eesp": (487, "5ed56b15279e274da2744dbde2dbe14a740bd0909be0c73d75440ef383d6f1f6"),
    "mobilenet": (317, "04f15f79f65eac483c01a4cba88a9a3d90c31062b5617cfb4a01ac50c6fb9b13"),
    "bottleneck": (436, "e2f334e506a7d742c76785c227162200c9fc1e62d8659b2528621a4ddfb97f6c"),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("outputs", [22, 8, 1, 12])
def test_sizes_are_the_published_ones(unit, outputs):
    with torch.device("meta"):
        network = AffectNetwork(unit, outputs)
    parameters, macs = TOTALS[unit]
    assert count_parameters(network) == parameters + 513 * outputs
    assert sum(count_macs(network).values()) == macs + 512 * outputs


@pytest.mark.parametrize("unit", UNITS)
def test_every_part_has_its_published_size(unit):
    with torch.device("meta"):
        network = AffectNetwork(unit)
    macs = count_macs(network)
    for part, (parameters, expected) in PARTS[unit].items():
        assert count_parameters(network.get_submodule(part)) == parameters, part
        mine = [count for name, count in macs.items() if name.split(".")[0] == part]
        assert sum(mine) == expected, part


@pytest.mark.parametrize("unit", UNITS)
def test_entries_are_those_of_the_published_checkpoints(unit):
    state = AffectNetwork(unit).state_dict()
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    count, digest = ENTRIES[unit]
    assert len(lines) == count
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


def test_eesp_dilations_follow_the_receptive_limit():
    network = AffectNetwork("eesp")

    def dilations(unit):
        return [branch.conv.dilation[0] for branch in unit.spp_dw]

    assert dilations(network.level2_0.eesp) == [1, 2, 3, 4]
    assert dilations(network.level3[0]) == [1, 2, 3, 4]
    assert dilations(network.level4_0.eesp) == [1, 2, 3, 4]
    assert dilations(network.level4[6]) == [1, 1, 2, 3]
    assert dilations(network.level5_0.eesp) == [1, 1, 2, 3]
    assert dilations(network.level5[2]) == [1, 1, 1, 2]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("size", [32, 97])
def test_any_picture_size_gives_one_row_a_face(unit, size):
    with torch.inference_mode():
        out = AffectNetwork(unit).eval()(torch.rand(2, 3, size, size))
    assert out.shape == (2, 22)
    assert torch.isfinite(out).all()


def test_weights_that_no_pass_uses_exist_and_change_nothing():
    torch.manual_seed(0)
    network = AffectNetwork("eesp").eval()
    pictures = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = network(pictures)
        for name, parameter in network.named_parameters():
            if name.startswith("level5_0.inp_reinf") or name.endswith("_0.eesp.module_act.weight"):
                parameter.fill_(7.0)
        assert torch.equal(network(pictures), before)
        network.level4_0.inp_reinf[1].bn.bias.fill_(7.0)
        assert not torch.equal(network(pictures), before)


@pytest.mark.parametrize("unit", UNITS)
def test_folding_changes_nothing_but_rounding(unit):
    torch.manual_seed(1)
    network = AffectNetwork(unit)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(4, 3, 64, 64))
    network.classifier.weight.data.normal_()
    network.eval()
    folded_network = folded(network)
    pictures = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            folded_network(pictures), network(pictures), rtol=1e-4, atol=1e-4
        )
    left = sum(isinstance(m, torch.nn.BatchNorm2d) for m in folded_network.modules())
    # EESP keeps one normalisation a unit, the one after the concatenation.
    assert left == (17 if unit == "eesp" else 0)


@pytest.mark.parametrize(("unit", "outputs"), [("resnet", 22), ("eesp", 0)])
def test_impossible_networks_are_refused(unit, outputs):
    with pytest.raises(ValueError, match="asked"):
        AffectNetwork(unit, outputs)
