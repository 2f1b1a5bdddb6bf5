"""Weights that every test of segmentation shares."""

import pytest


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    pytest.importorskip("lungmask")
    from tests.ren_features.segmentation.weights import write_weights

    return write_weights(tmp_path_factory.mktemp("weights"))
