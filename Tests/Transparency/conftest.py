import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support  # noqa: E402


@pytest.fixture(scope="session")
def independent(tmp_path_factory):
    return support.build(tmp_path_factory.mktemp("independent"))


@pytest.fixture
def server(tmp_path):
    assert support.PROGRAM and os.access(support.PROGRAM, os.X_OK), "SHIPLOG_BIN must name the program: make test does"
    server = support.Server(tmp_path)
    try:
        yield server
    finally:
        server.stop()
