"""Rotates the cases of `ropecheck vectors export DIR` with numpy alone: python3 vectors.py DIR OUT."""
import json, pathlib, sys
import numpy as np

TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def load(path):  # safetensors: the length of a JSON header, the header, the tensors
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = {name: about for name, about in json.loads(data[8:start]).items() if name != "__metadata__"}
    part = lambda about: data[start + about["data_offsets"][0] : start + about["data_offsets"][1]]
    return {name: np.frombuffer(part(t), TYPES[t["dtype"]]).reshape(t["shape"]) for name, t in header.items()}


def save(path, tensors):  # name: (dtype, array)
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        header[name] = dict(dtype=dtype, shape=array.shape, data_offsets=[len(data), len(data) + array.nbytes])
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def rotate(x, dtype, angle):  # x: [batch, tokens, heads, head_dim]; angle: [batch, tokens, 1, pairs]
    x = (x.astype("<u4") << 16).view("<f4") if dtype == "BF16" else x.astype("<f4")
    (a, b), cos, sin = np.split(x, 2, axis=-1), np.cos(angle), np.sin(angle)
    y = np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    bits = y.view("<u4")
    return (bits + 0x7FFF + (bits >> 16 & 1) >> 16).astype("<u2") if dtype == "BF16" else y.astype(TYPES[dtype])


source, target = map(pathlib.Path, sys.argv[1:])
target.mkdir(exist_ok=True)
for case in json.loads((source / "index.json").read_text())["cases"]:
    given = load(source / case["file"])
    position = given["positions"][given["axis_of_pair"]].astype("<f4")  # [pairs, batch, tokens]
    angle = position.transpose(1, 2, 0)[:, :, None, :] * given["inv_freq"].astype("<f4")
    outputs = {name: (about["dtype"], rotate(given[name], about["dtype"], angle)) for name, about in case["outputs"].items()}
    save(target / case["file"], outputs)
