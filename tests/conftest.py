import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-for-bit laws hold on one thread; more threads split the product of a single seed."""
    torch.set_num_threads(1)
