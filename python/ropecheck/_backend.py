"""The decorator, and what a function is handed."""

from __future__ import annotations

import inspect
import os
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Callable, Mapping, Optional, Sequence, Union

LEVELS = ("positions", "rotate", "fused", "apply")
FRAMEWORKS = ("numpy", "torch", "jax")

#: What a level takes from the suite if nothing else is said.
CONSUMES = {
    "positions": ["layout"],
    "rotate": ["positions", "axis_of_pair", "inv_freq"],
    "fused": ["layout", "axis_of_pair", "inv_freq"],
    "apply": ["cos_sin"],
}

#: Arguments of each level, in their order.
ARGUMENTS = {
    "positions": ("segments", "scheme"),
    "rotate": ("q", "k", "positions", "plan"),
    "fused": ("q", "k", "segments", "scheme", "plan"),
    "apply": ("q", "k", "cos", "sin", "plan"),
}

#: What a function is handed besides, if it has an argument of that name.
EXTRA = ("q_out", "k_out", "cos", "sin", "cos_sin_cache", "cu_seqlens", "scheme", "token_start", "token_count")

#: Keys of the manifest that are keyword arguments of `backend`; docs/abi.md says what each means.
MANIFEST_KEYS = (
    "k_dtypes", "output_dtypes", "position_dtypes", "head_dims", "q_heads", "k_heads", "pairings", "partial_rotary",
    "rotary_dims", "rotary_offsets", "table_dtypes", "table_widths", "alias", "strides", "negative_strides",
    "position_strides", "max_position", "min_position", "max_tokens", "token_ranges", "varlen", "copies", "bit_stable",
    "directions", "attention_scaling", "per_head", "batch_layouts", "alignment", "max_offset", "bases", "layouts",
    "parameters", "source",
)


@dataclass(frozen=True)
class Segment:
    """A part of a sequence.

    kind: "text", "image" or "video". T, H, W: the grid of an image (T = 1) or a video; 0 for text. tokens: how many it has.
    seconds: time between two frames.
    """

    kind: str
    T: int
    H: int
    W: int
    tokens: int
    seconds: Fraction


@dataclass(frozen=True)
class Scheme:
    """The scheme of a call: its name, profile, axes, and parameters by name, as a float, or a Fraction where it is one."""

    name: str
    profile: str
    axes: tuple
    parameters: Mapping[str, Union[float, Fraction]]


@dataclass(frozen=True)
class Plan:
    """How pairs of channels turn.

    axis_of_pair: which row of `positions` turns each pair; 255 for a pair that does not turn. inv_freq: radians per position.
    Both have the shape [pairs], or [query heads + key heads, pairs] where heads differ (`per_head`). pairing: "half" (channel
    i with i + rotary_dim / 2) or "adjacent" (2 i with 2 i + 1). direction: 1 or -1. base, sections: None unless consumed.
    """

    axis_of_pair: Any
    inv_freq: Any
    pairing: str
    head_dim: int
    rotary_dim: int
    rotary_offset: int
    direction: int
    attention_scaling: float
    base: Optional[float]
    sections: Optional[Sequence[int]]
    interleaved: bool


def _contract(text: str) -> dict:
    """`CLASS/FREQUENCIES[,KEY=VALUE...]` as the manifest has it."""
    head, *settings = text.split(",")
    name, slash, frequencies = head.partition("/")
    contract: dict = {"class": name}
    if slash:
        contract["frequencies"] = frequencies
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"contract {text!r}: expected KEY=VALUE after the comma, found {setting!r}")
        try:
            contract[key.strip()] = json.loads(value)
        except ValueError:
            contract[key.strip()] = value.strip()
    return contract


