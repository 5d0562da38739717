"""One receiving process for all hostile tests of a module: each finds it as the one before left it."""

from collections.abc import Iterator

import pytest

from tests.hostile.service import Service, service

collect_ignore = ["file_server.py"]
"""A program for the system's Python, with a module that the tests' own does not have."""


@pytest.fixture(scope="module")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("hostile")) as made:
        made.serves()
        yield made


@pytest.fixture
def node(running_service: Service) -> Iterator[Service]:
    """The service; afterwards it serves, and it has not grown."""
    before = running_service.rss_mb()
    yield running_service
    running_service.serves()
    assert running_service.process.poll() is None
    assert running_service.rss_mb() - before < 64
