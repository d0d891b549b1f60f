"""
Shards for test/data: two classes, three images, written by other people's programs. Writes test/fixtures/shards.
Made with Python 3.11 (tarfile), Pillow 13.0.0, pyarrow 25.0.1, datasets 5.0.1, webdataset 1.0.2:

    python3 -m venv /opt/pq && /opt/pq/bin/pip install datasets==5.0.1 pyarrow==25.0.1 pillow==13.0.0 webdataset==1.0.2
    /opt/pq/bin/python test/reference/shards.py

The tars are kept compressed, because most of a small tar is zeros; the tests unpack them. expected.json holds the names, labels and
pixels of the samples as webdataset and datasets read them back.
"""
import base64
import gzip
import io
import json
import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from datasets import ClassLabel, Dataset, Features, Image as ImageFeature, Value, load_dataset
from PIL import Image

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "shards")
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(21)
pixels = [random.integers(0, 256, (4, 5, 3)).astype(np.uint8) for _ in range(3)]
labels = [1, 0, 1]


def encoded(array, form):
    file = io.BytesIO()
    Image.fromarray(array).save(file, format=form, **({"lossless": True} if form == "WEBP" else {}))
    return file.getvalue()


# Lossless, so that whoever decodes them gets the same bytes.
images = [encoded(pixels[0], "PNG"), encoded(pixels[1], "WEBP"), encoded(pixels[2], "PNG")]
extensions = ["png", "webp", "PNG"]
expected = {"pixels": [base64.b64encode(array.tobytes()).decode() for array in pixels], "labels": labels}


def write(name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def tar(members, form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_700_000_000.25 if form == tarfile.PAX_FORMAT else 1_700_000_000
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def samples(keys):
    """The folder and a note come along, as people's tars have them; the key ends at the first dot of the file's name."""
    members = [("set.v1/", b""), ("set.v1/README", b"made by shards.py")]
    for key, image, extension, label in zip(keys, images, extensions, labels):
        members += [(f"{key}.{extension}", image), (f"{key}.cls", b"%d\n" % label), (f"{key}.seg.png", images[0])]
    return members


long_folder = "set.v1/" + "d" * 90
long_name = "ein sehr länger Name 😀 " + "n" * 110
keys = {
    # ustar: a path of more than 100 bytes only where a / divides it
    "ustar": ["set.v1/0001", f"{long_folder}/ustar ü", "set.v1/0003"],
    "pax": ["set.v1/0001", f"set.v1/{long_name}", "set.v1/0003"],
    "gnu": ["set.v1/0001", f"set.v1/{long_name}", "set.v1/0003"],
}
forms = {"ustar": tarfile.USTAR_FORMAT, "pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}
for name, form in forms.items():
    data = tar(samples(keys[name]), form)
    write(f"{name}.tar.gz", gzip.compress(data, mtime=0))
    plain = os.path.join("/tmp", f"shards-{name}.tar")
    with open(plain, "wb") as file:
        file.write(data)
    read = list(webdataset.WebDataset(plain, shardshuffle=False))
    read = [sample for sample in read if "cls" in sample]
    assert [sample["__key__"] for sample in read] == keys[name], [sample["__key__"] for sample in read]
    assert [int(sample["cls"]) for sample in read] == labels
    expected[name] = [f"{key}.{extension}" for key, extension in zip(keys[name], extensions)]

described = [(f"{i}.png", images[0]) if not j else (f"{i}.json", json.dumps({"label": labels[i], "kind": ["dog", "ant", "dog"][i]}).encode()) for i in range(3) for j in range(2)]
write("json.tar.gz", gzip.compress(tar(described, tarfile.PAX_FORMAT), mtime=0))

# Hugging Face: datasets writes the struct column and the names of the classes.
features = Features({"image": ImageFeature(), "label": ClassLabel(names=["cat", "dög"])})
rows = {"image": [{"bytes": data, "path": None if i else "first.png"} for i, data in enumerate(images)], "label": labels}
Dataset.from_dict(rows, features=features).to_parquet(os.path.join(folder, "hf.parquet"))
back = load_dataset("parquet", data_files=os.path.join(folder, "hf.parquet"), split="train", cache_dir="/tmp/shards-cache")
assert [np.asarray(row["image"].convert("RGB")).tobytes() for row in back] == [array.tobytes() for array in pixels]
assert back["label"][:] == labels and back.features["label"].names == ["cat", "dög"]

two = Features({"img": ImageFeature(), "fine_label": ClassLabel(names=["a", "b"]), "coarse_label": ClassLabel(names=["x", "y"]), "id": Value("int64")})
rows = {"img": rows["image"], "fine_label": labels, "coarse_label": [0, 0, 1], "id": [7, 8, 9]}
Dataset.from_dict(rows, features=two).to_parquet(os.path.join(folder, "two-labels.parquet"))

# pyarrow alone: bytes without a struct, 32-bit labels, row groups of one, every codec it writes.
plain = pa.table({"image": pa.array(images, pa.binary()), "label": pa.array(labels, pa.int32())})
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(plain, os.path.join(folder, f"{codec}.parquet"), compression=codec, row_group_size=1, store_schema=False)
words = pa.table({"image": pa.array(images, pa.binary()), "label": pa.array(["dog", "ant", "dog"]), "size": pa.array([1, 2, 3])})
pq.write_table(words, os.path.join(folder, "words.parquet"), compression="none", store_schema=False)
bad = pa.table({"image": pa.array(images, pa.binary()), "label": pa.array([0, 2, 1]), "text": pa.array(["a", "b", "c"])})
with_names = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}}})}
pq.write_table(bad.replace_schema_metadata(with_names), os.path.join(folder, "out-of-range.parquet"), compression="none")
hidden = pa.table({"image": pa.array(images, pa.binary()), "label": pa.array([-1, -1, -1])})
pq.write_table(hidden, os.path.join(folder, "hidden.parquet"), compression="none", store_schema=False)

# Nobody writes LZO any more: the codec of an uncompressed file is changed to it, which is field 4 of ColumnMetaData before num_values 3.
sink = io.BytesIO()
pq.write_table(plain, sink, compression="none", store_schema=False)
uncompressed, lzo = b"\x15\x00\x16\x06", b"\x15\x06\x16\x06"
assert sink.getvalue().count(uncompressed) == 2
write("lzo.parquet", sink.getvalue().replace(uncompressed, lzo))

with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
    json.dump(expected, file, indent=1, ensure_ascii=False)
    file.write("\n")
for name in sorted(os.listdir(folder)):
    size = os.path.getsize(os.path.join(folder, name))
    assert size < 4096, f"{name} has {size} bytes"
    print(f"{size:6d} {name}")
