from pathlib import Path

import pytest

from server.pretraining.config import RenderedData, load_config
from shared.errors import InputError

SHIPPED = Path("server/pretraining/configs")

MINIMAL = """
epochs = 2
stages = [{ side = 64, share = 0.5 }, { side = 96, share = 0.5 }]
[[data]]
kind = "ferplus"
"""


@pytest.fixture
def config(tmp_path):
    def make(text):
        path = tmp_path / "c.toml"
        path.write_text(text)
        return load_config(path)

    return make


def test_a_small_file_is_enough(config):
    settings = config(MINIMAL)
    assert settings.size == 96
    assert settings.preprocessing().size == 96
    assert settings.optimiser.name == "adamw"
    assert settings.data[0].path is None


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path):
    settings = load_config(path)
    assert settings.name == path.stem
    assert settings.size == 224
    assert not any(
        getattr(data, "path", None) or getattr(data, "facekit", None) for data in settings.data
    )


def test_paths_count_from_the_file_and_do_not_change_the_digest(config, tmp_path):
    named = config(MINIMAL + 'path = "fer.npz"\n')
    assert named.data[0].path == tmp_path / "fer.npz"
    assert named.digest() == config(MINIMAL).digest()
    assert config("workers = 3\n" + MINIMAL).digest() == named.digest()
    assert config("seed = 3\n" + MINIMAL).digest() != named.digest()


def test_kinds_have_their_own_keys(config):
    text = MINIMAL + '[[data]]\nkind = "rendered"\nn = 10\nshare = 0.2\n'
    assert isinstance(config(text).data[1], RenderedData)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch = 3\n" + MINIMAL, "epoch: unknown key"),
        (MINIMAL + "sise = 3\n", "data.0.ferplus.sise: unknown key"),
        (MINIMAL + "[optimiser]\nname = 'lion'\n", "optimiser.name"),
        ("batch_size = 1\n" + MINIMAL, "batch_size: Input should be greater than or equal to 2"),
        ("steps = 5\n" + MINIMAL, "either epochs or steps"),
        (MINIMAL.replace("epochs = 2", ""), "either epochs or steps"),
        (MINIMAL.replace("0.5", "0.6"), "add up to 1"),
        (MINIMAL.replace("64", "16"), "stages.0.side"),
        (MINIMAL.replace("ferplus", "imagenet"), "imagenet"),
        ("epochs = 2\n", "data: Field required"),
        ("data = 3\n", "data"),
        ("name = '../x'\n" + MINIMAL, "name"),
        ("epochs = ", "not a TOML file"),
    ],
)
def test_mistakes_are_named(config, text, said):
    with pytest.raises(InputError) as caught:
        config(text)
    assert said in str(caught.value)
    assert "c.toml" in str(caught.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(InputError, match="a folder"):
        load_config(tmp_path)
