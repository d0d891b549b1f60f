"""
The odd images of reliability.md R9, for test/data: writes test/fixtures/odd-images and expected.json there.
Made with Python 3.11, Pillow 12.3.0:

    python test/reference/odd_images.py

expected.json holds, for images that can be used, the gray or RGB bytes Pillow decodes (EXIF turned, alpha dropped).
"""
import base64
import json
import os
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "odd-images")
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(7)
rgb = random.integers(0, 256, (6, 9, 3)).astype(np.uint8)
image = Image.fromarray(rgb, "RGB")
expected = {}


def save(name, picture, **options):
    picture.save(os.path.join(folder, name), **options)


def write(name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def read(name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def expect(name, mode):
    picture = ImageOps.exif_transpose(Image.open(os.path.join(folder, name)))
    if picture.mode in ("RGBA", "LA"):
        picture = picture.convert("RGBA")
        picture.putalpha(255)
    array = np.asarray(picture.convert(mode))
    expected[name] = {"height": array.shape[0], "width": array.shape[1], "pixels": base64.b64encode(array.tobytes()).decode()}


def png_header(width, height):
    """A PNG that claims this size and holds almost nothing."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


save("plain.png", image)
save("plain.webp", image, lossless=True)
save("plain.tiff", image)
save("palette.gif", image.quantize(16))
save("photo.jpg", Image.fromarray(np.asarray(image.resize((40, 30), Image.Resampling.BICUBIC))), quality=90)
save("gray.png", Image.fromarray(rgb[:, :, 0], "L"))
save("alpha.png", Image.fromarray(np.dstack([rgb, random.integers(0, 256, (6, 9)).astype(np.uint8)]), "RGBA"))
exif = Image.Exif()
exif[0x0112] = 6  # turn a quarter clockwise
save("turned.png", image, exif=exif)
save("is-png.jpg", image, format="PNG")
deep = random.integers(0, 65536, (6, 9)).astype(np.uint16)
save("deep.png", Image.fromarray(deep))
expected["deep.png"] = {"height": 6, "width": 9, "pixels": base64.b64encode((deep >> 8).astype(np.uint8).tobytes()).decode()}
save("cmyk.jpg", image.convert("CMYK"))
save("animated.gif", image.quantize(8), save_all=True, append_images=[image.rotate(180).quantize(8)])
save("tiny.png", image.crop((0, 0, 1, 1)))
write("empty.png", b"")
write("text.jpg", b"this is not an image\n")
write("vector.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="9" height="9"/></svg>\n')
write("huge.png", png_header(30000, 30000))
save("whole.jpg", image.resize((64, 64)), quality=95)
write("cut.jpg", read("whole.jpg")[:1500])
write("cut.png", read("plain.png")[:120])
os.remove(os.path.join(folder, "whole.jpg"))

for name in ("plain.png", "plain.webp", "plain.tiff", "palette.gif", "photo.jpg", "alpha.png", "turned.png", "is-png.jpg"):
    expect(name, "RGB")
expect("gray.png", "L")
with open(os.path.join(folder, "expected.json"), "w") as file:
    json.dump(expected, file, indent=1)
    file.write("\n")
