import pytest
import torch

from server.pretraining.initial_weights import start_from_espnetv2
from shared.affect.network import AffectNetwork
from shared.errors import InputError


def espnetv2(path, edit=lambda state: state):
    torch.manual_seed(1)
    state = AffectNetwork("eesp").state_dict()
    kept = {f"base_net.{k}": v for k, v in state.items() if k[:6] in LEVELS}
    torch.save(edit({**kept, "bu_dec_l1.weight": torch.zeros(3)}), path)
    return path


LEVELS = ("level1", "level2", "level3", "level4")


def test_a_start_from_espnetv2_gives_its_features_on_plain_pictures(tmp_path):
    path = espnetv2(tmp_path / "e.pth")
    network = AffectNetwork("eesp")
    assert start_from_espnetv2(network, path) == 361
    source = {k.removeprefix("base_net."): v for k, v in torch.load(path).items()}
    picture = torch.rand(1, 3, 40, 40)
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[None, :, None, None]
    reference = AffectNetwork("eesp")
    own = reference.state_dict()
    reference.load_state_dict({**own, **{k: v for k, v in source.items() if k in own}})
    with torch.inference_mode():
        ours = network.eval().level1(picture)
        theirs = reference.eval().level1((picture - mean) / std)
    # Borders differ: zero padding is black for us and the mean colour for them.
    torch.testing.assert_close(ours[..., 1:, 1:], theirs[..., 1:, 1:], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda state: {}, "0 of the 361"),
        (lambda state: [1, 2], "0 of the 361"),
        (lambda state: {k: v for k, v in state.items() if "level4.6" not in k}, "of the 361"),
        (
            lambda state: state | {"base_net.level1.conv.weight": torch.zeros(16, 3, 3, 3)},
            r"\(16, 3, 3, 3\)",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, edit, message):
    path = espnetv2(tmp_path / "e.pth", edit)
    with pytest.raises(InputError, match=message):
        start_from_espnetv2(AffectNetwork("eesp"), path)


def test_files_that_are_no_checkpoint_are_refused(tmp_path):
    path = tmp_path / "e.pth"
    with pytest.raises(InputError, match="no such file"):
        start_from_espnetv2(AffectNetwork("eesp"), path)
    path.write_bytes(b"text")
    with pytest.raises(InputError, match="not a PyTorch checkpoint"):
        start_from_espnetv2(AffectNetwork("eesp"), path)
    with pytest.raises(InputError, match="mobilenet"):
        start_from_espnetv2(AffectNetwork("mobilenet"), path)
