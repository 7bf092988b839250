import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Results are identical bit for bit only on one thread; more threads split matrix products differently."""
    torch.set_num_threads(1)
