"""The program that ropecheck starts: it speaks the protocol of docs/protocol.md for a function."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
from fractions import Fraction
from typing import Any, List, Optional, Tuple

import numpy as np

from ._backend import ARGUMENTS, Backend, Plan, Scheme, Segment, backends
from ._frameworks import Arena, Missing, framework

#: The axis of a pair that does not turn.
NO_AXIS = 255
#: Frames of a traceback that are shown: the last ones, where the mistake is.
FRAMES = 4


class NotFound(Exception):
    """There is no such backend."""


def find(spec: str) -> Backend:
    """The backend of `port.py`, `port.py:name` or `package.module:name`."""
    path, colon, name = spec.rpartition(":")
    if not colon:
        path, name = spec, ""
    if path.endswith(".py"):
        if not os.path.exists(path):
            raise NotFound(f"there is no file {path}")
        folder = os.path.dirname(os.path.abspath(path))
        if folder not in sys.path:
            sys.path.insert(0, folder)
        stem = os.path.splitext(os.path.basename(path))[0]
        loaded = importlib.util.spec_from_file_location(stem, path)
        if loaded is None or loaded.loader is None:
            raise NotFound(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(loaded)
        sys.modules[stem] = module
        loaded.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        module = importlib.import_module(path)
    found = backends(module)
    if name:
        if name not in found:
            known = f"; it has {', '.join(found)}" if found else ""
            raise NotFound(f"{path} has no function {name!r} with @ropecheck.backend{known}")
        return found[name]
    if not found:
        raise NotFound(f"{path} has no function with @ropecheck.backend")
    if len(found) > 1:
        raise NotFound(f"{path} has several backends; say which: {', '.join(f'{path}:{key}' for key in found)}")
    return next(iter(found.values()))


def last_frames(error: BaseException) -> str:
    """The error and the last frames of its traceback, without those of this package."""
    here = os.path.dirname(__file__)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(here)]
    lines = traceback.format_list(frames[-FRAMES:]) + traceback.format_exception_only(type(error), error)
    return "".join(lines).rstrip()


class Mistake(Exception):
    """The function returned what cannot be taken."""


class Nonsense(Exception):
    """The call makes no sense under any manifest."""


def refuse_nonsense(call: dict, plan: Optional[Plan], q: Optional[np.ndarray]) -> None:
    """No function is asked what makes no sense: the adapter refuses it, as an operator's argument checks would."""
    if plan is not None:
        if plan.rotary_dim % 2 or plan.rotary_dim < 2:
            raise Nonsense(f"rotary_dim {plan.rotary_dim} is no even number of channels")
        if plan.rotary_offset < 0 or plan.rotary_offset + plan.rotary_dim > plan.head_dim:
            raise Nonsense("the rotary part ends after the head")
        axes = len(call["scheme"]["axes"]) if call.get("scheme") else 0
        axis_of_pair = np.asarray(plan.axis_of_pair.cpu() if hasattr(plan.axis_of_pair, "cpu") else plan.axis_of_pair)
        if axes and ((axis_of_pair >= axes) & (axis_of_pair != NO_AXIS)).any():
            raise Nonsense(f"a pair turns with an axis that the call does not have ({axes} axes)")
    if q is not None and q.dtype.kind in "iu":
        raise Nonsense("q and k are integers")
    rows = call.get("layouts") or []
    count = call.get("token_count", call["dims"]["tokens"] if call.get("dims") else 0)
    if any(call["token_start"] + count > sum(s["tokens"] for s in row) for row in rows):
        raise Nonsense("tokens after the end of the layout")


def segments(rows: List[List[dict]]) -> List[List[Segment]]:
    def one(s: dict) -> Segment:
        grid = s.get("grid") or [0, 0, 0]
        return Segment(s["kind"], grid[0], grid[1], grid[2], s["tokens"], Fraction(*s["seconds"]))

    return [[one(segment) for segment in row] for row in rows]


def scheme(call: dict) -> Optional[Scheme]:
    if call.get("scheme") is None:
        return None
    s = call["scheme"]
    values = {p["name"]: Fraction(*p["fraction"]) if p.get("fraction") else p["value"] for p in s["parameters"]}
    return Scheme(s["name"], s["profile"], tuple(s["axes"]), values)


