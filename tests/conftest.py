"""What all tests share: the option for slow tests and the folder of real data."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Examples are the same in every run, and a machine may be as slow as it is: what is red was made so by a change. New
# examples are sought with --hypothesis-profile=search.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("search"), derandomize=True)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


LONG = "takes long, alone or with its like"
ON_REQUEST = "run with --slow"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        slow = item.get_closest_marker("slow")
        if slow is not None:
            item.add_marker(pytest.mark.skip(reason=f"{slow.kwargs.get('reason', LONG)}; {ON_REQUEST}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where all peers must be there (REQUIRE_PEERS=1), a test that is skipped for want of one has failed."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_PEERS") == "1" and ON_REQUEST not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"must not be skipped here: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real CT, segmentations and reference values, which lie outside the project."""
    root = Path(os.environ.get("SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not root.is_dir():
        pytest.skip("the real cases are not on this machine (SHARED_DATA names their folder)")
    return root
