"""Makes test/fixtures/wheels/tiny-1.0-py3-none-any.whl with CPython's zipfile: what main/engine/zip.ts is tested against.
Run: python3 test/reference/tiny_wheel.py (from the repository root). The dates are fixed, so the file comes out the same."""

import os
import zipfile

PATH = "test/fixtures/wheels/tiny-1.0-py3-none-any.whl"
EXTRA = b"\x55\x54\x05\x00\x03\x00\x00\x00\x00"  # an extra field, so that the data does not begin right after the name

os.makedirs(os.path.dirname(PATH), exist_ok=True)
with zipfile.ZipFile(PATH, "w") as archive:
    archive.comment = b"made by zipfile"
    for name, data, method in [
        ("tiny/", b"", zipfile.ZIP_STORED),
        ("tiny/stored.txt", b"as it is\n", zipfile.ZIP_STORED),
        ("tiny/deflated.txt", b"again and again\n" * 1000, zipfile.ZIP_DEFLATED),
        ("tiny/empty.txt", b"", zipfile.ZIP_STORED),
        ("tiny/gr\u00f6\u00dfe.txt", "größe\n".encode(), zipfile.ZIP_DEFLATED),
    ]:
        member = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        member.compress_type = method
        member.extra = EXTRA
        archive.writestr(member, data)
