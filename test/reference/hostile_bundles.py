"""
Run bundles that must be refused, one per rule of formats.md section 12, written by another program's zip writer where it can and by hand where
it cannot. Writes test/fixtures/bundle/hostile, with the rule that each breaks in expected.json. Made with Python 3.11:

    python3 test/reference/hostile_bundles.py

The innocent part is the config of bundle-v1.zip, so that nothing but the one fault stands against each of them.
"""
import hashlib
import json
import os
import shutil
import stat
import struct
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
golden = os.path.join(here, "..", "fixtures", "bundle", "bundle-v1.zip")
folder = os.path.join(here, "..", "fixtures", "bundle", "hostile")
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
with zipfile.ZipFile(golden) as archive:
    config = archive.read("run/config.json")
expected = {}


def declared(contents, **changes):
    """bundle.json for these files (name -> content)."""
    listed = [{"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()]
    manifest = {
        "format": "prelora-bundle", "version": 1, "runId": "hostile", "createdAt": "2026-11-30T00:00:00.000Z", "app": "somebody", "files": listed,
        "weights": "none",
    }
    return json.dumps({**manifest, **changes}).encode()


def entry(name, mode=stat.S_IFREG | 0o644, method=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.external_attr = mode << 16
    info.compress_type = method
    info.create_system = 3
    return info


def write(name, rule, members, manifest=None):
    """`members` are pairs of ZipInfo and content; bundle.json declares them all unless it is given."""
    if manifest is None:
        manifest = declared({info.filename: content for info, content in members})
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for info, content in [(entry("bundle.json"), manifest), *members]:
            archive.writestr(info, content)
    expected[name] = rule


def patch(name, find, replace, count=-1):
    path = os.path.join(folder, name)
    with open(path, "rb") as file:
        content = file.read()
    assert find in content, (name, find)
    with open(path, "wb") as file:
        file.write(content.replace(find, replace, count))


run = (entry("run/config.json"), config)
evil = b"#!/bin/sh\n"
write("absolute.zip", "/tmp/evil: has an absolute name", [run, (entry("/tmp/evil"), evil)])
write("parent.zip", "run/../../evil: leads out of its folder by its name", [run, (entry("run/../../evil"), evil)])
write("backslash.zip", "run\\..\\evil: has a backslash in its name", [run, (entry("run\\..\\evil"), evil)])
write("drive.zip", "C:/evil: has a drive letter in its name", [run, (entry("C:/evil"), evil)])
write("link.zip", "run/status.json: is a link or a device, not a file", [run, (entry("run/status.json", stat.S_IFLNK | 0o777), b"/etc/passwd")])
write("device.zip", "run/status.json: is a link or a device, not a file", [run, (entry("run/status.json", stat.S_IFIFO | 0o644), b"")])
write("twice.zip", "run/CONFIG.json: is there twice, capital letters not counted", [run, (entry("run/CONFIG.json"), b"{}")])
zeros = bytes(1 << 21)
write("bomb.zip", "more than 1000:1", [run, (entry("run/metrics.jsonl"), zeros)])
write("larger.zip", "run/metrics.jsonl: unpacks to 3000 bytes, bundle.json declares 3",
      [run, (entry("run/metrics.jsonl"), b"{}\n" * 1000)], declared({"run/config.json": config, "run/metrics.jsonl": b"{}\n"}))
write("hash.zip", "run/metrics.jsonl: has another SHA-256 than bundle.json declares",
      [run, (entry("run/metrics.jsonl"), b"{1}\n")], declared({"run/config.json": config, "run/metrics.jsonl": b"{2}\n"}))
write("undeclared.zip", "run/status.json: is not declared in bundle.json", [run, (entry("run/status.json"), b"{}")], declared({"run/config.json": config}))
write("missing.zip", "run/status.json: is declared, but not there", [run], declared({"run/config.json": config, "run/status.json": b"{}"}))
write("declared-twice.zip", "bundle.json: declares a file twice", [run],
      declared({}, files=2 * json.loads(declared({"run/config.json": config}))["files"]))
write("newer.zip", "bundle.json: is version 2, this program reads up to 1", [run], declared({"run/config.json": config}, version=2))
write("foreign.zip", "bundle.json: format:", [run], declared({"run/config.json": config}, format="other"))
write("no-config.zip", "run/config.json: is missing", [(entry("run/metrics.jsonl"), b"{}\n")])
write("bad-config.zip", "config.json: train.lr", [(entry("run/config.json"), json.dumps({**json.loads(config), "train": {"lr": -1}}).encode())])
place = json.loads(config)
place["data"]["source"] = "\\\\share\\photos"
write("place.zip", "run/config.json: data.source names a place", [(entry("run/config.json"), json.dumps(place).encode())])
edit = {"kind": "edited", "step": 1, "segment": 0, "time": "", "by": "user", "detail": {"field": "data.source", "to": "/etc"}}
write("edited-place.zip", "run/events.jsonl: data.source names a place", [run, (entry("run/events.jsonl"), json.dumps(edit).encode() + b"\n")])
write("method.zip", "run/config.json: has compression method 12", [(entry("run/config.json", method=zipfile.ZIP_BZIP2), config)])

# The first member is what tells a bundle.
with zipfile.ZipFile(os.path.join(folder, "late.zip"), "w") as archive:
    archive.writestr(*run)
    archive.writestr(entry("bundle.json"), declared({"run/config.json": config}))
expected["late.zip"] = "bundle.json: is not the first member"

# Encrypted, by its flag: local header, then directory.
write("encrypted.zip", "run/config.json: is encrypted", [run])
path = os.path.join(folder, "encrypted.zip")
with open(path, "rb") as file:
    content = bytearray(file.read())
for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
    place = content.index(signature, content.index(signature) + 1)
    content[place + at] |= 1
with open(path, "wb") as file:
    file.write(content)

# A directory, and a bundle.json, that say 4 bytes where the data unpacks to 3,000.
write("lying.zip", "run/metrics.jsonl:", [run, (entry("run/metrics.jsonl"), b"{}\n" * 1000)],
      declared({"run/config.json": config, "run/metrics.jsonl": b"{}\n{"}))
patch("lying.zip", struct.pack("<L", 3000), struct.pack("<L", 4))

# 100,001 entries by the directory's word, in the 64-bit record that such a count needs.
write("entries.zip", "has 100001 entries, more than 100000", [run])
path = os.path.join(folder, "entries.zip")
with open(path, "rb") as file:
    content = file.read()
end = content.index(b"PK\x05\x06")
size, offset = struct.unpack("<LL", content[end + 12:end + 20])
record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 100_001, 100_001, size, offset)
locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
last = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
with open(path, "wb") as file:
    file.write(content[:end] + record + locator + last)

# Cut short, as a copy that was broken off.
write("cut.zip", "the zip: is damaged, or none", [run])
path = os.path.join(folder, "cut.zip")
with open(path, "rb") as file:
    content = file.read()
with open(path, "wb") as file:
    file.write(content[:len(content) // 2])

with open(os.path.join(folder, "expected.json"), "w") as file:
    json.dump(expected, file, indent=2, sort_keys=True)
    file.write("\n")
print(len(expected), "bundles")
