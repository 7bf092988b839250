"""The device of a computation, its threads, and the library behind float32 matrix products.

On processors that are not Intel's, MKL, torch's default, falls back to AVX2 kernels, which reach half the rate of oneDNN's
AVX-512 kernels (on an AMD EPYC with Zen 5 cores: 103 and 214 to 237 GFLOP/s per core). Torch calls oneDNN when the precision
of float32 products is `medium`, which also permits bfloat16 kernels. oneDNN is therefore chosen only if its products have the
accuracy of float32. The choice depends on the processor, never on a measured time, so equal machines give equal results.
"""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from aebench.config import MOST_THREADS, Blas
from aebench.errors import InputError
from aebench.randomness import Streams

CPUINFO = Path("/proc/cpuinfo")
TOLERANCE = 3e-6
"""Largest relative error of a float32 product; about 3e-7 in float32, 3e-3 with bfloat16 operands."""


def configure_device(device: str, threads: int, blas: Blas = "auto", tf32: bool = False) -> torch.device:
    """Return the device for the setting `device` (auto, cpu or cuda); set the number of CPU threads and the matrix products.

    `blas` is auto, or default for torch's own choice. `tf32` permits TensorFloat-32 on CUDA: inputs of products are rounded to
    10 bits. It has no effect on a CPU.
    """
    if threads > MOST_THREADS:
        raise InputError(f"threads must be at most {MOST_THREADS}, got {threads}")
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be auto or cpu on a machine without CUDA, got cuda")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
    else:
        torch.set_float32_matmul_precision("medium" if blas == "auto" and one_dnn_is_better() else "highest")
    return torch.device(device)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Replace denormal numbers by 0 inside the context, on the CPU.

    They are below 1.2e-38 in float32, and arithmetic on them takes many times as long. Adam's first moment of a weight without
    gradient, as in units of ReLU that are 0 for every image, decays to such numbers and stays there for hundreds of updates.
    Threads that are started inside the context inherit the setting and keep it; those of a pool that exists are not affected.
    """
    before = bool(torch.tensor(torch.finfo(torch.float32).tiny) / 2 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@cache
def one_dnn_is_better() -> bool:
    """Whether MKL would use AVX2 kernels on a processor with AVX-512, and oneDNN's products have the accuracy of float32."""
    vendor = _cpuinfo("vendor_id")
    available = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    wide = "AVX512" in torch.backends.cpu.get_cpu_capability()
    return available and wide and vendor not in ("", "GenuineIntel") and product_error("medium") <= TOLERANCE


def product_error(precision: str) -> float:
    """Relative error (Frobenius norm) of products of float32 matrices (256, 256) with this setting of torch."""
    before, generator = torch.get_float32_matmul_precision(), Streams(0).torch("products")
    a, b = (torch.randn(2, 256, 256, generator=generator) for _ in range(2))
    torch.set_float32_matmul_precision(precision)
    products = [a @ b, (a[0] @ b[0])[None]]  # batched and single products have different kernels
    torch.set_float32_matmul_precision(before)
    exact = a.double() @ b.double()
    return max(float((product - exact[: len(product)]).norm() / exact[: len(product)].norm()) for product in products)


def processor(device: torch.device) -> str:
    """Return the model name of the GPU or CPU; the latter from /proc/cpuinfo if it exists."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpuinfo("model name") or platform.processor()


def blas(device: torch.device) -> str:
    """Return the library for float32 matrix products and its vector instructions, such as "MKL, AVX512"."""
    if device.type == "cuda":
        tf32 = ", TF32" * (torch.get_float32_matmul_precision() != "highest")
        return f"cuBLAS, CUDA {torch.version.cuda}{tf32}"
    default = re.findall(r"\bBLAS_INFO=(\w+)", torch.__config__.show()) or ["unknown"]
    library = "oneDNN" if torch.get_float32_matmul_precision() == "medium" else default[0].replace("mkl", "MKL")
    return f"{library}, {torch.backends.cpu.get_cpu_capability()}"


def _cpuinfo(key: str) -> str:
    """Return the first value of a key in /proc/cpuinfo; empty if there is none."""
    values = re.findall(rf"^{key}\s*: (.+)$", CPUINFO.read_text(), re.MULTILINE) if CPUINFO.exists() else []
    return values[0].strip() if values else ""