class Backend:
    """A function and its manifest."""

    def __init__(self, function: Callable[..., Any], level: str, manifest: dict, framework: str, device: Optional[str]):
        self.function = function
        self.level = level
        self.manifest = manifest
        self.framework = framework
        self.device = device
        parameters = inspect.signature(function).parameters
        names = list(parameters)
        every = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        #: Names that are handed over by keyword.
        self.extra = [name for name in EXTRA if (name in names or every) and name not in ARGUMENTS[level]]
        self.writes = "q_out" in names


def _source(function: Callable[..., Any]) -> Optional[str]:
    """`FILE:LINE` of a function, below the working folder if it can be."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None or not os.path.isfile(code.co_filename):
        return None
    path = os.path.relpath(code.co_filename)
    place = f"{code.co_filename if path.startswith('..') else path}:{code.co_firstlineno}"
    return place if len(place.encode()) <= 200 and place.isprintable() else None


def backend(
    level: str = "rotate",
    schemes: Union[str, Sequence[str], None] = None,
    dtypes: Sequence[str] = ("f32",),
    contract: Union[str, Mapping[str, str]] = "eager/table",
    *,
    consumes: Optional[Sequence[str]] = None,
    name: Optional[str] = None,
    version: str = "0",
    framework: str = "numpy",
    device: Optional[str] = None,
    **keys: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function a backend. It stays the function that it is.

    level: "positions", "rotate", "fused" or "apply". schemes: names such as "vrope"; None: all. dtypes: of q and k, "f32",
    "f16", "bf16". contract: the text of `--contract`, or one for each dtype. consumes: what the function takes from the
    suite. framework: "numpy", "torch" or "jax", which the arrays are of. device: where they are copied to, such as "cuda".
    Every other key of the manifest (docs/abi.md) is a keyword argument.
    """
    if callable(level):
        raise TypeError('expected @ropecheck.backend(level="rotate", schemes=[...]), found @ropecheck.backend without arguments')
    if level not in LEVELS:
        raise ValueError(f"level: expected one of {', '.join(LEVELS)}, found {level!r}")
    if framework not in FRAMEWORKS:
        raise ValueError(f"framework: expected one of {', '.join(FRAMEWORKS)}, found {framework!r}")
    unknown = sorted(set(keys) - set(MANIFEST_KEYS))
    if unknown:
        raise TypeError(f"unknown key {unknown[0]!r}; expected one of {', '.join(MANIFEST_KEYS)}")

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        if schemes is None:
            names = ["*"]
        else:
            names = [schemes] if isinstance(schemes, str) else list(schemes)
        one: dict = {"consumes": list(CONSUMES[level] if consumes is None else consumes), "schemes": names}
        if level != "positions":
            if isinstance(contract, str):
                one["contract"] = _contract(contract)
            else:
                one["contracts"] = {dtype: _contract(text) for dtype, text in contract.items()}
        manifest: dict = {"name": name or getattr(function, "__name__", "backend"), "version": version}
        source = _source(function)
        if source:
            manifest["source"] = source
        manifest["levels"] = {level: one}
        manifest["dtypes"] = [] if level == "positions" else list(dtypes)
        if level != "positions":
            manifest["head_dims"] = {"min": 2, "max": 256, "multiple": 2}
            manifest["q_heads"] = {"min": 1, "max": 64}
            manifest["k_heads"] = {"min": 1, "max": 64}
        writes = "q_out" in inspect.signature(function).parameters
        in_place = keys.get("alias") == ["in"] or keys.get("alias") == ("in",)
        if level != "positions" and (framework == "jax" or device not in (None, "cpu") or not (writes or in_place)):
            # The adapter copies what the function returns, and would be judged in its place.
            manifest["copies"] = True
        manifest.update({key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()})
        function.__ropecheck__ = Backend(function, level, manifest, framework, device)  # type: ignore[attr-defined]
        return function

    return make


def backends(module: Any) -> Mapping[str, Backend]:
    """Backends of a module, by the names of their functions."""
    found = {name: getattr(value, "__ropecheck__", None) for name, value in vars(module).items() if callable(value)}
    return {name: value for name, value in found.items() if isinstance(value, Backend)}
