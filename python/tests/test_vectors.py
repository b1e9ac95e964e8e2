"""Exported cases: honest outputs pass, one bug fails, and files that are not what was asked for are named."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ropecheck.pytest_plugin import program

SCRIPT = Path(__file__).resolve().parents[2] / "examples/python/vectors.py"


def ropecheck(*words, code):
    done = subprocess.run([*program(), "vectors", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert "panicked" not in done.stderr
    return done


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors") / "cases"
    ropecheck("export", folder, "--scheme", "m-rope@default", code=0)
    return folder


def outputs(exported, out, change=("", "")):
    assert len(SCRIPT.read_text().splitlines()) <= 40
    text = SCRIPT.read_text().replace(*change) if change[0] else SCRIPT.read_text()
    subprocess.run([sys.executable, "-W", "ignore", "-c", text, exported, out], check=True)
    return out


@pytest.fixture
def honest(exported, tmp_path):
    return outputs(exported, tmp_path / "out")


def test_numpy_alone_passes_and_the_verdict_is_about_these_cases(exported, honest):
    said = ropecheck("verify", exported, honest, code=0).stdout
    assert "CONFORMANT IN PART: only 27 of 27 exported cases (level rotate; m-rope@default; bf16, f16, f32; checks accuracy)" in said
    report = json.loads(ropecheck("verify", exported, honest, "--format", "json", "--case", "0003.safetensors", code=0).stdout)
    assert report["cases"] == [27, 1] and report["verdict"].startswith("CONFORMANT IN PART: only 1 of 27")
    # The bound is that of the contract.
    narrow = ropecheck("verify", exported, honest, "--contract", "f32=fused/table,trig_ulps=0", code=1).stdout
    assert "FAIL accuracy" in narrow


@pytest.mark.parametrize("change", [("a * cos - b * sin", "a * cos + b * sin"), ('given["axis_of_pair"]', 'given["axis_of_pair"] * 0'),
                                    ("(bits + 0x7FFF + (bits >> 16 & 1) >> 16)", "(bits + 0x17FFF >> 16)")])
def test_one_bug_fails(exported, tmp_path, change):
    said = ropecheck("verify", exported, outputs(exported, tmp_path / "out", change), code=1).stdout
    assert "FAIL accuracy" in said and "NONCONFORMANT" in said
    case = said.split("verify DIR OUT --case ")[1].split()[0]
    assert "NONCONFORMANT: 1 of 1" in ropecheck("verify", exported, tmp_path / "out", "--case", case, code=1).stdout


def spoil(path, change):
    """Changes the header of a file of tensors."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(change(json.loads(data[8:start]))).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])


def shape(header):
    header["q"]["shape"] = [1, *header["q"]["shape"][::-1][:3]] if header["q"]["shape"][0] != 1 else header["q"]["shape"][::-1]
    return header


@pytest.mark.parametrize("name, spoiled, says", [
    ("missing", lambda path: path.unlink(), "expected the outputs of an exported case, found no such file"),
    ("extra", lambda path: shutil.copy(path, path.with_name("9999.safetensors")), "found no case of this name"),
    ("short", lambda path: path.write_bytes(path.read_bytes()[:-1]), "is the file truncated?"),
    ("empty", lambda path: path.write_bytes(b""), "expected a safetensors file"),
    ("shape", lambda path: spoil(path, shape), 'tensor "q": expected F32 ['),
    ("type", lambda path: spoil(path, lambda header: {**header, "q": {**header["q"], "dtype": "I32"}}), "found I32"),
    ("no keys", lambda path: spoil(path, lambda header: {"k": header["k"]}), "the end of the file"),
    ("link", lambda path: (path.rename(path.with_suffix(".old")), path.symlink_to(path.with_suffix(".old"))), "expected a file"),
    ("folder", lambda path: (path.unlink(), path.mkdir()), "expected a file"),
])
def test_wrong_files_are_named_and_nothing_is_judged(exported, honest, name, spoiled, says):
    spoiled(honest / "0001.safetensors")
    said = ropecheck("verify", exported, honest, code=6).stdout
    assert says in said and "NOTHING WAS JUDGED" in said and "safetensors" in said


@pytest.mark.parametrize("change, says", [
    (lambda index: index["cases"][0].update(file="../0000.safetensors"), 'cases[0].file: expected "0000.safetensors"'),
    (lambda index: index["cases"][0].update(inputs_sha256="0" * 64), "export again"),
    (lambda index: index["cases"][0].update(case=index["cases"][0]["case"].replace("text:", "text:9999")), "cases[0]: "),
    (lambda index: index["manifest"].update(colour=1), "colour"),
    (lambda index: index.update(format=2), "format: expected 1, found 2"),
    (lambda index: index.update(cases=[]), "cases: expected 1 to 2000, found 0"),
])
def test_an_index_that_was_changed_is_refused(exported, honest, tmp_path, change, says):
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    index = json.loads((folder / "index.json").read_text())
    change(index)
    (folder / "index.json").write_text(json.dumps(index))
    assert says in ropecheck("verify", folder, honest, code=3).stderr


def test_positions_and_given_angles(tmp_path):
    namespace = {}
    exec(SCRIPT.read_text().split("source, target")[0], namespace)
    load, save = namespace["load"], namespace["save"]
    cases, out = tmp_path / "cases", tmp_path / "out"
    ropecheck("export", cases, "--scheme", "rope@default", "--level", "positions", "--level", "apply", "--dtype", "f32", code=0)
    out.mkdir()
    for step in (1, 2):
        for case in json.loads((cases / "index.json").read_text())["cases"]:
            if case["level"] == "positions":
                rows = [sum(segment["tokens"] for segment in row) for row in case["layouts"]]
                count = case["outputs"]["positions"]["shape"][2]
                positions = np.array([[np.arange(case["token_start"], case["token_start"] + count) for _ in rows]], "<i8")
                after = np.array([[[n] for n in rows]], "<i8") * step
                tensors = {"positions": ("I64", positions), "next": ("I64", after)}
            else:
                given = load(cases / case["file"])
                cos, sin = given["cos"][:, :, None, :], given["sin"][:, :, None, :]
                def turn(x):
                    a, b = np.split(x, 2, axis=-1)
                    with np.errstate(all="ignore"):
                        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
                tensors = {name: ("F32", turn(given[name])) for name in case["outputs"]}
            save(out / case["file"], tensors)
        said = ropecheck("verify", cases, out, code=step - 1).stdout
        if step == 1:
            assert "given on level apply: positions, axis map, frequencies, cos and sin, so no scheme was judged there" in said
        else:
            assert "FAIL positions-exact" in said


def test_what_is_exported_is_bounded_and_overwrites_nothing(exported, tmp_path):
    assert "expected an empty folder" in ropecheck("export", exported, code=2).stderr
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}")
    assert "levels" in ropecheck("export", tmp_path / "new", "--manifest", manifest, code=2).stderr
    assert not (tmp_path / "new").exists()
    assert sum(os.path.getsize(exported / name) for name in os.listdir(exported)) < 10 << 20
