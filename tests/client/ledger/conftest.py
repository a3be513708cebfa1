import pytest
from ledger_cases import Site


@pytest.fixture
def site(tmp_path) -> Site:
    site = Site(tmp_path)
    site.create()
    return site


@pytest.fixture
def study(site):
    """A study under way: five rounds planned, two of them created."""
    opened = site.approve()
    site.contribute(1)
    site.contribute(2)
    return opened
