import pytest
from drawn_features import drawn_features

from simulations.probabilities import populations


@pytest.fixture
def quick_features(monkeypatch):
    """Populations without series: a child's features are drawn, not measured."""
    monkeypatch.setattr(populations, "_features", drawn_features)
