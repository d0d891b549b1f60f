"""Golden files for main/store/safetensors.ts: safetensors as its own library writes them, and what it refuses.

Run: python test/reference/safetensors_golden.py   (safetensors 0.8.0, torch 2.13.0, numpy)
Writes test/fixtures/safetensors/: two.safetensors (formats.md section 2, 204 bytes), native.safetensors (our metadata),
names.safetensors (order by code point), types.safetensors with types.json (F16, BF16, F64 and the F32 values they stand for),
and broken/*.safetensors, each refused by the library; broken.json holds the library's message for each.
"""
import json
import os
import struct

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file

out = os.path.join(os.path.dirname(__file__), "..", "fixtures", "safetensors")
os.makedirs(os.path.join(out, "broken"), exist_ok=True)


def path(name):
    return os.path.join(out, name)


two = {"a.bias": torch.arange(3, dtype=torch.float32), "b.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3)}
save_file(two, path("two.safetensors"), metadata={"format": "pt"})
assert os.path.getsize(path("two.safetensors")) == 204
save_file(two, path("native.safetensors"), metadata={"format": "prelora", "schema": "1"})

# Names whose order differs between code points, UTF-16 units, locales and JavaScript's integer keys.
names = ["10", "2", "B", "a", "b", "é", "\uffee", "\U0001f600", "quote\"back\\slash", "tab\tname", "x.scalar", "y.empty"]
save_file(
    {n: torch.tensor(float(i)) if n == "x.scalar" else torch.zeros(0, 4) if n == "y.empty" else torch.full((1, 2), float(i)) for i, n in enumerate(names)},
    path("names.safetensors"),
    metadata={"format": "pt"},
)

values = [0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, 6.1e-5, float("inf"), float("-inf"), 0.1, 1 / 3]
types = {"f16": torch.tensor(values).half(), "bf16": torch.tensor(values).bfloat16(), "f64": torch.tensor(values, dtype=torch.float64), "f32": torch.tensor(values)}
save_file(types, path("types.safetensors"))
json.dump({n: [str(v) for v in t.float().numpy().view(np.uint32).tolist()] for n, t in types.items()}, open(path("types.json"), "w"), indent=1)


def raw(header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


d24 = bytes(24)
broken = {
    "short": b"\x01\x02\x03",
    "huge-header": raw({"a": entry([6], 0, 24)}, d24, 2**60),
    "header-past-end": raw({"a": entry([6], 0, 24)}, d24, 10_000),
    "header-over-limit": raw({"a": entry([6], 0, 24)}, d24, 100_000_001),
    "not-json": raw(b"{nonsense", d24),
    "not-object": raw(b"[1,2]", d24),
    "not-utf8": raw(b'{"\xff":1}', d24),
    "hole": raw({"a": entry([2], 0, 8), "b": entry([2], 16, 24)}, d24),
    "hole-at-start": raw({"a": entry([4], 8, 24)}, d24),
    "overlap": raw({"a": entry([4], 0, 16), "b": entry([4], 8, 24)}, d24),
    "two-names-one-span": raw({"a": entry([6], 0, 24), "b": entry([6], 0, 24)}, d24),
    "duplicate-key": raw(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}', d24),
    "shape-not-span": raw({"a": entry([5], 0, 24)}, d24),
    "shape-overflow": raw({"a": entry([2**33, 2**33], 0, 24)}, d24),
    "shape-negative": raw({"a": entry([-6], 0, 24)}, d24),
    "offsets-reversed": raw({"a": entry([6], 24, 0)}, d24),
    "truncated": raw({"a": entry([6], 0, 24)}, bytes(20)),
    "trailing": raw({"a": entry([6], 0, 24)}, bytes(28)),
    "metadata-number": raw({"__metadata__": {"n": 1}, "a": entry([6], 0, 24)}, d24),
    "metadata-list": raw({"__metadata__": ["n"], "a": entry([6], 0, 24)}, d24),
    "unknown-dtype": raw({"a": entry([6], 0, 24, "F99")}, d24),
    "no-dtype": raw({"a": {"shape": [6], "data_offsets": [0, 24]}}, d24),
    "entry-not-object": raw({"a": 7}, d24),
}
messages = {}
for name, content in broken.items():
    file = path(f"broken/{name}.safetensors")
    open(file, "wb").write(content)
    try:
        load_file(file)
        raise SystemExit(f"safetensors {safetensors.__version__} loads {name}")
    except Exception as error:  # noqa: BLE001, whatever it raises is its refusal
        messages[name] = f"{type(error).__name__}: {error}"
json.dump({"library": f"safetensors {safetensors.__version__}", "messages": messages}, open(path("broken.json"), "w"), indent=1)

# Accepted by the library although our writer never writes it so: unaligned header, tensors in another order.
open(path("reordered.safetensors"), "wb").write(
    raw({"z": entry([1], 4, 8), "a": entry([1], 0, 4), "empty": entry([0], 8, 8)}, struct.pack("<2f", 1, 2))
)
assert load_file(path("reordered.safetensors"))["z"].item() == 2
