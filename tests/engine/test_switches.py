"""What is switched for the whole process."""

import pytest
import torch

from videonet.engine.switches import set_switches


@pytest.fixture
def put_back():
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = True, False


@pytest.mark.parametrize(
    ("asked", "found"),
    [((True, False), ["high", True, False]), ((False, True), ["highest", False, True]),
     ((None, True), ["highest", True, True])],
)  # fmt: skip
@pytest.mark.usefixtures("put_back")
def test_tf32_and_the_search_for_algorithms(asked, found):
    """Read by the names that PyTorch's compiler reads: they raise where the newer ones were set."""
    set_switches(*asked)
    cudnn = torch.backends.cudnn
    assert [torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark] == found
