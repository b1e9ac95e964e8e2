"""Views of the arena as arrays of a framework."""

from __future__ import annotations

import mmap
import sys
from typing import Any, Optional

import ml_dtypes
import numpy as np

DTYPES = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f64": np.dtype(np.float64),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "u8": np.dtype(np.uint8),
}


class Arena:
    """The memory of calls: a file that both sides map."""

    def __init__(self, path: str):
        self.file = open(path, "r+b", buffering=0)
        self.map: Optional[mmap.mmap] = None
        self.bytes = 0

    def view(self, view: Optional[dict], size: int) -> Optional[np.ndarray]:
        """The elements of a view as an array: real memory, with its strides."""
        if view is None:
            return None
        if self.map is None or self.bytes < size:
            self.bytes = max(size, 1 << 16)
            self.map = mmap.mmap(self.file.fileno(), self.bytes)
        dtype = DTYPES[view["dtype"]]
        strides = [stride * dtype.itemsize for stride in view["strides"]]
        return np.ndarray(view["shape"], dtype, self.map, view["offset"], strides)


class Missing(Exception):
    """A framework is not there."""


def missing(name: str, title: str, error: ImportError) -> Missing:
    return Missing(f'framework="{name}" needs {title} in this Python ({sys.executable}): {error}')


class Numpy:
    """Arrays are views of the arena."""

    def __init__(self, device: Optional[str]):
        if device not in (None, "cpu"):
            raise ValueError(f"numpy has no device {device!r}")

    def given(self, array: Optional[np.ndarray]) -> Any:
        return array

    def taken(self, array: Any) -> np.ndarray:
        return np.asarray(array)


class Torch:
    """Tensors share the memory of the arena, unless a device has its own."""

    def __init__(self, device: Optional[str]):
        try:
            import torch
        except ImportError as error:
            raise missing("torch", "PyTorch", error) from error
        self.torch = torch
        self.device = device if device not in (None, "cpu") else None

    def given(self, array: Optional[np.ndarray]) -> Any:
        if array is None:
            return None
        if array.dtype == DTYPES["bf16"]:
            tensor = self.torch.from_numpy(array.view(np.int16)).view(self.torch.bfloat16)
        else:
            tensor = self.torch.from_numpy(array)
        return tensor.to(self.device) if self.device else tensor

    def taken(self, tensor: Any) -> np.ndarray:
        if not isinstance(tensor, self.torch.Tensor):
            return np.asarray(tensor)
        tensor = tensor.detach().cpu()
        if tensor.dtype == self.torch.bfloat16:
            return tensor.contiguous().view(self.torch.int16).numpy().view(DTYPES["bf16"])
        return tensor.numpy()


class Jax:
    """Arrays are copies: JAX writes into no memory of others."""

    def __init__(self, device: Optional[str]):
        try:
            import jax
        except ImportError as error:
            raise missing("jax", "JAX", error) from error
        # Positions are 64-bit integers.
        jax.config.update("jax_enable_x64", True)
        self.jax = jax
        self.device = jax.devices(device)[0] if device else None

    def given(self, array: Optional[np.ndarray]) -> Any:
        return None if array is None else self.jax.device_put(np.array(array), self.device)

    def taken(self, array: Any) -> np.ndarray:
        return np.asarray(array)


def framework(name: str, device: Optional[str]) -> Any:
    return {"numpy": Numpy, "torch": Torch, "jax": Jax}[name](device)