class Served:
    """A backend and the arena that its calls work on."""

    def __init__(self, backend: Backend, arena: Arena):
        self.backend = backend
        self.arena = arena
        self.framework = framework(backend.framework, backend.device)

    def call(self, request: dict) -> None:
        """Makes a call; whatever goes wrong is an exception."""
        call, size = request["call"], request["arena_bytes"]
        arrays = lambda name: self.arena.view(call.get(name), size)  # noqa: E731
        if call["level"] != self.backend.level:
            raise Mistake(f"there is no level {call['level']}")
        if call["level"] == "positions":
            refuse_nonsense(call, None, None)
            return self.positions(call, arrays("positions"), arrays("next"))
        plan = self.plan(call["plan"], size)
        tensors = {name: arrays(name) for name in ("q", "k", "q_out", "k_out")}
        refuse_nonsense(call, plan, tensors["q"])
        values = {name: self.framework.given(array) for name, array in tensors.items()}
        for name in ("cos", "sin", "cos_sin_cache", "cu_seqlens", "positions"):
            values[name] = self.framework.given(arrays(name))
        values.update(plan=plan, scheme=scheme(call), token_start=call.get("token_start"))
        if call["level"] != "fused":
            self.rotate(values, tensors)
            return None
        for row, layout in enumerate(segments(call["layouts"])):
            part = {name: None if array is None else array[row : row + 1] for name, array in tensors.items()}
            given = {name: self.framework.given(array) for name, array in part.items()}
            self.rotate({**values, **given, "segments": layout}, part)
        return None

    def plan(self, p: dict, size: int) -> Plan:
        def table(name: str) -> Any:
            array = self.arena.view(p[name], size)
            assert array is not None
            return self.framework.given(array[0] if array.shape[0] == 1 else array)

        sections = self.arena.view(p.get("sections"), size)
        return Plan(
            axis_of_pair=table("axis_of_pair"),
            inv_freq=table("inv_freq"),
            pairing=p["pairing"],
            head_dim=p["head_dim"],
            rotary_dim=p["rotary_dim"],
            rotary_offset=p["rotary_offset"],
            direction=p["direction"],
            attention_scaling=p["attention_scaling"],
            base=p.get("base"),
            sections=None if sections is None else [int(n) for n in sections],
            interleaved=p["interleaved"],
        )

    def rotate(self, values: dict, tensors: dict) -> None:
        backend = self.backend
        arguments = [values[name] for name in ARGUMENTS[backend.level]]
        named = {name: values.get(name) for name in backend.extra}
        if backend.device not in (None, "cpu") and backend.framework == "torch":
            answer = backend.function(*arguments, **named)
            self.framework.torch.cuda.synchronize()
        else:
            answer = backend.function(*arguments, **named)
        if answer is None:
            if backend.writes and backend.device in (None, "cpu"):
                return
            if tensors["q"] is not None and np.may_share_memory(tensors["q"], tensors["q_out"]):
                return
            if backend.device not in (None, "cpu"):
                # What it wrote is on the device.
                names = ("q_out", "k_out") if backend.writes else ("q", "k")
                answer = tuple(values[name] for name in names)
            else:
                raise Mistake("the function returned None: expected (q_out, k_out)")
        if not isinstance(answer, (tuple, list)) and tensors["k"] is None:
            answer = (answer, None)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Mistake(f"the function returned {type(answer).__name__}: expected (q_out, k_out)")
        for name, value in zip(("q_out", "k_out"), answer):
            self.take(name, value, tensors[name])

    def take(self, name: str, value: Any, out: Optional[np.ndarray]) -> None:
        if out is None:
            return
        if value is None:
            raise Mistake(f"the function returned None for {name}")
        array = self.framework.taken(value)
        if array.shape != out.shape:
            raise Mistake(f"{name} has the shape {list(array.shape)}: expected {list(out.shape)}")
        if array.dtype != out.dtype:
            raise Mistake(f"{name} is of type {array.dtype}: expected {out.dtype}")
        out[...] = array

    def positions(self, call: dict, out: Any, next_out: Any) -> None:
        start, count = call["token_start"], call["token_count"]
        named = {"token_start": start, "token_count": count}
        named = {name: value for name, value in named.items() if name in self.backend.extra}
        for row, layout in enumerate(segments(call["layouts"])):
            answer = self.backend.function(layout, scheme(call), **named)
            if not isinstance(answer, (tuple, list)) or len(answer) != 2:
                raise Mistake(f"the function returned {type(answer).__name__}: expected (positions, next)")
            found, after = (self.framework.taken(part) for part in answer)
            axes, tokens = out.shape[0], count if named else sum(segment.tokens for segment in layout)
            if found.shape != (axes, tokens):
                raise Mistake(f"positions have the shape {list(found.shape)}: expected {[axes, tokens]}")
            if after.shape != (axes,):
                raise Mistake(f"next has the shape {list(after.shape)}: expected {[axes]}")
            out[:, row, :] = found if named else found[:, start : start + count]
            next_out[:, row, 0] = after


def channel() -> Tuple[Any, Any]:
    """The protocol's ends. From now on what anybody prints goes to standard error."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    input_ = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.set_inheritable(output.fileno(), False)
    os.set_inheritable(input_.fileno(), False)
    return input_, output


def children() -> set:
    """Processes that this one started and that are still there, ended or not."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    found = set()
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/children", encoding="ascii") as listed:
            found.update(listed.read().split())
    return found


def serve(spec: str) -> int:
    arena_path = os.environ.get("ROPECHECK_ARENA")
    if arena_path is None:
        print("this is started by `ropecheck check`, which says where the memory of calls is", file=sys.stderr)
        return 2
    requests, answers = channel()

    def say(message: dict) -> None:
        answers.write(json.dumps(message, separators=(",", ":")) + "\n")
        answers.flush()

    try:
        backend = find(spec)
        served = Served(backend, Arena(arena_path))
    except (NotFound, Missing) as error:
        say({"refused": {"why": str(error)}})
        return 1
    except BaseException as error:  # Whatever a port does when it is imported.
        say({"refused": {"why": f"it could not be imported:\n{last_frames(error)}"}})
        return 1
    say({"hello": {"protocol": [1], "manifest": backend.manifest}})
    process, known = os.getpid(), children()
    for line in requests:
        request = json.loads(line)
        if "call" not in request:
            break
        answer = {"id": request["call"]["id"], "status": "ok"}
        try:
            served.call(request["call"])
        except Nonsense as error:
            answer.update(status="bad-argument", message=str(error))
        except NotImplementedError as error:
            answer.update(status="unsupported", message=str(error))
        except Mistake as error:
            answer.update(status="internal", message=str(error))
        except Exception as error:
            answer.update(status="internal", message=last_frames(error))
        if os.getpid() != process:
            os._exit(0)  # The port forked, and both came back.
        if children() - known:
            # They would write into the memory of the next call.
            say({"answer": {**answer, "ends": True}})
            break
        say({"answer": answer})
    return 0
